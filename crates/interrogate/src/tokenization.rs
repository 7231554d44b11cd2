//! The `tokenizers` library, held to errors.
//!
//! Its reader ends in a panic where the field `decoder` breaks off, and where a
//! table of characters is no such table (tokenizers 0.23.2, decoders/mod.rs and
//! normalizers/mod.rs), so that both are read here first. What else of it may
//! panic on a file's own rules is caught. What files mean is for the models.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::normalizers::Precompiled;
use tokenizers::{Error, Tokenizer};

/// The fields whose faults the library does not survive; the rest is read past.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    normalizer: Value,
    #[serde(default, rename = "decoder")]
    _decoder: Value,
}

/// The tokenizer of a tokenizer.json.
///
/// # Errors
/// What the library says of it, or that it failed.
pub(crate) fn read(json: &[u8]) -> Result<Tokenizer, Error> {
    let Fields { normalizer, .. } = serde_json::from_slice(json)?;
    check(&normalizer)?;
    guarded(|| Tokenizer::from_bytes(json))
}

/// Runs `work` of the library's; a panic of it is an error.
///
/// # Errors
/// Those of `work`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // What it was at is thrown away or, of a tokenizer, only read.
    let failed = |_| Err("the tokenizer's own code failed on it".into());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(failed)
}

/// Reads every table of characters in `value`, which is as deep as JSON is read.
fn check(value: &Value) -> Result<(), Error> {
    match value {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|kind| kind == "Precompiled") {
                serde_json::from_value::<Precompiled>(value.clone())?;
            }
            fields.values().try_for_each(check)
        }
        Value::Array(values) => values.iter().try_for_each(check),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":NORMALIZER,"pre_tokenizer":null,"post_processor":null,
        "model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"decoder":DECODER}"#;

    fn file(normalizer: &str, decoder: &str) -> String {
        SMALL.replace("NORMALIZER", normalizer).replace("DECODER", decoder)
    }

    #[test]
    fn a_tokenizer_is_read() {
        let read = read(file("null", r#"{"type":"Fuse"}"#).as_bytes()).unwrap();
        assert_eq!(read.encode("a", false).unwrap().get_ids(), [0]);
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let whole = file(
            r#"{"type":"NFC"}"#,
            r#"{"type":"Replace","pattern":{"String":"a"},"content":""}"#,
        );
        (0..whole.len()).for_each(|cut| assert!(read(&whole.as_bytes()[..cut]).is_err(), "{cut}"));
    }

    #[test]
    fn a_table_of_characters_that_is_none_is_an_error() {
        for table in ["\"\"", "\"AAAA\"", "\"no base 64!\"", "7", "null"] {
            let one = format!(r#"{{"type":"Precompiled","precompiled_charsmap":{table}}}"#);
            let some = format!(r#"{{"type":"Sequence","normalizers":[{{"type":"NFC"}},{one}]}}"#);
            // Whether an empty table is one is the library's to say.
            let _ = read(file(&one, "null").as_bytes());
            assert!(
                read(file(&some, "null").as_bytes()).is_err() || table == "\"AAAA\"",
                "{table}"
            );
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded(|| -> Result<(), Error> { panic!("as the library does") });
        assert_eq!(error.unwrap_err().to_string(), "the tokenizer's own code failed on it");
    }
}
