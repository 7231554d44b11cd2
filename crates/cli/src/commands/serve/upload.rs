//! The images of a request, as base64 text or as bytes.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use interrogate::limits;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The image file of a request, not decoded.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    /// The name in the results.
    pub(super) name: String,
    pub(super) data: Data,
    /// The memory of the request's body, until its last image is decoded.
    pub(super) _reserved: Reserved,
}

/// A part of the memory of all bodies.
pub(super) type Reserved = Option<Arc<OwnedSemaphorePermit>>;

/// The bytes of an image file.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// In base64, or a data: URL.
    Base64(String),
    Bytes(axum::body::Bytes),
}

impl Data {
    /// Returns the bytes of the file.
    ///
    /// # Errors
    /// Status 422 for text that is not base64. Whitespace in it is ignored.
    pub(super) fn bytes(&self) -> Result<axum::body::Bytes, Problem> {
        let text = match self {
            Data::Bytes(bytes) => return Ok(bytes.clone()),
            Data::Base64(text) => text,
        };
        let text = match text.strip_prefix("data:") {
            Some(url) => url.split_once(";base64,").map_or("", |(_, data)| data),
            None => text,
        };
        let is_plain = !text.bytes().any(|byte| byte.is_ascii_whitespace());
        let decoded = if is_plain {
            BASE64.decode(text)
        } else {
            BASE64.decode(text.split_ascii_whitespace().collect::<String>())
        };
        let invalid = || {
            Problem::unprocessable("the image is not base64").with_hint(
                "send the file's bytes in base64, or as a file of multipart/form-data; addresses are not fetched",
            )
        };
        decoded.map(Into::into).map_err(|_| invalid())
    }
}

/// An image in JSON: base64 text, or an object with a name.
#[derive(Debug)]
pub(super) struct JsonImage {
    name: Option<String>,
    data: String,
}

impl PartialSchema for JsonImage {
    fn schema() -> RefOr<Schema> {
        ImageSchema::schema()
    }
}

impl ToSchema for JsonImage {}

/// What [`JsonImage`] is in JSON.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // for the schema alone
pub(super) enum ImageSchema {
    /// The bytes of an image file in base64, or a data: URL.
    Base64(String),
    Named {
        /// The name in the results.
        name: Option<String>,
        /// The bytes of the file in base64.
        data: String,
    },
}

impl<'de> Deserialize<'de> for JsonImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Image;
        impl<'de> Visitor<'de> for Image {
            type Value = JsonImage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64 text or an object with name and data")
            }

            fn visit_str<E: serde::de::Error>(self, data: &str) -> Result<JsonImage, E> {
                Ok(JsonImage { name: None, data: data.to_owned() })
            }

            fn visit_string<E: serde::de::Error>(self, data: String) -> Result<JsonImage, E> {
                Ok(JsonImage { name: None, data })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonImage, A::Error> {
                let (mut name, mut data) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "name" => name = map.next_value::<Option<String>>()?,
                        "data" => data = Some(map.next_value::<String>()?),
                        other => return Err(A::Error::unknown_field(other, &["name", "data"])),
                    }
                }
                let data = data.ok_or_else(|| A::Error::missing_field("data"))?;
                Ok(JsonImage { name, data })
            }
        }
        deserializer.deserialize_any(Image)
    }
}

/// A list in JSON with a maximum length, which is checked while it is read; one text of a form
/// is a list separated by commas.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<T>)]
pub(super) struct Bounded<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Bounded(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = Bounded<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX}")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let parts: Vec<&str> = text.split(',').filter(|part| !part.is_empty()).collect();
                if parts.len() > MAX {
                    return Err(E::invalid_length(parts.len(), &self));
                }
                let part = |part: &str| {
                    T::deserialize(serde::de::value::StringDeserializer::new(part.to_owned()))
                };
                Ok(Bounded(parts.into_iter().map(part).collect::<Result<_, E>>()?))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if list.len() == MAX {
                        return Err(A::Error::invalid_length(MAX + 1, &self));
                    }
                    list.push(item);
                }
                Ok(Bounded(list))
            }
        }
        deserializer.deserialize_any(List(std::marker::PhantomData))
    }
}

/// The images of a JSON request.
pub(super) type Images = Bounded<JsonImage, { limits::REQUEST_IMAGES }>;

/// Returns the images with their names, `image` first. Those without one are numbered from 1.
///
/// # Errors
/// Those of [`check`].
pub(super) fn uploads(
    image: Option<JsonImage>,
    images: Images,
    reserved: &Reserved,
) -> Result<Vec<Upload>, Problem> {
    let images = image.into_iter().chain(images.0).enumerate().map(|(at, image)| Upload {
        name: image.name.unwrap_or_else(|| number(at)),
        data: Data::Base64(image.data),
        _reserved: reserved.clone(),
    });
    check(images.collect())
}

/// The name of the image at position `at`, from 0.
pub(super) fn number(at: usize) -> String {
    format!("image {}", at + 1)
}

/// Checks the number of images and their names.
///
/// # Errors
/// Status 422 without an image, for more than [`limits::REQUEST_IMAGES`] and for a name of more
/// than [`limits::IMAGE_NAME`] bytes.
pub(super) fn check(images: Vec<Upload>) -> Result<Vec<Upload>, Problem> {
    if images.is_empty() {
        return Err(Problem::unprocessable("the request has no image").with_hint(
            "send images as \"image\" or \"images\" in JSON, or as files of multipart/form-data",
        ));
    }
    if images.len() > limits::REQUEST_IMAGES {
        return Err(too_many());
    }
    match images.iter().find(|image| image.name.len() > limits::IMAGE_NAME) {
        Some(image) => Err(Problem::unprocessable(format!(
            "the name of an image: expected at most {} bytes, found {}",
            limits::IMAGE_NAME,
            image.name.len()
        ))),
        None => Ok(images),
    }
}

/// The problem of a request with more than [`limits::REQUEST_IMAGES`] images.
pub(super) fn too_many() -> Problem {
    let detail = format!("expected at most {} images in a request", limits::REQUEST_IMAGES);
    Problem::unprocessable(detail).with_hint("send them in several requests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<Vec<u8>> {
        Data::Base64(text.to_owned()).bytes().ok().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn base64_may_be_a_data_url_unpadded_or_broken_into_lines() {
        let plain = Some(b"P5 1 1".to_vec());
        for text in ["UDUgMSAx", "data:image/x;base64,UDUgMSAx", "UDUg\r\nMSAx\n"] {
            assert_eq!(bytes(text), plain, "{text}");
        }
        assert_eq!((bytes("QQ=="), bytes("QQ")), (Some(b"A".to_vec()), Some(b"A".to_vec())));
        for text in ["https://example.org/a.jpg", "data:image/png,QQ", "Q", "é"] {
            assert!(bytes(text).is_none_or(|bytes| bytes.is_empty()), "{text}");
        }
    }

    #[test]
    fn lists_are_bounded_while_they_are_read() {
        let list = |json| serde_json::from_str::<Bounded<String, 2>>(json).map(|list| list.0);
        assert_eq!(list(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        assert_eq!(list(r#""a,b""#).unwrap(), ["a", "b"]);
        for json in [r#"["a","b","c"]"#, r#""a,b,c""#, "1", "[1]"] {
            assert!(list(json).is_err(), "{json}");
        }
    }

    #[test]
    fn images_are_named_or_numbered() {
        let images: Images =
            serde_json::from_str(r#"["QQ", {"name": "b.png", "data": "QQ"}]"#).unwrap();
        let image = serde_json::from_str(r#"{"data": "QQ"}"#).unwrap();
        let names: Vec<_> =
            uploads(image, images, &None).unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["image 1", "image 2", "b.png"]);
        assert!(uploads(None, Images::default(), &None).is_err());
        let long = format!(r#"{{"name": "{}", "data": ""}}"#, "x".repeat(limits::IMAGE_NAME + 1));
        assert!(uploads(serde_json::from_str(&long).unwrap(), Images::default(), &None).is_err());
        assert!(serde_json::from_str::<JsonImage>(r#"{"name": "a", "url": "b"}"#).is_err());
    }
}
