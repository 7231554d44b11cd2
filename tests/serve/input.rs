//! Invalid requests: each is refused with a problem that says what is wrong.

use serde_json::{Value, json};

use crate::body::{Form, fixture, image, with};
use crate::server::{PHOTOS, Server};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn routes_methods_and_content_types_are_checked() {
    let server = Server::shared();
    for path in [
        "/v1",
        "/v1/prompts",
        "/v1/prompt/",
        "//",
        "/page/../mod.rs",
        "/page/%2e%2e%2fmod.rs",
        "/é%00",
    ] {
        server.get(path).problem(404);
    }
    for path in ["/v1/prompt", "/sdapi/v1/interrogate"] {
        let response = server.get(path);
        assert_eq!(response.header("allow"), Some("POST"));
        response.problem(405);
    }
    server.send("DELETE /v1/info", &[], b"").problem(405);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        server.send("POST /v1/embed", &[("content-type", kind)], b"{}").problem(415);
        server.send("POST /sdapi/v1/interrogate", &[("content-type", kind)], b"{}").problem(415);
    }
    let body = image(PHOTOS[1]).to_string();
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        server.send("POST /v1/embed", &[("content-type", kind)], body.as_bytes()).expect(200);
    }
}

#[test]
fn invalid_json_is_refused() {
    let server = Server::shared();
    let send =
        |route: &str, body: &str| server.send(&format!("POST {route}"), &[JSON], body.as_bytes());
    for body in ["", "{", "nonsense", "{\"image\": \"QQ", "{\"image\": \"\\ud800\"}", "\u{feff}{}"]
    {
        send("/v1/embed", body).problem(400);
        send("/interrogator/prompt", body).problem(400);
    }
    server.send("POST /v1/embed", &[JSON], b"{\"image\": \"\xff\"}").problem(400);
    for body in [
        "{}",
        "[]",
        "null",
        "1",
        r#"{"images": []}"#,
        r#"{"image": null}"#,
        r#"{"image": 1}"#,
        r#"{"image": ["QQ=="]}"#,
        r#"{"image": {}}"#,
        r#"{"image": {"name": "a"}}"#,
        r#"{"image": {"data": "QQ==", "url": "b"}}"#,
        r#"{"image": "QQ==", "image": "QQ=="}"#,
        r#"{"images": {"a": "QQ=="}}"#,
    ] {
        send("/v1/embed", body).problem(422);
    }
}

#[test]
fn deep_json_is_refused() {
    let server = Server::shared();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let objects = "{\"a\":".repeat(100_000);
    for body in [
        open.clone(),
        format!("{open}{close}"),
        objects.clone(),
        format!("{{\"images\": {open}{close}}}"),
        format!("{{\"image\": \"QQ==\", \"k\": {open}{close}}}"),
        format!("{{\"image\": \"QQ==\", \"table\": {open}{close}}}"),
        format!("{{\"image\": \"QQ==\", \"x\": {objects}"),
    ] {
        for route in ["/v1/rank", "/sdapi/v1/openclip", "/tagger/v1/interrogate"] {
            let found = server.send(&format!("POST {route}"), &[JSON], body.as_bytes());
            let status = found.status;
            assert!(matches!(status, 400 | 404 | 422), "{route} {status}: {}", &body[..30]);
            found.problem(status);
        }
    }
}

#[test]
fn unknown_options_are_named() {
    let server = Server::shared();
    for (route, option, hint) in [
        ("/v1/prompt", "max_flavor", "did you mean max_flavors?"),
        ("/v1/rank", "tabel", "did you mean table?"),
        ("/v1/analyze", "table", "did you mean tables?"),
        ("/v1/embed", "mode", "/openapi.json describes each request"),
    ] {
        let mut body = image(PHOTOS[1]);
        body[option] = 1.into();
        let by_json = server.post(route, &body).problem(422);
        let form = Form::new().file("a", &fixture(PHOTOS[1])).text(option, "1");
        let (kind, form) = form.finish();
        let by_form = server.send(&format!("POST {route}"), &[("content-type", &kind)], &form);
        for problem in [by_json, by_form.problem(422)] {
            assert!(problem["detail"].as_str().unwrap().contains(option), "{problem}");
            assert_eq!(problem["hint"], hint, "{problem}");
        }
    }
    let mode = with(image(PHOTOS[1]), json!({ "mode": "fats" }));
    assert_eq!(server.post("/v1/prompt", &mode).problem(422)["hint"], "did you mean fast?");
    let many = (0..100).map(|number| (format!("o{number}"), json!(0)));
    let many = with(image(PHOTOS[1]), Value::Object(many.collect()));
    server.post("/v1/embed", &many).problem(422);
}

#[test]
fn invalid_forms_are_refused() {
    let server = Server::shared();
    let photo = fixture(PHOTOS[1]);
    let (kind, whole) = Form::new().text("k", "2").file("cat.jpg", &photo).finish();
    let send =
        |kind: &str, body: &[u8]| server.send("POST /v1/rank", &[("content-type", kind)], body);
    send(&kind, &whole).expect(200);
    for length in [0, 10, 60, 100, 200, whole.len() / 2, whole.len() - 30] {
        send(&kind, &whole[..length]).problem(400);
    }
    send("multipart/form-data", &whole).problem(400);
    send("multipart/form-data; boundary=other", &whole).problem(400);
    let form = |form: Form| {
        let (kind, body) = form.finish();
        send(&kind, &body)
    };
    form(Form::new()).problem(422);
    form(Form::new().text("k", "2")).problem(422);
    form(Form::new().file("cat.jpg", &photo).text("k", "two")).problem(422);
    form(Form::new().file("cat.jpg", &photo).text("k", "2").text("k", "3")).problem(422);
    form(Form::new().file("cat.jpg", &photo).text("reverse", "perhaps")).problem(422);
    let (kind, body) = Form::new().file("cat.jpg", &photo).text("table", "!").finish();
    let body: Vec<u8> = body.iter().map(|&byte| if byte == b'!' { 0xff } else { byte }).collect();
    assert!(matches!(send(&kind, &body).status, 400 | 422));
}
