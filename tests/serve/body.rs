//! Bodies of requests: JSON and forms.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::run::repository;

/// Returns the bytes of a photo of [`PHOTOS`], or of another file of the fixtures.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    fs::read(repository().join("tests/fixtures").join(name)).unwrap()
}

/// Returns bytes in base64.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Returns the body of a request for one file of the fixtures, without a name.
pub(crate) fn image(name: &str) -> Value {
    json!({ "image": base64(fixture(name)) })
}

/// Returns the body of a request for files of the fixtures, by their names.
pub(crate) fn images(names: &[&str]) -> Value {
    let image = |name: &&str| json!({ "name": name, "data": base64(fixture(name)) });
    json!({ "images": names.iter().map(image).collect::<Vec<_>>() })
}

/// Returns `body` with more fields.
pub(crate) fn with(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("expected an object") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

/// Returns a request for prompts that take more than ten seconds an image.
pub(crate) fn long_chain(names: &[&str]) -> Value {
    with(images(names), json!({ "mode": "best", "min_flavors": 1000, "max_flavors": 1000 }))
}

/// A body of multipart/form-data, part by part.
pub(crate) struct Form(Vec<u8>);

const BOUNDARY: &str = "----------a-boundary";

impl Form {
    pub(crate) fn new() -> Self {
        Form(Vec::new())
    }

    /// Appends a file. `name` stands in quotes as it is.
    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        let file = format!("form-data; name=\"image\"; filename=\"{name}\"");
        self.part(&format!("{file}\r\ncontent-type: application/octet-stream"), bytes)
    }

    /// Appends a text.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("form-data; name=\"{name}\""), value.as_bytes())
    }

    fn part(mut self, disposition: &str, content: &[u8]) -> Self {
        let head = format!("--{BOUNDARY}\r\ncontent-disposition: {disposition}\r\n\r\n");
        self.0.extend([head.as_bytes(), content, b"\r\n"].concat());
        self
    }

    /// Returns the content type and the body.
    pub(crate) fn finish(self) -> (String, Vec<u8>) {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        (kind, [&self.0[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat())
    }
}
