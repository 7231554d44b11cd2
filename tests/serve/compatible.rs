//! The routes of clip-interrogator-ext, the Stable Diffusion web UI and SD.Next.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Map, Value, json};

use crate::body::{image, with};
use crate::rows::program;
use crate::server::{PHOTOS, Server};

/// The rows of the program, by photo.
fn rows(server: &Server, command: &str, args: &[&str]) -> Vec<Value> {
    let lines = program(&server.folder, command, args);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The labels of a table as an object, in order.
fn labels(matches: &Value) -> Map<String, Value> {
    let matches = matches.as_array().unwrap().iter();
    matches.map(|it| (it["label"].as_str().unwrap().to_owned(), it["score"].clone())).collect()
}

/// The names of the fields of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn models_are_listed() {
    let server = Server::shared();
    for route in ["/interrogator/models", "/sdapi/v1/openclip"] {
        assert_eq!(server.get(route).json(), json!(["starter"]), "{route}");
    }
}

#[test]
fn interrogator_writes_the_prompts_of_the_program() {
    let server = Server::shared();
    // Without a mode: fast. clip-interrogator-ext has the names of its models in lists.
    for (args, options) in [
        (&["--mode", "fast"][..], json!({})),
        (&["--mode", "classic"], json!({ "mode": "classic", "clip_model_name": "starter" })),
    ] {
        for (row, name) in rows(&server, "prompt", args).iter().zip(PHOTOS) {
            let found = server.post("/interrogator/prompt", &with(image(name), options.clone()));
            assert_eq!(found.json(), json!({ "prompt": row["prompt"] }));
        }
    }
}

#[test]
fn interrogator_analyzes_five_tables() {
    let server = Server::shared();
    for (row, name) in rows(&server, "analyze", &[]).iter().zip(PHOTOS) {
        let body = with(image(name), json!({ "clip_model_name": "starter" }));
        let found = server.post("/interrogator/analyze", &body).expect(200);
        let tables = &row["tables"];
        let expected = json!({
            "medium": labels(&tables["mediums"]),
            "artist": {},
            "movement": labels(&tables["movements"]),
            "trending": {},
            "flavor": labels(&tables["flavors"]),
        });
        assert_eq!(serde_json::from_slice::<Value>(&found.body).unwrap(), expected);
        // Best first, also for clients that keep the order of the text.
        let best = tables["flavors"].as_array().unwrap().iter();
        let places = best.map(|it| found.text().find(&it["label"].to_string()).unwrap());
        assert!(places.is_sorted());
    }
}

#[test]
fn web_ui_writes_the_prompts_of_the_program() {
    let server = Server::shared();
    for (row, name) in rows(&server, "prompt", &[]).iter().zip(PHOTOS) {
        let url = format!("data:image/jpeg;base64,{}", image(name)["image"].as_str().unwrap());
        let found = server.post("/sdapi/v1/interrogate", &json!({ "image": url, "model": "clip" }));
        assert_eq!(found.json(), json!({ "caption": row["prompt"] }));
    }
}

#[test]
fn web_ui_has_its_own_words_for_what_is_not_found() {
    let server = Server::shared();
    let detail =
        |body: Value| server.post("/sdapi/v1/interrogate", &body).problem(404)["detail"].clone();
    assert_eq!(detail(json!({})), "Image not found");
    assert_eq!(detail(json!({ "image": "", "model": "clip" })), "Image not found");
    assert_eq!(
        detail(with(image(PHOTOS[1]), json!({ "model": "deepdanbooru" }))),
        "Model not found"
    );
}

#[test]
fn sdnext_gets_a_prompt_and_the_best_labels() {
    let server = Server::shared();
    let small =
        ["--mode", "best", "--chain-candidates", "4", "--max-flavors", "2", "--min-flavors", "1"];
    let prompts = rows(&server, "prompt", &small);
    let tables = rows(&server, "analyze", &["-k", "1"]);
    let options = json!({
        "flavor_count": 4, "max_flavors": 2, "min_flavors": 1, "model": "", "clip_model": "starter",
        "chunk_size": 1024, "num_beams": 1, "max_length": 32,
    });
    for ((prompt, tables), name) in prompts.iter().zip(&tables).zip(PHOTOS) {
        let body = with(image(name), options.clone());
        let plain = server.post("/sdapi/v1/openclip", &body).json();
        let analyzed = with(body, json!({ "analyze": true }));
        let analyzed = server.post("/sdapi/v1/openclip", &analyzed).json();
        let all = ["artist", "caption", "flavor", "medium", "movement", "trending"];
        assert_eq!(keys(&analyzed), all);
        assert_eq!(
            (&plain["caption"], &analyzed["caption"]),
            (&prompt["prompt"], &prompt["prompt"])
        );
        let best = |table: &str| tables["tables"][table][0]["label"].clone();
        for (field, label) in [
            ("medium", best("mediums")),
            ("movement", best("movements")),
            ("flavor", best("flavors")),
            ("artist", Value::Null),
            ("trending", Value::Null),
        ] {
            assert_eq!((&analyzed[field], &plain[field]), (&label, &Value::Null), "{field}");
        }
    }
}

#[test]
fn a_model_that_the_server_does_not_have_is_not_downloaded() {
    let hub = TcpListener::bind("127.0.0.1:0").unwrap();
    hub.set_nonblocking(true).unwrap();
    let address = format!("http://{}", hub.local_addr().unwrap());
    let server = Server::start_with("127.0.0.1:0", &[], &[("HF_ENDPOINT", &address)]);
    let names =
        ["ViT-L-14/openai", "openai/clip-vit-base-patch32", "../starter", "/etc/passwd", "Starter"];
    for name in names {
        for (route, field) in [
            ("/interrogator/prompt", "clip_model_name"),
            ("/interrogator/analyze", "clip_model_name"),
            ("/sdapi/v1/interrogate", "model"),
            ("/sdapi/v1/openclip", "model"),
            ("/sdapi/v1/openclip", "clip_model"),
        ] {
            let mut body = image(PHOTOS[1]);
            body[field] = name.into();
            let problem = server.post(route, &body).problem(404);
            assert_eq!(problem["detail"], "Model not found", "{route} {name}");
        }
    }
    assert_eq!(hub.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_body_without_a_content_type_is_json() {
    let server = Server::shared();
    let body = image(PHOTOS[1]).to_string();
    for route in ["/interrogator/prompt", "/sdapi/v1/interrogate"] {
        server.send(&format!("POST {route}"), &[], body.as_bytes()).expect(200);
    }
}
