//! A stub hub on loopback: it serves files like the real one, logs requests, and fails on
//! request.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file and how the hub serves it.
#[derive(Clone, Default)]
pub(super) struct StubFile {
    pub(super) bytes: Vec<u8>,
    /// Large files are redirected to another host, and their etag is a SHA-256.
    pub(super) large: bool,
    /// The first responses end after these numbers of bytes.
    pub(super) cut_after: Vec<usize>,
    /// The size in the metadata, if it is not the true one.
    pub(super) reported_size: Option<u64>,
    /// A range request gets the whole file.
    pub(super) ignores_range: bool,
    /// The statuses of the first responses.
    pub(super) statuses: Vec<u16>,
    /// The `Retry-After` header of those responses.
    pub(super) retry_after: Option<&'static str>,
    /// The name and value of another header of those responses.
    pub(super) reason: Option<(&'static str, &'static str)>,
    /// The target of a redirect (307): a path, or a URL in which `HUB` is the hub and `OTHER`
    /// another host.
    pub(super) redirect: Option<&'static str>,
    /// The token that is needed to read the file.
    pub(super) token: Option<&'static str>,
    /// The hub sends no etag.
    pub(super) without_etag: bool,
}

impl StubFile {
    pub(super) fn small(text: &str) -> Self {
        StubFile { bytes: text.into(), ..StubFile::default() }
    }

    pub(super) fn large(bytes: Vec<u8>) -> Self {
        StubFile { bytes, large: true, ..StubFile::default() }
    }

    pub(super) fn etag(&self) -> String {
        let sum = Sha256::digest(&self.bytes);
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.large { hex } else { hex[..40].to_owned() }
    }
}

type Files = BTreeMap<String, StubFile>;

/// The hub: its files by `owner/name/revision/file`, and a log of requests.
pub(super) struct StubHub {
    pub(super) address: SocketAddr,
    files: Arc<Mutex<Files>>,
    log: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StubHub {
    pub(super) fn start(files: impl IntoIterator<Item = (&'static str, StubFile)>) -> Self {
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
                // Ignore clients that hang up.
                let _ = respond(stream.unwrap(), &shared.0, &shared.1);
            }
        });
        StubHub { address, files, log, closed, thread: Some(thread) }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a file.
    pub(super) fn add(&self, name: &str, file: StubFile) {
        self.files.lock().unwrap().insert(name.to_owned(), file);
    }

    /// Changes how a file is served.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut StubFile)) {
        change(self.files.lock().unwrap().get_mut(name).unwrap());
    }

    /// Returns the requests since the last call: method, path, and the range and token, if any.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Drop for StubHub {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

fn respond(
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
    let from_storage = path.strip_prefix("/blobs").is_some();
    let name = path.trim_start_matches("/blobs").trim_start_matches('/').replace("/resolve/", "/");
    let mut out = &stream;
    let Some(file) = files.get_mut(&name.replace(COMMIT, "main").replace("%2F", "/")) else {
        return write!(
            out,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let error_response = |mut out: &TcpStream, status: u16, more: &str| {
        let end = "Content-Length: 0\r\nConnection: close";
        write!(out, "HTTP/1.1 {status} No\r\n{more}{end}\r\n\r\n")
    };
    if !file.statuses.is_empty() {
        let status = file.statuses.remove(0);
        let after = file.retry_after.map(|after| format!("Retry-After: {after}\r\n"));
        let reason = file.reason.map(|(name, value)| format!("{name}: {value}\r\n"));
        let more = [after, reason].into_iter().flatten().collect::<String>();
        return error_response(out, status, &more);
    }
    if !from_storage && file.token.is_some_and(|needed| token != Some(format!("Bearer {needed}"))) {
        return error_response(out, 401, "");
    }
    if let Some(redirect) = file.redirect {
        let to = redirect.replace("HUB", &format!("http://{}", stream.local_addr()?));
        let to = to.replace("OTHER", &format!("http://localhost:{}", stream.local_addr()?.port()));
        return error_response(out, 307, &format!("Location: {to}\r\n"));
    }
    let size = file.reported_size.unwrap_or(file.bytes.len() as u64);
    let mut head = format!("X-Repo-Commit: {COMMIT}\r\nConnection: close\r\n");
    if file.large && !from_storage {
        head += &format!("X-Linked-Etag: \"{}\"\r\nX-Linked-Size: {size}\r\n", file.etag());
        head +=
            &format!("Location: http://localhost:{}/blobs{path}\r\n", stream.local_addr()?.port());
        return write!(out, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{head}\r\n");
    }
    if !file.without_etag {
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
    let cut = if file.cut_after.is_empty() {
        body.len()
    } else {
        file.cut_after.remove(0).min(body.len())
    };
    out.write_all(&body[..cut])
}
