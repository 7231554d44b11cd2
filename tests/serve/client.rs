//! A small HTTP/1.1 client over a TCP connection, because some tests send what a proper client
//! does not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest time for an answer in any test.
const TIME: Duration = Duration::from_secs(60);

/// Opens a connection whose reads fail after [`TIME`].
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(TIME)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Returns the head of a request. `Host` is `host` unless `headers` has one.
pub(crate) fn head(line: &str, host: SocketAddr, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: {host}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

/// Sends a request with a body.
pub(crate) fn send(
    addr: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> BufReader<TcpStream> {
    let length = body.len().to_string();
    let own = [("content-length", length.as_str()), ("connection", "close")];
    let mut stream = connect(addr);
    let head = head(line, addr, &[headers, &own].concat());
    // The server may answer before it has read the body.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    BufReader::new(stream)
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads a response.
    ///
    /// # Errors
    /// Those of the connection, and of one that closes before the end.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        let mut response = Self::read_head(stream)?;
        let mut body = Vec::new();
        if response.header("transfer-encoding") == Some("chunked") {
            Chunked::new(stream).read_to_end(&mut body)?;
        } else if let Some(length) = response.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            stream.read_exact(&mut body)?;
        }
        response.body = body;
        Ok(response)
    }

    /// Reads the head of a response.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Self> {
        let first = line(stream)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let mut headers = Vec::new();
        loop {
            let line = line(stream)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Response { status, headers, body: Vec::new() })
    }

    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Checks the status; panics with the body if it is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()));
        self
    }

    /// Returns the JSON of a response with status 200.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let response = self.expect(200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Returns the problem of a response with this status.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> Value {
        let response = self.expect(status);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        for (text, needed) in [(&problem["detail"], true), (&problem["hint"], false)] {
            let is_line = |text: &str| !text.is_empty() && !text.contains(char::is_control);
            assert!(text.as_str().map_or(!needed, is_line), "{problem}");
        }
        problem
    }
}

/// Reads a line without its end.
fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A body in chunks.
struct Chunked<R> {
    stream: R,
    left: usize,
    ended: bool,
}

impl<R: BufRead> Chunked<R> {
    fn new(stream: R) -> Self {
        Chunked { stream, left: 0, ended: false }
    }
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.left = usize::from_str_radix(&line(&mut self.stream)?, 16).unwrap();
            self.ended = self.left == 0;
            if self.ended {
                line(&mut self.stream)?;
            }
        }
        if self.ended {
            return Ok(0);
        }
        let count = buffer.len().min(self.left);
        let read = self.stream.read(&mut buffer[..count])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        if self.left == 0 {
            line(&mut self.stream)?;
        }
        Ok(read)
    }
}

/// The server-sent events of a response. The connection closes when this is dropped.
pub(crate) struct Events(BufReader<Chunked<BufReader<TcpStream>>>);

impl Events {
    /// Reads the head of a response with events.
    #[track_caller]
    pub(crate) fn read(mut stream: BufReader<TcpStream>) -> Self {
        let head = Response::read_head(&mut stream).unwrap().expect(200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        Events(BufReader::new(Chunked::new(stream)))
    }
}

impl Iterator for Events {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let (mut name, mut data) = (String::new(), Value::Null);
        loop {
            let line = line(&mut self.0).ok()?;
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
                None if line.is_empty() && !name.is_empty() => return Some((name, data)),
                _ => {} // a comment
            }
        }
    }
}
