//! Connections, and what is not HTTP.

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;

use crate::body::image;
use crate::client::{Response, connect, head};
use crate::server::{PHOTOS, Server};

#[test]
fn broken_http_does_not_harm_the_server() {
    let server = Server::shared();
    let zeros = vec![0; 4096];
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    for request in [
        &b"nonsense\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/embed HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/embed HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/embed HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{",
        b"GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n\r\n",
        &zeros,
        long.as_bytes(),
    ] {
        let mut stream = connect(server.addr);
        let _ = stream.write_all(request); // the server may have closed the connection
        let _ = stream.shutdown(Shutdown::Write);
        if let Ok(response) = Response::read(&mut BufReader::new(stream)) {
            assert!((400..500).contains(&response.status), "{request:?}: {}", response.status);
        }
    }
    server.post("/v1/embed", &image(PHOTOS[1])).expect(200);
}

#[test]
fn a_connection_serves_several_requests() {
    let server = Server::shared();
    let mut stream = BufReader::new(connect(server.addr));
    let body = image(PHOTOS[1]).to_string();
    let length = body.len().to_string();
    let post = head("POST /v1/rank", server.addr, &[("content-length", length.as_str())]) + &body;
    let get = head("GET /health", server.addr, &[]);
    for _ in 0..2 {
        stream.get_mut().write_all(post.as_bytes()).unwrap();
        Response::read(&mut stream).unwrap().json();
    }
    // Without waiting for the responses, which come in order.
    stream.get_mut().write_all([get.as_str(), &post, &get].concat().as_bytes()).unwrap();
    assert!(Response::read(&mut stream).unwrap().json()["status"].is_string());
    assert!(Response::read(&mut stream).unwrap().json()["results"].is_array());
    assert!(Response::read(&mut stream).unwrap().json()["status"].is_string());
}

/// curl asks before it sends a long body.
#[test]
fn clients_may_ask_before_they_send_a_body() {
    let server = Server::shared();
    let body = image(PHOTOS[1]).to_string();
    let ask = |length: usize| {
        let mut stream = BufReader::new(connect(server.addr));
        let length = length.to_string();
        let headers = [("expect", "100-continue"), ("content-length", length.as_str())];
        let head = head("POST /v1/embed", server.addr, &headers);
        stream.get_mut().write_all(head.as_bytes()).unwrap();
        let first = Response::read(&mut stream).unwrap();
        (first, stream)
    };
    let (first, mut stream) = ask(body.len());
    assert_eq!(first.status, 100);
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    Response::read(&mut stream).unwrap().json();
    let (first, mut stream) = ask((20 << 20) + 1);
    first.problem(413);
    // The body is not awaited.
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
