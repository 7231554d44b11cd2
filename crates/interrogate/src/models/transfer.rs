//! One file from the hub onto the disk: resumed, retried, checked, and given its
//! name last.
//!
//! Owns requests and bytes; which files make a model is for `hub`. hf-hub 0.5
//! has a transfer of its own, which is not used: it appends whatever a server
//! answers to a resumed request, compares neither size nor digest before the
//! file gets its name, and waits for ever.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::pace::Watch;
use super::{Options, Progress};
use crate::{Error, Result, limits, output};

/// How the names of files begin that the hub gives no name.
const UNNAMED: &str = "unverified-";

/// How many redirects within the hub are followed.
const REDIRECTS: usize = 5;

/// Talks to one hub.
pub(super) struct Client<'a> {
    options: &'a Options,
    /// Follows redirects, to wherever the files lie.
    files: Agent,
    /// Does not: what the hub says of a file stands in its own answer.
    hub: Agent,
}

/// What the hub says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// The commit that the revision stands for.
    pub(super) commit: String,
    /// Names the content; for large files it is their SHA-256 in hex, for others their id
    /// in Git. Where the hub gives none, a name of our own.
    pub(super) etag: String,
    /// Bytes.
    pub(super) size: u64,
    /// The address that the hub has led to: a renamed repository's new one.
    pub(super) at: String,
}

impl Remote {
    /// Whether the content can be compared with a SHA-256.
    pub(super) fn has_digest(&self) -> bool {
        is_hex(&self.etag, 64)
    }
}

/// Why a try came to nothing.
enum Failure {
    /// Another may go better.
    Passing(Error),
    /// Another may, once the hub was left alone for so long.
    Busy(Error, Duration),
    /// It will not.
    Final(Error),
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a Options) -> Result<Self> {
        let endpoint = || options.endpoint.clone();
        let proxy = proxy(options)
            .map_err(|source| Error::Hub { url: endpoint(), source: source.into() })?;
        let agent = |redirects| -> Agent {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(redirects)
                .max_redirects_will_error(redirects > 0)
                .proxy(proxy.clone())
                .user_agent(concat!("interrogate/", env!("CARGO_PKG_VERSION")))
                // Sizes are those of the files, not of a compressed answer.
                .accept_encoding("identity")
                .timeout_connect(Some(options.timeout))
                .timeout_recv_response(Some(options.timeout))
                .timeout_per_read(Some(options.timeout))
                .build()
                .into()
        };
        Ok(Client { options, files: agent(REDIRECTS as u32), hub: agent(0) })
    }

    /// What the hub says of the file at `url`, or `None` where it has none.
    pub(super) fn look(&self, url: &str) -> Result<Option<Remote>> {
        self.retry(|| self.look_once(url))
    }

    fn look_once(&self, url: &str) -> Result<Option<Remote>, Failure> {
        let (mut at, mut commit) = (url.to_owned(), None);
        for _ in 0..=REDIRECTS {
            let answer = self.hub.head(&at);
            let answer = match &self.options.token {
                Some(token) => answer.header("Authorization", format!("Bearer {token}")),
                None => answer,
            };
            let answer = answer.call().map_err(|e| Failure::Passing(broken(url, e)))?;
            let headers = answer.headers();
            commit = header(headers, "x-repo-commit").map(str::to_owned).or(commit);
            let hub = origin(&self.options.endpoint);
            match (answer.status().as_u16(), header(headers, "location")) {
                (404, _) => return Ok(None),
                // A renamed repository, or a cache of the hub's own.
                (300..400, Some(path)) if path.starts_with('/') && !path.starts_with("//") => {
                    at = format!("{hub}{path}");
                }
                // The same, unless it is where the hub keeps a large file.
                (300..400, Some(next))
                    if origin(next).eq_ignore_ascii_case(hub)
                        && !headers.contains_key("x-linked-etag") =>
                {
                    next.clone_into(&mut at);
                }
                (200..400, _) => {
                    return remote(url, at, headers, commit).map(Some).map_err(Failure::Final);
                }
                _ => return Err(refused(url, &answer)),
            }
        }
        Err(Failure::Final(Error::HubAnswer { url: url.to_owned(), what: "end of redirects" }))
    }

    /// Brings the file at `url` to `blobs`/etag, whole and checked, and returns
    /// that path. What an earlier try left in `blobs`/etag.incomplete is gone on
    /// with; killed at any point it leaves nothing under the final name. A file
    /// that another process is fetching is waited for.
    pub(super) fn fetch(
        &self,
        url: &str,
        remote: &Remote,
        blobs: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PathBuf> {
        let blob = blobs.join(&remote.etag);
        let whole = || std::fs::metadata(&blob).is_ok_and(|blob| blob.len() == remote.size);
        if whole() {
            return Ok(blob);
        }
        let part_path = blobs.join(format!("{}.incomplete", remote.etag));
        let mut part = output::open(&part_path)?;
        part.lock().map_err(Error::io("lock", &part_path))?;
        if whole() {
            // Another process was quicker; this part is a new, empty one.
            let _ = std::fs::remove_file(&part_path);
            return Ok(blob);
        }
        self.retry(|| self.fetch_once(url, remote, (&mut part, &part_path), progress))?;
        if let Err(error) = check(url, remote, &mut part, &part_path) {
            // Nothing in it can be trusted.
            part.set_len(0).map_err(Error::io("empty", &part_path))?;
            return Err(error);
        }
        part.sync_all().map_err(Error::io("write", &part_path))?;
        std::fs::rename(&part_path, &blob).map_err(Error::io("rename", &part_path))?;
        sync_folder(blobs)?;
        Ok(blob)
    }

    fn fetch_once(
        &self,
        url: &str,
        remote: &Remote,
        (part, path): (&mut File, &Path),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let disk = |error| Failure::Final(Error::io("write", path)(error));
        let mut done = part.seek(SeekFrom::End(0)).map_err(disk)?;
        if done > remote.size {
            done = restart(part).map_err(disk)?;
        }
        if done == remote.size {
            progress(done);
            return Ok(());
        }
        // The hub's own address: the token goes there, and not where that redirects.
        let mut request = self.files.get(&remote.at);
        if let Some(token) = &self.options.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if done > 0 {
            request = request.header("Range", format!("bytes={done}-"));
        }
        let answer = request.call().map_err(|e| Failure::Passing(broken(url, e)))?;
        let range = header(answer.headers(), "content-range").unwrap_or_default();
        match answer.status().as_u16() {
            206 if range.starts_with(&format!("bytes {done}-")) => {}
            200 => done = restart(part).map_err(disk)?,
            206 | 416 => {
                restart(part).map_err(disk)?;
                let what = "content-range as asked for";
                return Err(Failure::Passing(Error::HubAnswer { url: url.to_owned(), what }));
            }
            _ => return Err(refused(url, &answer)),
        }
        let mut body = answer.into_body().into_reader();
        let mut chunk = vec![0; 1 << 18];
        let mut watch = Watch::new(self.options.pace, Instant::now());
        loop {
            let n = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Err(Failure::Passing(broken(url, e.into()))),
            };
            if done + n as u64 > remote.size {
                restart(part).map_err(disk)?;
                return Err(Failure::Final(size(url, remote, done + n as u64)));
            }
            part.write_all(&chunk[..n]).map_err(disk)?;
            done += n as u64;
            progress(done);
            if watch.is_slow(n as u64, Instant::now()) && done < remote.size {
                let least = format!("fewer than {} bytes a second", self.options.pace.bytes);
                let slow = io::Error::new(io::ErrorKind::TimedOut, least);
                return Err(Failure::Passing(broken(url, slow.into())));
            }
        }
        if done < remote.size { Err(Failure::Passing(size(url, remote, done))) } else { Ok(()) }
    }

    /// Runs `attempt` until it succeeds, fails for good, or the retries are used
    /// up; waits a quarter of a second, then twice that and so on up to eight, or as
    /// long as the hub asks.
    fn retry<T>(&self, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
        let mut tried = 0;
        loop {
            let (error, asked) = match attempt() {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => (error, Duration::ZERO),
                Err(Failure::Busy(error, asked)) => (error, asked),
            };
            if tried >= self.options.retries {
                return Err(error);
            }
            std::thread::sleep(pause(tried, asked));
            tried += 1;
        }
    }
}

/// How long to wait before the next try.
fn pause(tried: u32, asked: Duration) -> Duration {
    let ours = Duration::from_millis(250 << tried.min(5));
    ours.max(asked.min(Duration::from_secs(limits::RETRY_AFTER)))
}

/// What `Retry-After` says: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let date = || httpdate::parse_http_date(value).ok()?.duration_since(now).ok();
    value.parse().ok().map(Duration::from_secs).or_else(date)
}

/// The proxy that `options` name, with the hosts that go without it.
fn proxy(options: &Options) -> Result<Option<ureq::Proxy>, ureq::Error> {
    let Some(url) = &options.proxy else { return Ok(None) };
    let proxy = ureq::Proxy::new(url)?;
    let mut hosts = options.no_proxy.split(',').map(str::trim).filter(|host| !host.is_empty());
    let Some(first) = hosts.next() else { return Ok(Some(proxy)) };
    let mut builder = ureq::Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port())
        .resolve_target(proxy.resolve_target());
    if let Some(name) = proxy.username() {
        builder = builder.username(name);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for host in std::iter::once(first).chain(hosts) {
        let name = host.trim_start_matches('.');
        builder = builder.no_proxy(name).no_proxy(&format!(".{name}"));
    }
    builder.build().map(Some)
}

/// Empties a part; returns where it goes on.
fn restart(part: &mut File) -> io::Result<u64> {
    part.set_len(0)?;
    part.seek(SeekFrom::Start(0))
}

/// Compares the digest, where the etag is one: the hub's of large files are.
fn check(url: &str, remote: &Remote, part: &mut File, path: &Path) -> Result<()> {
    if !remote.has_digest() {
        return Ok(());
    }
    let mut sum = Sha256::new();
    let mut chunk = vec![0; 1 << 18];
    part.seek(SeekFrom::Start(0)).map_err(Error::io("read", path))?;
    loop {
        match part.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => break,
            n => sum.update(&chunk[..n]),
        }
    }
    let found = hex(&sum.finalize());
    if found.eq_ignore_ascii_case(&remote.etag) {
        return Ok(());
    }
    let expected = remote.etag.clone();
    Err(Error::HubDigest { url: url.to_owned(), expected, found })
}

/// Makes a rename last through a loss of power.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let open = File::open(folder).map_err(Error::io("open", folder))?;
        open.sync_all().map_err(Error::io("write", folder))?;
    }
    Ok(())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What the headers of a file's answer say. Commit and etag become names of
/// files, so that nothing but a name is let through.
fn remote(url: &str, at: String, headers: &HeaderMap, commit: Option<String>) -> Result<Remote> {
    let answer = |what| Error::HubAnswer { url: url.to_owned(), what };
    let name = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !text.is_empty() && text.len() <= 128 && text.bytes().all(plain)
    };
    let commit = commit.filter(|commit| name(commit)).ok_or_else(|| answer("x-repo-commit"))?;
    let etag = match header(headers, "x-linked-etag").or(header(headers, "etag")) {
        Some(etag) => etag.trim_start_matches("W/").trim_matches('"').to_owned(),
        // The file of one commit stays what it is.
        None => format!("{UNNAMED}{}", hex(&Sha256::digest(format!("{commit} {url}")))),
    };
    if !name(&etag) {
        return Err(answer("etag"));
    }
    let size = header(headers, "x-linked-size").or(header(headers, "content-length"));
    let size = size.and_then(|size| size.parse().ok()).ok_or_else(|| answer("size"))?;
    Ok(Remote { commit, etag, size, at })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `https://host` of an address.
fn origin(endpoint: &str) -> &str {
    let host = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint[host..].find('/').map_or(endpoint.len(), |at| host + at);
    &endpoint[..end]
}

fn broken(url: &str, source: ureq::Error) -> Error {
    Error::Hub { url: url.to_owned(), source: source.into() }
}

fn size(url: &str, remote: &Remote, found: u64) -> Error {
    Error::HubSize { url: url.to_owned(), expected: remote.size, found }
}

/// The error of a status that is none of success.
fn refused(url: &str, answer: &Response<Body>) -> Failure {
    let (url, status) = (url.to_owned(), answer.status().as_u16());
    match status {
        401 | 403 => Failure::Final(Error::HubDenied { url, status }),
        404 => Failure::Final(Error::HubAbsent { url }),
        408 | 429 | 500.. => {
            let asked = header(answer.headers(), "retry-after");
            let asked = asked.and_then(|asked| retry_after(asked.trim(), SystemTime::now()));
            Failure::Busy(Error::HubStatus { url, status }, asked.unwrap_or_default())
        }
        _ => Failure::Final(Error::HubStatus { url, status }),
    }
}

impl super::Progress<'_> {
    /// The callback for one file's bytes.
    pub(super) fn of<'a>(
        file: &'a str,
        remote: &Remote,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> impl FnMut(u64) + 'a {
        let (total, named) = (remote.size, remote.has_digest() || is_hex(&remote.etag, 40));
        move |done| progress(Progress { file, done, total, named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let asked = |value| retry_after(value, now).map(|asked| asked.as_secs());
        assert_eq!(asked("7"), Some(7));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:00 GMT"), Some(23));
        assert_eq!(asked("Sunday, 06-Nov-94 08:50:00 GMT"), Some(23));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:00 GMT"), None);
        assert_eq!((asked("soon"), asked("-1"), asked("")), (None, None, None));
        assert_eq!(pause(0, Duration::ZERO), Duration::from_millis(250));
        assert_eq!(pause(9, Duration::from_secs(2)), Duration::from_secs(8));
        assert_eq!(pause(0, Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(pause(0, Duration::from_secs(u64::MAX)).as_secs(), limits::RETRY_AFTER);
    }

    #[test]
    fn a_proxy_is_gone_around_for_the_hosts_that_are_named() {
        let mut options = Options::new("cache");
        options.proxy = Some("http://me:p%40ss@proxy:3128".to_owned());
        options.no_proxy = "localhost, .example.com,10.0.0.1".to_owned();
        let proxy = proxy(&options).unwrap().unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy", 3128));
        assert_eq!((proxy.username(), proxy.password()), (Some("me"), Some("p@ss")));
        for (address, around) in [
            ("http://localhost/x", true),
            ("https://example.com/", true),
            ("https://hub.example.com/", true),
            ("http://10.0.0.1/", true),
            ("https://huggingface.co/", false),
            ("https://notexample.com/", false),
        ] {
            assert_eq!(proxy.is_no_proxy(&address.parse().unwrap()), around, "{address}");
        }
        options.no_proxy = "*".to_owned();
        let proxy = super::proxy(&options).unwrap().unwrap();
        assert!(proxy.is_no_proxy(&"https://huggingface.co/".parse().unwrap()));
    }
}
