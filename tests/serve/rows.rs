//! The rows of the server are those of the program, byte for byte.

use std::fs;

use serde_json::{Value, json};

use crate::body::{Form, base64, fixture, images, with};
use crate::run::Folder;
use crate::server::{PHOTOS, Server};

/// The file that `interrogate COMMAND photos ARGS --format jsonl -o FILE` writes.
pub(crate) fn program(folder: &Folder, command: &str, args: &[&str]) -> String {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.jsonl");
    let output = ["--format", "jsonl", "-o", file.to_str().unwrap()];
    folder.run(&[&[command, "photos"], args, &output].concat()).expect(0);
    fs::read_to_string(file).unwrap()
}

/// The text of an option in a form.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Checks that `route` answers with the lines of the program to a request in JSON and to a form.
#[track_caller]
fn check(server: &Server, route: &str, options: &Value, expected: &str) {
    assert_eq!(expected.lines().count(), PHOTOS.len());
    let body = with(images(&PHOTOS), options.clone());
    let lines = server.post_as(route, &body, "application/x-ndjson").expect(200);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(lines.text(), expected, "{options}");

    let mut form = Form::new();
    for (name, value) in options.as_object().unwrap() {
        form = form.text(name, &text(value));
    }
    for name in PHOTOS {
        form = form.file(name, &fixture(name));
    }
    let (kind, form) = form.finish();
    let headers = [("content-type", kind.as_str()), ("accept", "application/x-ndjson")];
    let lines = server.send(&format!("POST {route}"), &headers, &form).expect(200);
    assert_eq!(lines.text(), expected, "{options}");
}

#[test]
fn prompts_equal_those_of_the_program() {
    let server = Server::shared();
    for (args, options) in [
        (&[][..], json!({})),
        (
            &["--mode", "classic", "--min-score", "-1", "--separator", " | "],
            json!({ "mode": "classic", "min_score": -1, "separator": " | " }),
        ),
        (
            &["--mode", "fast", "--max-flavors", "7", "--prefix", "a, \"b\"", "--suffix", "é"],
            json!({ "mode": "fast", "max_flavors": 7, "prefix": "a, \"b\"", "suffix": "é" }),
        ),
        (
            &["--mode", "caption", "--caption", "a tabby"],
            json!({ "mode": "caption", "caption": "a tabby" }),
        ),
        (
            &[
                "--without",
                "mediums,movements",
                "--weights",
                "--max-tokens",
                "9",
                "--tables",
                "flavors",
            ],
            json!({ "without": ["mediums", "movements"], "weights": true, "max_tokens": 9, "tables": ["flavors"] }),
        ),
        (
            &["--template", "{flavors} / {medium}", "--min-score", "0"],
            json!({ "template": "{flavors} / {medium}", "min_score": 0 }),
        ),
        (
            &["--mode", "negative", "--chain-candidates", "2", "--max-flavors", "2"],
            json!({ "mode": "negative", "chain_candidates": 2, "max_flavors": 2 }),
        ),
        (
            &["--mode", "best", "--chain-candidates", "5", "--max-flavors", "2"],
            json!({ "mode": "best", "chain_candidates": 5, "max_flavors": 2 }),
        ),
    ] {
        let expected = program(&server.folder, "prompt", args);
        check(&server, "/v1/prompt", &options, &expected);
    }
}

#[test]
fn analyses_equal_those_of_the_program() {
    let server = Server::shared();
    for (args, options) in [
        (&[][..], json!({})),
        (
            &["-k", "2", "-t", "movements,flavors"],
            json!({ "k": 2, "tables": ["movements", "flavors"] }),
        ),
    ] {
        let expected = program(&server.folder, "analyze", args);
        check(&server, "/v1/analyze", &options, &expected);
    }
}

#[test]
fn rankings_equal_those_of_the_program() {
    let server = Server::shared();
    for (args, options) in [
        (&[][..], json!({})),
        (&["-k", "3", "-t", "mediums"], json!({ "k": 3, "table": "mediums" })),
        (&["--reverse", "-k", "4"], json!({ "reverse": true, "k": 4 })),
        (
            &["-t", "movements,flavors", "--probabilities", "-k", "12"],
            json!({ "table": ["movements", "flavors"], "probabilities": true, "k": 12 }),
        ),
    ] {
        let expected = program(&server.folder, "rank", args);
        check(&server, "/v1/rank", &options, &expected);
    }
}

#[test]
fn features_equal_those_of_the_program() {
    let server = Server::shared();
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.jsonl");
    let args = ["embed", "images", "photos", "--format", "jsonl", "-o", file.to_str().unwrap()];
    server.folder.run(&args).expect(0);
    check(&server, "/v1/embed", &json!({}), &fs::read_to_string(file).unwrap());
}

#[test]
fn json_has_the_rows_of_json_lines() {
    let server = Server::shared();
    for route in ["/v1/prompt", "/v1/analyze", "/v1/rank", "/v1/embed"] {
        let body = images(&PHOTOS[..2]);
        let lines = server.post_as(route, &body, "application/x-ndjson").expect(200);
        let rows: Vec<&str> = lines.text().lines().collect();
        let found = server.post(route, &body).expect(200);
        assert_eq!(found.text(), format!("{{\"results\":[{}]}}", rows.join(",")));
        assert_eq!(found.json()["results"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_failed_image_has_an_error_row_among_others() {
    let server = Server::shared();
    let body = json!({ "images": [
        { "name": "broken.jpg", "data": "QQ==" },
        { "name": PHOTOS[1], "data": base64(fixture(PHOTOS[1])) },
    ] });
    server.folder.write("some/broken.jpg", "A");
    let rows = server.post("/v1/prompt", &body).json()["results"].clone();
    let program = server.folder.run(&["prompt", "some/broken.jpg", PHOTOS[1], "--format", "jsonl"]);
    let program = program.expect(1).rows();
    // The program sorts its files.
    assert_eq!(rows[1], program[0]);
    assert_eq!(rows[0]["image"], "broken.jpg");
    let error = program[1]["error"].as_str().unwrap().replace("some/", "");
    assert_eq!((&rows[0]["error"], rows[0].as_object().unwrap().len()), (&error.into(), 2));
}

#[test]
fn images_without_names_are_numbered() {
    let server = Server::shared();
    let data = base64(fixture(PHOTOS[1]));
    let url = format!("data:image/jpeg;base64,{data}");
    let body =
        json!({ "image": data, "images": [url, { "data": data }, { "name": null, "data": data }] });
    let rows = server.post("/v1/embed", &body).json()["results"].clone();
    let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["image"].clone()).collect();
    assert_eq!(names, ["image 1", "image 2", "image 3", "image 4"]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["features"] == rows[0]["features"]));
    let (kind, form) = Form::new().file("", &fixture(PHOTOS[1])).finish();
    let rows = server.send("POST /v1/embed", &[("content-type", &kind)], &form).json();
    assert_eq!(rows["results"][0]["image"], "image 1");
}
