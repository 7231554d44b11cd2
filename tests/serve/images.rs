//! Images that cannot be read, and names of any characters.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::body::{Form, base64, fixture, image};
#[path = "../hostile/image_files.rs"]
#[allow(dead_code, reason = "the tests of the library use more of it")]
mod image_files;
use crate::server::{PHOTOS, Server};

#[test]
fn invalid_images_are_refused() {
    let server = Server::shared();
    let photo = fixture(PHOTOS[1]);
    let text = base64(&photo);
    let bomb = base64(image_files::png(65_535, 65_535, 8, 2));
    for (image, expected) in [
        ("", ""),
        ("QQ==", ""),
        ("Q", "not base64"),
        ("QQ==QQ==", "not base64"),
        ("é", "not base64"),
        (&text[..text.len() - 7], ""),
        (&base64(&photo[..photo.len() / 2]), ""),
        (&base64("<svg xmlns='http://www.w3.org/2000/svg'/>"), ""),
        ("data:image/png,QQ", ""),
        ("data:", ""),
        (&bomb, "expected at most"),
        (&base64(image_files::jpeg(65_535, 65_535)), "expected at most"),
        (&base64(image_files::gif(65_535, 65_535, &[(0, 0, 65_535, 65_535)])), "expected at most"),
        ("photos/cat.jpg", "not base64"),
    ] {
        for route in ["/v1/prompt", "/interrogator/prompt"] {
            let found = server.post(route, &json!({ "image": image }));
            // The web UI's word for an empty text.
            let status = if image.is_empty() && route != "/v1/prompt" { 404 } else { 422 };
            let short: String = image.chars().take(30).collect();
            assert_eq!(found.status, status, "{route} {short}: {}", found.text());
            let problem = found.problem(status);
            assert!(problem["detail"].as_str().unwrap().contains(expected), "{short}: {problem}");
        }
    }
}

#[test]
fn addresses_are_not_fetched() {
    let server = Server::shared();
    let site = TcpListener::bind("127.0.0.1:0").unwrap();
    site.set_nonblocking(true).unwrap();
    let address = format!("http://{}/cat.jpg", site.local_addr().unwrap());
    let file = format!("file://{}", server.folder.path(PHOTOS[1]).display());
    for image in [&address, &file] {
        for route in
            ["/v1/prompt", "/interrogator/prompt", "/sdapi/v1/interrogate", "/sdapi/v1/openclip"]
        {
            let problem = server.post(route, &json!({ "image": image })).problem(422);
            assert!(problem["hint"].as_str().unwrap().contains("addresses are not fetched"));
        }
    }
    assert_eq!(site.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn any_name_of_an_image_is_returned_as_it_is() {
    let server = Server::shared();
    let data = &image(PHOTOS[1])["image"];
    let names = [
        "a\"b'.jpg",
        "new\nline\r.jpg",
        "\u{1b}[31m\u{7}\u{0}.jpg",
        "<img src=x>",
        "\u{202e}gpj.é",
        "../../etc/passwd",
        "C:\\cat.jpg",
        " ",
        "",
    ];
    for name in names {
        let body = json!({ "image": { "name": name, "data": data } });
        let line = server.post_as("/v1/rank", &body, "application/x-ndjson").expect(200);
        assert_eq!(line.text().lines().count(), 1, "{name:?}");
        assert_eq!(serde_json::from_str::<Value>(line.text()).unwrap()["image"], name);
        let events: Vec<_> = server.events("/v1/rank", &body).collect();
        assert_eq!((events.len(), &events[0].1["image"]), (2, &name.into()));
        // The problem of a broken image is one line.
        server.post("/v1/rank", &json!({ "image": { "name": name, "data": "QQ==" } })).problem(422);
    }
    for (name, expected) in
        [("photos/cat.jpg", "photos/cat.jpg"), ("a\\\"b.jpg", "a\"b.jpg"), ("é.jpg", "é.jpg")]
    {
        let (kind, form) = Form::new().file(name, &fixture(PHOTOS[1])).finish();
        let found = server.send("POST /v1/rank", &[("content-type", &kind)], &form).json();
        assert_eq!(found["results"][0]["image"], expected);
    }
}
