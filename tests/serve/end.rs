//! The end of the server: signals, the drain time, and a restart.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::body::{image, long_chain, with};
use crate::client::{Response, connect, head};
use crate::default_signals;
use crate::server::{PHOTOS, Server};

const INT: u32 = 2;
const TERM: u32 = 15;

/// Starts a server whose signals have their default actions.
fn start(args: &[&str]) -> Server {
    default_signals::restore();
    Server::start(args)
}

#[test]
fn requests_in_work_are_answered_before_the_end() {
    for signal in [TERM, INT] {
        let server = start(&[]);
        let options =
            json!({ "mode": "best", "chain_candidates": 20, "max_flavors": 2, "min_flavors": 2 });
        let body = with(image(PHOTOS[1]), options);
        let mut waiting = server.begin("/v1/prompt", &body, "application/json");
        let events = server.events("/v1/prompt", &body);
        server.wait_for_work(2, Duration::from_secs(5));
        server.signal(signal);
        server.wait_for_line(&["ending: no more requests are accepted"]);
        let refused = TcpStream::connect(server.addr).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let found = Response::read(&mut waiting).unwrap().json();
        assert!(found["results"][0]["prompt"].is_string());
        let names: Vec<_> =
            events.map(|(name, _)| name).filter(|name| name != "progress").collect();
        assert_eq!(names, ["result", "done"]);
        let (code, log) = server.wait(Duration::from_secs(5));
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn open_requests_are_cut_off_after_the_drain_time() {
    let server = start(&["--drain", "1s"]);
    let events = server.begin_chain();
    let mut waiting = server.begin("/v1/prompt", &long_chain(&PHOTOS[..2]), "application/json");
    server.wait_for_work(3, Duration::from_secs(5));
    let begin = Instant::now();
    server.signal(TERM);
    Response::read(&mut waiting).unwrap().problem(503);
    let events: Vec<_> = events.filter(|(name, _)| name != "progress").collect();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].0.as_str(), &events[0].1["status"]), ("error", &json!(503)));
    let (code, log) = server.wait(Duration::from_secs(5));
    let time = begin.elapsed();
    assert_eq!(code, Some(1), "{log}");
    assert!(time >= Duration::from_secs(1) && time < Duration::from_millis(3500), "{time:?}");
    assert!(log.contains("the drain time has passed"), "{log}");
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for (second, code) in [(TERM, 143), (INT, 130)] {
        let server = start(&[]);
        let _events = server.begin_chain();
        server.signal(TERM);
        server.wait_for_line(&["ending: no more requests are accepted"]);
        let begin = Instant::now();
        server.signal(second);
        let (found, log) = server.wait(Duration::from_secs(2));
        assert_eq!(found, Some(code), "{log}");
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let server = start(&["--drain", "20s"]);
    let mut idle = BufReader::new(connect(server.addr));
    let request = head("GET /health", server.addr, &[]);
    idle.get_mut().write_all(request.as_bytes()).unwrap();
    Response::read(&mut idle).unwrap().json();
    let silent = connect(server.addr);
    server.signal(TERM);
    let (code, log) = server.wait(Duration::from_secs(5));
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    drop(silent);
}

#[test]
fn incomplete_requests_do_not_delay_the_end_beyond_the_drain_time() {
    let server = start(&["--drain", "1s"]);
    let mut in_head = connect(server.addr);
    in_head.write_all(b"GET /health HTTP/1.1\r\nhost: loc").unwrap();
    let mut in_body = connect(server.addr);
    let request = head("POST /v1/embed", server.addr, &[("content-length", "1000")]);
    in_body.write_all(format!("{request}{{\"image\"").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    server.signal(TERM);
    server.wait(Duration::from_secs(5));
    assert!(begin.elapsed() < Duration::from_millis(3500), "{:?}", begin.elapsed());
}

#[test]
fn a_connection_that_stays_open_gets_no_new_work_while_ending() {
    let server = start(&[]);
    let events = server.begin_chain();
    let mut waiting = connect(server.addr);
    let body = image(PHOTOS[1]).to_string();
    let length = body.len().to_string();
    let request = head("POST /v1/embed", server.addr, &[("content-length", length.as_str())]);
    waiting.write_all(request.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.signal(TERM);
    server.wait_for_line(&["ending: no more requests are accepted"]);
    waiting.write_all(body.as_bytes()).unwrap();
    let refused = Response::read(&mut BufReader::new(waiting)).unwrap();
    refused.problem(503);
    drop(events);
    let (code, log) = server.wait(Duration::from_secs(8));
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_killed_server_restarts_on_its_port_at_once() {
    let server = start(&[]);
    let addr = server.addr.to_string();
    let _events = server.begin_chain();
    let open = connect(server.addr);
    drop(server); // SIGKILL
    let server = Server::start_with(&addr, &[], &[]);
    server.post("/v1/embed", &image(PHOTOS[1])).expect(200);
    let _ = open.shutdown(Shutdown::Both);
}
