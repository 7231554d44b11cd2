//! Captions and tags of seeded checkpoints.

use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use crate::body::{fixture, image, images, with};
use crate::rows::program;
use crate::run::repository;
use crate::server::{PHOTOS, Server, shared};

/// The path of a checkpoint below the fixtures.
fn checkpoint(name: &str) -> String {
    repository().join("tests/fixtures").join(name).to_str().unwrap().to_owned()
}

/// A server with a caption model and a tagger.
fn server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    shared(&SERVER, || {
        let (captioner, tagger) = (checkpoint("caption/blip2-opt"), checkpoint("tagger/vit"));
        Server::start(&["--caption-model", &captioner, "--tagger", &tagger])
    })
}

/// The lines of `route` for all photos.
fn lines(server: &Server, route: &str, options: Value) -> String {
    let body = with(images(&PHOTOS), options);
    server.post_as(route, &body, "application/x-ndjson").expect(200).text().to_owned()
}

#[test]
fn captions_equal_those_of_the_program() {
    let server = server();
    let model = checkpoint("caption/blip2-opt");
    let expected = program(&server.folder, "caption", &["--caption-model", &model]);
    assert_eq!(lines(&server, "/v1/caption", json!({})), expected);
    let events = server.events("/v1/caption", &images(&PHOTOS));
    let rows = events.filter(|(name, _)| name == "result").map(|(_, row)| row);
    let mut rows: Vec<Value> = rows.collect();
    rows.sort_by_key(|row| row["image"].to_string());
    let expected = expected.lines().map(|line| serde_json::from_str(line).unwrap());
    assert_eq!(rows, expected.collect::<Vec<Value>>());
}

#[test]
fn prompts_begin_with_the_captions_of_the_program() {
    let server = server();
    let model = checkpoint("caption/blip2-opt");
    for (args, options) in [
        (&[][..], json!({})),
        (&["--mode", "caption"], json!({ "mode": "caption" })),
        (
            &["--mode", "classic", "--max-flavors", "1"],
            json!({ "mode": "classic", "max_flavors": 1 }),
        ),
    ] {
        let args = [&["--caption-model", model.as_str()], args].concat();
        let expected = program(&server.folder, "prompt", &args);
        assert_eq!(lines(&server, "/v1/prompt", options), expected, "{args:?}");
    }
    let own = program(&server.folder, "prompt", &["--caption", "a tabby"]);
    assert_eq!(lines(&server, "/v1/prompt", json!({ "caption": "a tabby" })), own);
    let none = program(&server.folder, "prompt", &[]);
    assert_eq!(lines(&server, "/v1/prompt", json!({ "caption": "" })), none);
}

#[test]
fn tags_equal_those_of_the_program() {
    let server = server();
    let model = checkpoint("tagger/vit");
    for (args, options) in [
        (&[][..], json!({})),
        (
            &["--general-threshold", "0.5", "--character-threshold", "0.25"],
            json!({ "general_threshold": 0.5, "character_threshold": 0.25 }),
        ),
    ] {
        let args = [&["--model", model.as_str()], args].concat();
        let expected = program(&server.folder, "tag", &args);
        assert_eq!(lines(&server, "/v1/tag", options), expected, "{args:?}");
    }
    // Transparent images are on white.
    server.folder.write("rgba.png", fixture("pictures/rgba.png"));
    let all = ["--general-threshold", "0", "--format", "jsonl"];
    let expected = server.folder.run(&[&["tag", "rgba.png", "--model", &model], &all[..]].concat());
    let (expected, options) = (expected.expect(0), json!({ "general_threshold": 0 }));
    let body = with(
        json!({ "image": { "name": "rgba.png", "data": image("pictures/rgba.png")["image"] } }),
        options,
    );
    let found = server.post_as("/v1/tag", &body, "application/x-ndjson").expect(200);
    assert_eq!(found.text(), expected.stdout());
    let options = json!({ "general_threshold": 1.5 });
    let problem = server.post("/v1/tag", &with(images(&PHOTOS), options)).problem(422);
    assert_eq!(problem["detail"], "general_threshold: expected 0 to 1, found 1.5");
}

#[test]
fn the_tagger_extension_gets_tags_with_scores() {
    let server = server();
    let list = server.get("/tagger/v1/interrogators").json();
    assert_eq!(list, json!({ "models": ["vit"] }));
    let args = ["--general-threshold", "0.4", "--character-threshold", "0.4", "--model"];
    let model = checkpoint("tagger/vit");
    let expected = program(&server.folder, "tag", &[&args[..], &[&model]].concat());
    for (line, name) in expected.lines().zip(PHOTOS) {
        let row: Value = serde_json::from_str(line).unwrap();
        let lists = [&row["characters"], &row["general"]].map(|list| list.as_array().unwrap());
        let tags = [&row["rating"]].into_iter().chain(lists.into_iter().flatten());
        let tags: serde_json::Map<_, _> =
            tags.map(|it| (it["tag"].as_str().unwrap().to_owned(), it["score"].clone())).collect();
        for model in ["vit", ""] {
            let body = with(image(name), json!({ "model": model, "threshold": 0.4 }));
            let found = server.post("/tagger/v1/interrogate", &body).json();
            assert_eq!(found, json!({ "caption": tags }));
        }
    }
    let other = with(image(PHOTOS[1]), json!({ "model": "wd-vit-v3" }));
    let problem = server.post("/tagger/v1/interrogate", &other).problem(404);
    assert_eq!(problem["detail"], "Model not found");
}

#[test]
fn sdnext_chooses_the_beams_of_a_caption() {
    let server = server();
    let model = checkpoint("caption/blip2-opt");
    let prompts = |more: &[&str]| -> Vec<Value> {
        let args = [&["--mode", "caption", "--caption-model", &model], more].concat();
        let lines = program(&server.folder, "prompt", &args);
        let prompt = |line| serde_json::from_str::<Value>(line).unwrap()["prompt"].clone();
        lines.lines().map(prompt).collect()
    };
    let ask = |name, options| {
        let body = with(image(name), options);
        server.post("/sdapi/v1/openclip", &body).json()["caption"].clone()
    };
    let (greedy, beams) = (prompts(&[]), prompts(&["--num-beams", "3"]));
    let short = prompts(&["--max-length", "6"]);
    assert!(greedy != beams && greedy != short);
    for (at, name) in PHOTOS.iter().enumerate() {
        assert_eq!(ask(name, json!({ "mode": "caption", "blip_model": "blip2-opt" })), greedy[at]);
        assert_eq!(ask(name, json!({ "mode": "caption", "num_beams": 3 })), beams[at]);
        assert_eq!(ask(name, json!({ "mode": "caption", "max_length": 6 })), short[at]);
    }
    let other = with(image(PHOTOS[1]), json!({ "blip_model": "blip-base" }));
    assert_eq!(server.post("/sdapi/v1/openclip", &other).problem(404)["detail"], "Model not found");
    for options in [
        json!({ "num_beams": 0 }),
        json!({ "num_beams": 100_000 }),
        json!({ "max_length": 0 }),
        json!({ "max_length": 100_000 }),
    ] {
        let body = with(with(image(PHOTOS[1]), json!({ "mode": "caption" })), options);
        server.post("/sdapi/v1/openclip", &body).problem(422);
    }
}

#[test]
fn info_names_models_without_their_folders() {
    let server = server();
    let info = server.get("/v1/info").json();
    assert_eq!((&info["caption_model"], &info["tagger"]), (&"blip2-opt".into(), &"vit".into()));
    assert!(!info.to_string().contains("fixtures"), "{info}");
}

#[test]
fn captions_and_tags_need_a_model() {
    let server = Server::shared();
    let body = image(PHOTOS[1]);
    let problem = server.post("/v1/caption", &body).problem(404);
    assert_eq!(problem["hint"], "start it with --caption-model");
    for route in ["/v1/tag", "/tagger/v1/interrogate"] {
        assert_eq!(server.post(route, &body).problem(404)["hint"], "start it with --tagger");
    }
    assert_eq!(server.get("/tagger/v1/interrogators").json(), json!({ "models": [] }));
}
