//! The log: a line for each request, without what is in it.

use serde_json::{Value, json};

use crate::body::{image, images, with};
use crate::client::Response;
use crate::server::{PHOTOS, Server};

/// Sends a request with secrets in every text, and two that fail. Returns their ids.
fn requests(server: &Server) -> Vec<String> {
    let secrets =
        json!({ "caption": "secret caption", "prefix": "secret prefix", "separator": " secret, " });
    let mut body = images(&PHOTOS[1..2]);
    body["images"][0]["name"] = "secret name.jpg".into();
    let id = |response: &Response| response.header("x-request-id").unwrap().to_owned();
    vec![
        id(&server.post("/v1/prompt", &with(body, secrets)).expect(200)),
        id(&server
            .post("/v1/prompt?secret=query", &json!({ "image": "secret image" }))
            .expect(422)),
        id(&server.get("/secret/path").expect(404)),
    ]
}

#[test]
fn a_request_is_one_line_without_its_content() {
    let server = Server::start(&[]);
    let ids = requests(&server);
    let parts =
        [("/v1/prompt", "status=200"), ("/v1/prompt", "status=422"), ("none", "status=404")];
    for (id, (route, status)) in ids.iter().zip(parts) {
        assert!(id.len() >= 16, "{id}");
        let line = server.wait_for_line(&[id, route, status]);
        assert!(line.contains("method=") && line.contains("ms="), "{line}");
        assert_eq!(server.log().matches(id.as_str()).count(), 1);
    }
    let log = server.log();
    for secret in ["secret", "cat", "espresso"] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(!log.contains('\u{1b}'), "no colors in a file");
    drop(log);
    assert!(!server.get("/metrics").expect(200).text().contains("secret"));
}

#[test]
fn prompts_are_logged_if_asked_for() {
    let server = Server::start(&["--log-prompts"]);
    requests(&server);
    let line = server.wait_for_line(&["secret prefix", "secret caption"]);
    assert!(line.contains("a photo of a cat"), "{line}");
    let name = "line\nbreak\u{1b}[31m.jpg";
    let body = json!({ "image": { "name": name, "data": image(PHOTOS[1])["image"] } });
    server.post("/v1/rank", &body).expect(200);
    server.wait_for_line(&["break"]);
    assert!(!server.log().contains('\u{1b}') && !server.log().contains("\nbreak"));
}

#[test]
fn lines_are_json_if_asked_for() {
    let server = Server::start(&["--log-format", "json", "--log-prompts"]);
    let ids = requests(&server);
    server.wait_for_line(&[&ids[2]]);
    let log = server.log();
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_id = |id: &String| lines.iter().find(|line| line["id"] == id.as_str()).unwrap();
    for (id, status) in ids.iter().zip([200, 422, 404]) {
        let line = of_id(id);
        assert_eq!((&line["level"], &line["status"]), (&"INFO".into(), &status.into()));
        assert!(line["ms"].is_u64() && line["route"].is_string() && line["timestamp"].is_string());
    }
    assert!(
        lines.iter().any(|line| line["row"].as_str().is_some_and(|row| row.contains("secret")))
    );
    // Everything after the start is JSON.
    let start = log.find("listening on").unwrap();
    assert!(log[start..].lines().skip(1).all(|line| line.starts_with('{')), "{log}");
}

#[test]
fn the_id_of_a_request_is_kept_or_made() {
    let server = Server::start(&[]);
    let id = |given: &[(&str, &str)]| {
        let found = server.send("GET /health", given, b"").expect(200);
        found.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(id(&[("x-request-id", "mine-1")]), "mine-1");
    assert_eq!(id(&[("x-request-id", &"x".repeat(129))]).len(), 36);
    assert_ne!(id(&[]), id(&[]));
    server.wait_for_line(&["mine-1", "/health", "status=200"]);
    // An id cannot forge a line.
    let forged = "x status=200 \u{a0} route=\"/v1/rank\"";
    server.send("GET /health", &[("x-request-id", forged)], b"").expect(200);
    assert!(!server.log().contains("route=\"/v1/rank\""), "{}", server.log());
}
