//! A small model hub on loopback, for tests: it serves files as the real one
//! does, keeps a log, and misbehaves on request.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file, and how it is served.
#[derive(Clone, Default)]
pub(super) struct Served {
    pub(super) bytes: Vec<u8>,
    /// Large files are redirected to another address, and their etag is a
    /// SHA-256.
    pub(super) large: bool,
    /// The first answers break off after so many bytes each.
    pub(super) cuts: Vec<usize>,
    /// The size announced, where it is not the true one.
    pub(super) announced: Option<u64>,
    /// A resumed transfer is answered with the whole file.
    pub(super) ignores_range: bool,
    /// The first answers have these statuses.
    pub(super) statuses: Vec<u16>,
    /// What these say in `Retry-After`.
    pub(super) retry_after: Option<&'static str>,
    /// The file is at another address (307): a path, or a whole address in which `HUB`
    /// is the hub's.
    pub(super) moved: Option<&'static str>,
    /// The hub has it for this token alone.
    pub(super) token: Option<&'static str>,
    /// It says no name of the content.
    pub(super) nameless: bool,
}

impl Served {
    pub(super) fn small(text: &str) -> Self {
        Served { bytes: text.into(), ..Served::default() }
    }

    pub(super) fn large(bytes: Vec<u8>) -> Self {
        Served { bytes, large: true, ..Served::default() }
    }

    pub(super) fn etag(&self) -> String {
        let sum = Sha256::digest(&self.bytes);
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.large { hex } else { hex[..40].to_owned() }
    }
}

type Files = BTreeMap<String, Served>;

/// The hub: its files by `owner/name/revision/file`, and what was asked of it.
pub(super) struct Hub {
    pub(super) address: SocketAddr,
    files: Arc<Mutex<Files>>,
    log: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    pub(super) fn start(files: impl IntoIterator<Item = (&'static str, Served)>) -> Self {
        let files = files.into_iter().map(|(name, file)| (name.to_owned(), file)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (files, log) = (Arc::new(Mutex::new(files)), Arc::new(Mutex::new(Vec::new())));
        let closed = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&files), Arc::clone(&log), Arc::clone(&closed));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.2.load(Ordering::SeqCst) {
                    break;
                }
                // A client that hangs up is no concern of the hub's.
                let _ = answer(stream.unwrap(), &shared.0, &shared.1);
            }
        });
        Hub { address, files, log, closed, thread: Some(thread) }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves one more file.
    pub(super) fn add(&self, name: &str, file: Served) {
        self.files.lock().unwrap().insert(name.to_owned(), file);
    }

    /// Changes how a file is served.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Served)) {
        change(self.files.lock().unwrap().get_mut(name).unwrap());
    }

    /// The requests since the last call: method, path, and range or token where
    /// there is one.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

fn answer(
    stream: TcpStream,
    files: &Mutex<Files>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let (mut range, mut token) = (None, None);
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => range = Some(value.to_owned()),
            "authorization" => token = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let extras = [&range, &token].into_iter().flatten().map(|extra| format!(" {extra}"));
    log.lock().unwrap().push(format!("{method} {path}{}", extras.collect::<String>()));

    let mut files = files.lock().unwrap();
    // /owner/name/resolve/revision/file, or /blobs/owner/name/resolve/...
    let stored = path.strip_prefix("/blobs").is_some();
    let name = path.trim_start_matches("/blobs").trim_start_matches('/').replace("/resolve/", "/");
    let mut out = &stream;
    let Some(file) = files.get_mut(&name.replace(COMMIT, "main").replace("%2F", "/")) else {
        return write!(
            out,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let refuse = |mut out: &TcpStream, status: u16, more: &str| {
        let end = "Content-Length: 0\r\nConnection: close";
        write!(out, "HTTP/1.1 {status} No\r\n{more}{end}\r\n\r\n")
    };
    if !file.statuses.is_empty() {
        let status = file.statuses.remove(0);
        let after = file.retry_after.map(|after| format!("Retry-After: {after}\r\n"));
        return refuse(out, status, &after.unwrap_or_default());
    }
    if !stored && file.token.is_some_and(|wanted| token != Some(format!("Bearer {wanted}"))) {
        return refuse(out, 401, "");
    }
    if let Some(moved) = file.moved {
        let to = moved.replace("HUB", &format!("http://{}", stream.local_addr()?));
        let to = to.replace("OTHER", &format!("http://localhost:{}", stream.local_addr()?.port()));
        return refuse(out, 307, &format!("Location: {to}\r\n"));
    }
    let size = file.announced.unwrap_or(file.bytes.len() as u64);
    let mut head = format!("X-Repo-Commit: {COMMIT}\r\nConnection: close\r\n");
    if file.large && !stored {
        head += &format!("X-Linked-Etag: \"{}\"\r\nX-Linked-Size: {size}\r\n", file.etag());
        head +=
            &format!("Location: http://localhost:{}/blobs{path}\r\n", stream.local_addr()?.port());
        return write!(out, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{head}\r\n");
    }
    if !file.nameless {
        head += &format!("ETag: \"{}\"\r\n", file.etag());
    }
    if method == "HEAD" {
        return write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n{head}\r\n");
    }
    let start = range.filter(|_| !file.ignores_range).and_then(|range| {
        range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().ok()
    });
    let body = match file.bytes.get(start.unwrap_or(0)..) {
        Some(body) if start.is_none() || !body.is_empty() => body,
        _ => return write!(out, "HTTP/1.1 416 Range\r\nContent-Length: 0\r\n{head}\r\n"),
    };
    match start {
        Some(start) => {
            let all = file.bytes.len();
            write!(out, "HTTP/1.1 206 Part\r\nContent-Range: bytes {start}-{}/{all}\r\n", all - 1)?;
        }
        None => write!(out, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(out, "Content-Length: {}\r\n{head}\r\n", body.len())?;
    let cut = if file.cuts.is_empty() { body.len() } else { file.cuts.remove(0).min(body.len()) };
    out.write_all(&body[..cut])
}
