//! Limits of a request and of the server: size, number, time and place in the queue.

use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::body::{Form, fixture, image, images, long_chain, with};
use crate::client::{Response, connect, head};
use crate::server::{PHOTOS, Server};

/// The longest body.
const BODY: usize = 20 << 20;

#[test]
fn full_queue_and_passed_deadline_are_refused() {
    let server = Server::start(&["--queue", "2", "--timeout", "2s"]);
    let start = Instant::now();
    let chains = long_chain(&PHOTOS[..2]);
    let mut waiting = server.begin("/v1/prompt", &chains, "application/json");
    server.wait_for_work(2, Duration::from_secs(2));
    for route in ["/v1/embed", "/sdapi/v1/interrogate"] {
        let response = server.post(route, &image(PHOTOS[0]));
        let seconds = response.header("retry-after").unwrap().parse::<u64>().unwrap();
        assert!((1..=60).contains(&seconds));
        response.problem(429);
    }
    // Requests without images are answered.
    server.get("/v1/info").json();
    let late = Response::read(&mut waiting).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(5));
    assert!(late.header("retry-after").is_some());
    late.problem(503);
    server.wait_for_work(0, Duration::from_secs(8));
    server.post("/v1/embed", &image(PHOTOS[0])).json();
    let problem = server.post("/v1/embed", &images(&PHOTOS[..3])).problem(422);
    assert_eq!(problem["detail"], "expected at most 2 images, found 3");

    let events: Vec<_> = server.events("/v1/prompt", &chains).collect();
    let (name, problem) = events.last().unwrap();
    assert_eq!((name.as_str(), &problem["status"]), ("error", &json!(503)));
    assert!(events.iter().all(|(name, _)| name != "done"));
    server.wait_for_work(0, Duration::from_secs(8));
}

#[test]
fn long_bodies_are_refused() {
    let server = Server::shared();
    let kind = ("content-type", "application/json");
    // By the length that is announced, before the body is sent.
    for length in [(BODY + 1).to_string(), u64::MAX.to_string()] {
        let mut stream = connect(server.addr);
        let headers = [kind, ("content-length", length.as_str())];
        let head = head("POST /v1/embed", server.addr, &headers);
        stream.write_all(head.as_bytes()).unwrap();
        let found = Response::read(&mut BufReader::new(stream)).unwrap();
        match length.len() {
            8 => assert!(found.problem(413)["hint"].as_str().unwrap().contains("fewer images")),
            _ => assert!((400..500).contains(&found.status)),
        }
    }
    // By the length that arrives.
    let mut stream = connect(server.addr);
    let headers = [kind, ("transfer-encoding", "chunked")];
    let head = head("POST /v1/embed", server.addr, &headers);
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..20 {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"1\r\n \r\n").unwrap();
    Response::read(&mut BufReader::new(stream)).unwrap().problem(413);
}

#[test]
fn a_body_of_the_longest_length_is_read() {
    let server = Server::shared();
    let mut body = image(PHOTOS[1]).to_string();
    body += &" ".repeat(BODY - body.len());
    server.send("POST /v1/embed", &[], body.as_bytes()).expect(200);
}

#[test]
fn more_than_64_images_are_refused() {
    let server = Server::shared();
    let photo = &image(PHOTOS[1])["image"];
    let body = json!({ "images": vec!["QQ=="; 65] });
    assert!(
        server.post("/v1/embed", &body).problem(422)["detail"].as_str().unwrap().contains("64")
    );
    let mut form = Form::new();
    for _ in 0..65 {
        form = form.file("a.jpg", b"A");
    }
    let (kind, form) = form.finish();
    let problem = server.send("POST /v1/embed", &[("content-type", &kind)], &form).problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("64"));
    // 64 are not, `image` included.
    let body = json!({ "image": photo, "images": vec!["QQ=="; 63] });
    let rows = server.post("/v1/embed", &body).json()["results"].clone();
    let failed = rows.as_array().unwrap().iter().filter(|row| row["error"].is_string());
    assert_eq!(failed.count(), 63);
    let body = json!({ "image": photo, "images": vec!["QQ=="; 64] });
    server.post("/v1/embed", &body).problem(422);
}

#[test]
fn numbers_and_texts_have_limits() {
    let server = Server::shared();
    for (route, options) in [
        ("/v1/rank", json!({ "k": 0 })),
        ("/v1/rank", json!({ "k": 1001 })),
        ("/v1/rank", json!({ "k": -1 })),
        ("/v1/rank", json!({ "k": 1e300 })),
        ("/v1/rank", json!({ "k": "3" })),
        ("/v1/rank", json!({ "table": [] })),
        ("/v1/rank", json!({ "table": "colors" })),
        ("/v1/rank", json!({ "table": vec!["flavors"; 65] })),
        ("/v1/analyze", json!({ "k": 0 })),
        ("/v1/analyze", json!({ "tables": ["colors"] })),
        ("/v1/prompt", json!({ "mode": "slow" })),
        ("/v1/prompt", json!({ "max_flavors": 1001 })),
        ("/v1/prompt", json!({ "min_flavors": 1001, "mode": "best" })),
        ("/v1/prompt", json!({ "chain_candidates": 0, "mode": "best" })),
        ("/v1/prompt", json!({ "max_tokens": 0 })),
        ("/v1/prompt", json!({ "prefix": "x".repeat(20_000) })),
        ("/v1/prompt", json!({ "caption": "x".repeat(20_000) })),
        ("/v1/prompt", json!({ "template": "{colors}" })),
        ("/v1/prompt", json!({ "template": "{" })),
        ("/v1/prompt", json!({ "tables": ["colors"] })),
        ("/v1/prompt", json!({ "without": ["colors"] })),
        ("/v1/prompt", json!({ "mode": "classic", "template": "{flavors}" })),
        ("/v1/prompt", json!({ "template": "{flavors}", "separator": ";" })),
        ("/v1/prompt", json!({ "template": "{flavors}", "tables": ["flavors"] })),
        ("/v1/prompt", json!({ "template": "{flavors}", "weights": true })),
        ("/interrogator/prompt", json!({ "mode": "slow" })),
        ("/sdapi/v1/openclip", json!({ "max_flavors": -1 })),
        ("/sdapi/v1/openclip", json!({ "flavor_count": 0 })),
        ("/sdapi/v1/openclip", json!({ "min_flavors": 100_000 })),
    ] {
        let problem = server.post(route, &with(image(PHOTOS[1]), options.clone()));
        assert!(problem.status == 422, "{route} {options}: {}", problem.text());
        problem.problem(422);
    }
    // A long prompt is not an error.
    let long = with(image(PHOTOS[1]), json!({ "prefix": "a cat ".repeat(1000) }));
    server.post("/v1/prompt", &long).expect(200);
}

#[test]
fn names_of_images_have_a_limit() {
    let server = Server::shared();
    let name = |length| {
        let data = image(PHOTOS[1])["image"].clone();
        server.post("/v1/embed", &json!({ "image": { "name": "é".repeat(length), "data": data } }))
    };
    name(2048).expect(200);
    name(2049).problem(422);
    let (kind, form) = Form::new().file(&"x".repeat(5000), &fixture(PHOTOS[1])).finish();
    server.send("POST /v1/embed", &[("content-type", &kind)], &form).problem(422);
}
