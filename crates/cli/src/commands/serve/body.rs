//! The body of a request: read within limits, and parsed as JSON or a form.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header, request};
use http_body_util::BodyExt;
use interrogate::limits;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::form_text;
use super::option_error::OptionError;
use super::problem::Problem;
use super::upload::{self, Data, Images, JsonImage, Reserved, Upload};

/// The longest time in which a body has to arrive.
const TIME: Duration = Duration::from_secs(60);

/// The unit of the memory of all bodies, in bytes.
const UNIT: usize = 1 << 10;

/// The longest text of all options of a request, in bytes.
const OPTIONS: usize = 128 << 10;

/// The largest number of options.
const OPTION_COUNT: usize = 64;

/// The memory of the bodies of all requests.
pub(super) struct Memory(Arc<Semaphore>);

/// A body, and its part of the memory.
pub(super) struct Payload {
    head: request::Parts,
    bytes: Bytes,
    reserved: Reserved,
}

impl Memory {
    pub(super) fn new() -> Self {
        Memory(Arc::new(Semaphore::new(limits::REQUEST_BODIES / UNIT)))
    }

    /// Reads the body of `request`. Memory is reserved as it arrives.
    ///
    /// # Errors
    /// Status 413 for more than [`limits::REQUEST_BODY`] bytes, 408 if it does not arrive in a
    /// minute, 429 if the bodies of all requests have more than [`limits::REQUEST_BODIES`], 400
    /// if the connection breaks.
    pub(super) async fn read(&self, request: Request) -> Result<Payload, Problem> {
        let (head, body) = request.into_parts();
        let length = head.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limits::REQUEST_BODY) {
            return Err(too_large());
        }
        let read = timeout(TIME, self.collect(body)).await;
        let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in 60 s");
        let (bytes, reserved) = read.map_err(|_| late())??;
        Ok(Payload { head, bytes: bytes.into(), reserved: reserved.map(Arc::new) })
    }

    async fn collect(
        &self,
        mut body: Body,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Problem> {
        let (mut bytes, mut reserved) = (Vec::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "the body is incomplete");
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if bytes.len() + data.len() > limits::REQUEST_BODY {
                return Err(too_large());
            }
            let units = (bytes.len() + data.len()).div_ceil(UNIT);
            let more = units - reserved.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let more = self.0.clone().try_acquire_many_owned(more as u32).map_err(|_| {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many images are being sent")
            })?;
            match &mut reserved {
                Some(reserved) => reserved.merge(more),
                None => reserved = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, reserved))
    }
}

fn too_large() -> Problem {
    let detail = format!("the body: expected at most {} bytes", limits::REQUEST_BODY);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with_hint(
        "send fewer images in a request; base64 takes a third more than multipart/form-data",
    )
}

impl Payload {
    /// Parses the body as JSON; a body without a content type is JSON. Unknown fields are
    /// ignored. Also returns the body's memory, which its image takes until it is decoded.
    ///
    /// # Errors
    /// Status 415 for another content type; those of [`json`].
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<(T, Reserved), Problem> {
        self.check_type(&["application/json"])?;
        Ok((json(&self.bytes)?, self.reserved))
    }

    /// Parses images and options, from JSON or a form.
    ///
    /// # Errors
    /// Status 415 for another content type; those of [`json`] and [`upload::check`];
    /// 400 for an invalid form.
    pub(super) async fn images<T: DeserializeOwned>(self) -> Result<(Vec<Upload>, T), Problem> {
        match self.check_type(&["application/json", "multipart/form-data"])? {
            "multipart/form-data" => self.form().await,
            _ => {
                let request: JsonRequest = json(&self.bytes)?;
                let options = json(request.options.as_bytes())?;
                Ok((upload::uploads(request.image, request.images, &self.reserved)?, options))
            }
        }
    }

    /// Returns which of `types` the body has; the first if it does not say.
    fn check_type<'t>(&self, types: &[&'t str]) -> Result<&'t str, Problem> {
        let Some(value) = self.head.headers.get(header::CONTENT_TYPE) else { return Ok(types[0]) };
        let value = value.to_str().unwrap_or_default();
        let kind = value.split(';').next().unwrap_or_default().trim();
        let found = types.iter().find(|known| known.eq_ignore_ascii_case(kind));
        found.copied().ok_or_else(|| {
            let detail = format!("content type: expected {}", types.join(" or "));
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        })
    }

    async fn form<T: DeserializeOwned>(self) -> Result<(Vec<Upload>, T), Problem> {
        let request = Request::from_parts(self.head, Body::from(self.bytes));
        let invalid = |error: &dyn fmt::Display| {
            Problem::new(StatusCode::BAD_REQUEST, format!("the form: {error}"))
        };
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|error| invalid(&error.body_text()))?;
        let (mut images, mut options, mut length) = (Vec::new(), Vec::new(), 0);
        while let Some(field) = form.next_field().await.map_err(|e| invalid(&e.body_text()))? {
            let file = field.file_name().map(str::to_owned);
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| invalid(&error.body_text()))?;
            if file.is_some() || matches!(name.as_str(), "image" | "images") {
                if images.len() == limits::REQUEST_IMAGES {
                    return Err(upload::too_many());
                }
                let data = match (&file, str::from_utf8(&bytes)) {
                    (None, Ok(text)) => Data::Base64(text.to_owned()),
                    _ => Data::Bytes(bytes),
                };
                let name = file.filter(|file| !file.is_empty());
                let name = name.unwrap_or_else(|| upload::number(images.len()));
                images.push(Upload { name, data, _reserved: self.reserved.clone() });
                continue;
            }
            let text = String::from_utf8(bytes.into());
            let text =
                text.map_err(|_| Problem::unprocessable(format!("{name}: invalid UTF-8")))?;
            length += name.len() + text.len();
            if length > OPTIONS || options.len() == OPTION_COUNT {
                return Err(too_many_options());
            }
            options.push((name, text));
        }
        Ok((upload::check(images)?, form_text::options(options)?))
    }
}

fn too_many_options() -> Problem {
    Problem::unprocessable(format!(
        "the options: expected at most {OPTION_COUNT} with {OPTIONS} bytes"
    ))
}

/// Parses JSON.
///
/// # Errors
/// Status 400 for invalid syntax, 422 for an unknown name or a wrong value.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let option = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => OptionError::new(&option, &error).into(),
            _ => Problem::new(StatusCode::BAD_REQUEST, format!("invalid JSON: {error}")),
        }
    })?;
    json.end()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("invalid JSON: {error}")))?;
    Ok(parsed)
}

/// The images of a request in JSON, and the text of an object with its other fields.
struct JsonRequest {
    image: Option<JsonImage>,
    images: Images,
    options: String,
}

impl<'de> Deserialize<'de> for JsonRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = JsonRequest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with image or images")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonRequest, A::Error> {
                let (mut image, mut images) = (None, None);
                let (mut options, mut count) = (String::from("{"), 0);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "image" => {
                            if image.replace(map.next_value::<Option<JsonImage>>()?).is_some() {
                                return Err(A::Error::duplicate_field("image"));
                            }
                        }
                        "images" => {
                            if images.replace(map.next_value::<Images>()?).is_some() {
                                return Err(A::Error::duplicate_field("images"));
                            }
                        }
                        _ => {
                            let value = map.next_value::<&RawValue>()?.get();
                            count += 1;
                            if count > OPTION_COUNT || options.len() + value.len() > OPTIONS {
                                return Err(A::Error::custom("too many or too long options"));
                            }
                            if options.len() > 1 {
                                options.push(',');
                            }
                            let key = serde_json::to_string(&key).map_err(A::Error::custom)?;
                            options += &format!("{key}:{value}");
                        }
                    }
                }
                options.push('}');
                Ok(JsonRequest {
                    image: image.flatten(),
                    images: images.unwrap_or_default(),
                    options,
                })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tasks;
    use super::*;
    use crate::args;

    async fn images<T: DeserializeOwned>(
        kind: Option<&str>,
        body: impl Into<Body>,
    ) -> Result<(Vec<Upload>, T), u16> {
        let mut request = Request::builder();
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let memory = Memory::new();
        let request = request.body(body.into()).unwrap();
        let read = async { memory.read(request).await?.images().await };
        read.await.map_err(|problem| {
            axum::response::IntoResponse::into_response(problem).status().as_u16()
        })
    }

    async fn prompt(body: &str) -> Result<tasks::Prompt, u16> {
        images(Some("application/json"), body.to_owned()).await.map(|(_, prompt)| prompt)
    }

    #[tokio::test]
    async fn options_are_parsed_strictly() {
        let found = prompt(r#"{"image": "QQ", "mode": "fast", "max_flavors": 2}"#).await.unwrap();
        assert_eq!((found.mode, found.max_flavors), (args::Mode::Fast, Some(2)));
        for (body, status) in [
            (r#"{"image": "QQ", "mod": "fast"}"#, 422),
            (r#"{"image": "QQ", "mode": "slow"}"#, 422),
            (r#"{"image": "QQ", "max_flavors": -1}"#, 422),
            (r#"{"image": "QQ", "image": "QQ"}"#, 422),
            (r#"{"image": "QQ", "mode": "fast", "mode": "fast"}"#, 422),
            (r#"{"mode": "fast"}"#, 422),
            (r#"[]"#, 422),
            (r#"{"image": "QQ""#, 400),
            ("", 400),
        ] {
            assert_eq!(prompt(body).await, Err(status), "{body}");
        }
        let deep =
            format!(r#"{{"image": "QQ", "tables": {}{}}}"#, "[".repeat(90_000), "]".repeat(90_000));
        assert!(prompt(&deep).await.is_err());
        let many: Vec<_> = (0..100).map(|n| format!(r#""o{n}": 0"#)).collect();
        assert_eq!(prompt(&format!("{{{}}}", many.join(","))).await, Err(422));
        let images = format!(r#"{{"images": [{}]}}"#, vec!["\"\""; 65].join(","));
        assert_eq!(prompt(&images).await, Err(422));
    }

    #[tokio::test]
    async fn a_form_has_files_and_texts() {
        let body = "--x\r\ncontent-disposition: form-data; name=\"a\"; filename=\"cat.jpg\"\r\n\r\nJPEG\r\n\
            --x\r\ncontent-disposition: form-data; name=\"max_flavors\"\r\n\r\n4\r\n\
            --x\r\ncontent-disposition: form-data; name=\"tables\"\r\n\r\nmediums,flavors\r\n\
            --x\r\ncontent-disposition: form-data; name=\"weights\"\r\n\r\ntrue\r\n--x--\r\n";
        let kind = Some("multipart/form-data; boundary=x");
        let (uploads, prompt) = images::<tasks::Prompt>(kind, body).await.unwrap();
        assert_eq!(uploads[0].name, "cat.jpg");
        assert_eq!(&uploads[0].data.bytes().unwrap()[..], b"JPEG");
        assert_eq!((prompt.max_flavors, prompt.weights), (Some(4), true));
        assert_eq!(prompt.tables.0, ["mediums", "flavors"]);
        let field =
            "--x\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\nUDUg\r\n--x--\r\n";
        let (uploads, _) = images::<tasks::Prompt>(kind, field).await.unwrap();
        assert_eq!(
            (&*uploads[0].name, &uploads[0].data.bytes().unwrap()[..]),
            ("image 1", &b"P5 "[..])
        );
        let truncated = &body[..body.len() - 20];
        assert_eq!(images::<tasks::Prompt>(kind, truncated.to_owned()).await.unwrap_err(), 400);
        let unnamed = images::<tasks::Prompt>(Some("multipart/form-data"), body).await;
        assert_eq!(unnamed.unwrap_err(), 400);
        assert_eq!(images::<tasks::Prompt>(Some("text/plain"), body).await.unwrap_err(), 415);
    }

    #[tokio::test]
    async fn errors_of_options_name_the_option_and_the_nearest_name() {
        let json = |text: &str| match json::<tasks::Prompt>(text.as_bytes()) {
            Err(problem) => problem.json(),
            Ok(_) => String::new(),
        };
        let form = |name: &str, text: &str| {
            let fields = vec![(name.to_owned(), text.to_owned())];
            match form_text::options::<tasks::Prompt>(fields) {
                Err(error) => Problem::from(error).json(),
                Ok(_) => String::new(),
            }
        };
        for (found, parts) in [
            (json(r#"{"mod": "fast"}"#), ["unknown field `mod`", "did you mean mode?"]),
            (json(r#"{"mode": "fats"}"#), ["mode: unknown variant `fats`", "did you mean fast?"]),
            (json(r#"{"max_flavors": 2.5}"#), ["max_flavors: ", "expected a whole number\""]),
            (form("mod", "fast"), ["unknown field `mod`", "did you mean mode?"]),
            (form("mode", "fats"), ["mode: unknown variant `fats`", "did you mean fast?"]),
            (form("max_flavors", "many"), ["max_flavors: expected a whole number", "found"]),
            (form("weights", "maybe"), ["weights: expected true or false", "openapi.json"]),
            (form("min_score", "x"), ["min_score: expected a number", "openapi.json"]),
        ] {
            assert!(parts.iter().all(|part| found.contains(part)), "{found}");
        }
        assert_eq!(form("prefix", "12"), "");
        assert_eq!(form("min_flavors", " 3 "), "");
    }

    #[tokio::test]
    async fn long_bodies_are_refused() {
        let long = vec![b' '; limits::REQUEST_BODY + 1];
        assert_eq!(images::<tasks::Embed>(None, long).await.unwrap_err(), 413);
    }
}
