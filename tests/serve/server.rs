//! Starts the server, and sends requests to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::body::long_chain;
use crate::client::{self, Events, Response};
use crate::run::{Folder, repository};

/// The photos of the working folder, as the program names them.
pub(crate) const PHOTOS: [&str; 4] =
    ["photos/astronaut.jpg", "photos/cat.jpg", "photos/coffee.jpg", "photos/rocket.jpg"];

/// The values that `weak` shares while anyone has them, or a new one.
pub(crate) fn shared<T>(weak: &Mutex<Weak<T>>, create: impl FnOnce() -> T) -> Arc<T> {
    // Ignore lock poisoning: a failed start leaves nothing behind.
    let mut weak = weak.lock().unwrap_or_else(PoisonError::into_inner);
    weak.upgrade().unwrap_or_else(|| {
        let value = Arc::new(create());
        *weak = Arc::downgrade(&value);
        value
    })
}

/// Returns a working folder with four photos and an index. A chain over its 103 flavors takes
/// more than ten seconds.
pub(crate) fn folder() -> Arc<Folder> {
    static FOLDER: Mutex<Weak<Folder>> = Mutex::new(Weak::new());
    shared(&FOLDER, || {
        let folder = Folder::new();
        let photo = repository().join("tests/fixtures").join(PHOTOS[0]);
        folder.write(PHOTOS[0], fs::read(photo).unwrap());
        let mut flavors = "cat photo\nespresso in a cup\nmissile launch\n".to_owned();
        for adjective in ["red", "small", "old", "dark", "soft"] {
            for noun in NOUNS {
                flavors += &format!("{adjective} {noun}\n");
            }
        }
        folder.write("dicts/flavors.txt", flavors);
        folder.run(&["rank", PHOTOS[1]]).expect(0);
        folder
    })
}

const NOUNS: [&str; 20] = [
    "cat", "cup", "rocket", "spoon", "tree", "house", "road", "river", "cloud", "lamp", "boat",
    "horse", "hat", "window", "garden", "bridge", "tower", "field", "door", "stone",
];

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    pub(crate) folder: Arc<Folder>,
}

impl Server {
    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with("127.0.0.1:0", args, &[])
    }

    /// Starts a server on `addr`, with environment variables.
    pub(crate) fn start_with(addr: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = folder();
        let mut command = folder.command(&[&["serve", "--addr", addr], args].concat());
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        let mut addr: SocketAddr = loop {
            let start = text.len();
            let read = stderr.read_line(&mut text).unwrap();
            assert!(read > 0, "the server ended: {text}");
            if let Some(addr) = text[start..].trim_end().strip_prefix("listening on http://") {
                break addr.parse().unwrap();
            }
        };
        if addr.ip().is_unspecified() {
            addr.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let log = Arc::new(Mutex::new(text));
        let reader = Some(follow(stderr, log.clone()));
        Server { child, addr, log, reader, folder }
    }

    /// Returns a server without options, which tests share.
    pub(crate) fn shared() -> Arc<Self> {
        static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        shared(&SERVER, || Server::start(&[]))
    }

    /// Sends a request and returns its response.
    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        Response::read(&mut client::send(self.addr, line, headers, body)).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&format!("GET {path}"), &[], b"")
    }

    /// Sends JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.post_as(path, body, "*/*")
    }

    /// Sends JSON, and accepts a form of response.
    pub(crate) fn post_as(&self, path: &str, body: &Value, accept: &str) -> Response {
        Response::read(&mut self.begin(path, body, accept)).unwrap()
    }

    /// Sends JSON and returns the connection, on which the response comes.
    pub(crate) fn begin(&self, path: &str, body: &Value, accept: &str) -> BufReader<TcpStream> {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        client::send(self.addr, &format!("POST {path}"), &headers, body.to_string().as_bytes())
    }

    /// Sends JSON and returns the events of the response.
    #[track_caller]
    pub(crate) fn events(&self, path: &str, body: &Value) -> Events {
        Events::read(self.begin(path, body, "text/event-stream"))
    }

    /// Begins a chain that takes more than ten seconds an image, and waits for its first step.
    #[track_caller]
    pub(crate) fn begin_chain(&self) -> Events {
        let mut events = self.events("/v1/prompt", &long_chain(&PHOTOS[1..2]));
        assert_eq!(events.next().unwrap().0, "progress");
        events
    }

    /// Returns a value of /metrics, 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").expect(200);
        let line =
            metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap()) as u64
    }

    /// Waits until the value `name` of /metrics is `count`, at most `time`.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, count: u64, time: Duration) {
        let start = Instant::now();
        while self.metric(name) != count {
            assert!(start.elapsed() < time, "{}", self.get("/metrics").text());
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the server has `count` images in work, at most `time`.
    #[track_caller]
    pub(crate) fn wait_for_work(&self, count: u64, time: Duration) {
        self.wait_for("interrogate_images_in_work", count, time);
    }

    /// Returns what the server has written to stderr.
    pub(crate) fn log(&self) -> MutexGuard<'_, String> {
        self.log.lock().unwrap()
    }

    /// Waits for a line of the log that has all of `parts`.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, parts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            let found = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some(line) = found {
                return line.to_owned();
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{parts:?}: {log}");
            drop(log);
            sleep(Duration::from_millis(10));
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: u32) {
        let args = [format!("-{signal}"), self.child.id().to_string()];
        assert!(std::process::Command::new("kill").args(args).status().unwrap().success());
    }

    /// Waits for the end of the server. Returns its exit code, none after a signal that it does
    /// not handle, and its log.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn wait(mut self, time: Duration) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < time, "the server has not ended: {}", self.log());
            sleep(Duration::from_millis(10));
        };
        self.reader.take().unwrap().join().unwrap();
        let log = self.log().clone();
        (status.code(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // fails if it has ended
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join(); // a panic is reported already
        }
    }
}

/// Appends the lines of `stderr` to `log`.
fn follow(mut stderr: BufReader<ChildStderr>, log: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut line = String::new();
        while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
            log.lock().unwrap().push_str(&line);
            line.clear();
        }
    })
}
