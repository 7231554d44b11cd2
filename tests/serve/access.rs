//! Who may use the server.

use crate::body::image;
use crate::server::{PHOTOS, Server};

const KEY: &str = "correct horse";

#[test]
fn every_route_but_the_page_needs_the_key() {
    let server = Server::start(&["--api-key", KEY, "--allow-origin", "https://a.example"]);
    let body = image(PHOTOS[1]).to_string();
    let send = |headers: &[(&str, &str)]| server.send("POST /v1/rank", headers, body.as_bytes());
    let bearer = format!("Bearer {KEY}");
    send(&[("authorization", &bearer)]).expect(200);
    send(&[("x-api-key", KEY)]).expect(200);
    for headers in [
        &[][..],
        &[("authorization", KEY)],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer correct horse battery")],
        &[("authorization", "Basic Y29ycmVjdCBob3JzZQ==")],
        &[("x-api-key", "correct hors")],
        &[("x-api-key", "")],
    ] {
        let response = send(headers);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        response.problem(401);
    }
    for path in ["/", "/health", "/ready", "/page/app.js"] {
        server.get(path).expect(200);
    }
    for path in ["/v1/info", "/metrics", "/openapi.json", "/interrogator/models", "/nothing"] {
        server.get(path).problem(401);
    }
    assert!(server.log().contains("every request needs the API key"));
    assert!(!server.log().contains("correct horse"));
    // A key admits every host name, because the page of another site does not have it.
    server
        .send("POST /v1/rank", &[("host", "b.example"), ("x-api-key", KEY)], body.as_bytes())
        .expect(200);

    // A browser asks without the key whether a page of another origin may send one.
    let preflight = |origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        server.send("OPTIONS /v1/rank", &headers, b"")
    };
    let allowed = preflight("https://a.example").expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://a.example"));
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("POST"));
    assert_eq!(preflight("https://b.example").header("access-control-allow-origin"), None);
    let keyed = [("origin", "https://a.example"), ("x-api-key", KEY)];
    let found = send(&keyed).expect(200);
    assert_eq!(found.header("access-control-allow-origin"), Some("https://a.example"));
    // A page of an allowed origin can read why it was refused.
    let refused = send(&keyed[..1]);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://a.example"));
    refused.problem(401);
}

#[test]
fn other_hosts_and_origins_are_refused() {
    let server = Server::shared();
    let body = image(PHOTOS[1]).to_string();
    let own = format!("http://{}", server.addr);
    let send =
        |line: &str, name: &str, value: &str| server.send(line, &[(name, value)], body.as_bytes());
    for host in ["localhost", "127.0.0.1:1", "[::1]:7861"] {
        send("POST /v1/rank", "host", host).expect(200);
    }
    // DNS rebinding: a name of another site that points at this machine.
    for host in ["evil.example", "evil.example:7861", "localhost.evil.example", ""] {
        for line in ["POST /v1/rank", "GET /", "GET /v1/info", "GET /health"] {
            send(line, "host", host).problem(403);
        }
    }
    send("POST /v1/rank", "origin", &own).expect(200);
    for origin in ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"] {
        let refused = send("POST /v1/rank", "origin", origin);
        assert_eq!(refused.header("access-control-allow-origin"), None);
        refused.problem(403);
    }
}

#[test]
fn an_open_address_without_a_key_is_refused_at_the_start() {
    let folder = crate::server::folder();
    let run =
        |args: &[&str]| folder.run(&[&["serve"], args].concat()).expect(2).stderr().to_owned();
    let error = run(&["--addr", "0.0.0.0:0"]);
    assert!(error.contains("0.0.0.0:0: other machines can reach this address"), "{error}");
    assert!(error.contains("hint: pass --api-key-file FILE, or --insecure"), "{error}");
    assert!(run(&["--api-key", "short"]).contains("expected at least 8 bytes"));
    folder.write("empty-key", "\n");
    assert!(run(&["--api-key-file", "empty-key"]).contains("expected at least 8 bytes"));
    assert!(run(&["--api-key-file", "no-such-key"]).contains("no-such-key"));
    assert!(run(&["--allow-origin", "*"]).contains("--allow-origin *: invalid origin"));
    let server = Server::shared();
    let error = run(&["--addr", &server.addr.to_string()]);
    assert!(error.contains("cannot listen on") && error.contains("hint: "), "{error}");
}

#[test]
fn the_key_is_the_first_line_of_a_file() {
    crate::server::folder().write("key", format!("  {KEY}\r\nanother line\n"));
    let server = Server::start_with("0.0.0.0:0", &["--api-key-file", "key"], &[]);
    server.send("GET /v1/info", &[("x-api-key", KEY)], b"").expect(200);
    server.send("GET /v1/info", &[("x-api-key", "another line")], b"").problem(401);
}
