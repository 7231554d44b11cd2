//! The `tokenizers` library, held to errors.
//!
//! Its reader ends in a panic where the field `decoder` breaks off, and where a
//! table of characters is no such table, and every text does where a template names
//! what it does not hold (tokenizers 0.23.2, decoders/mod.rs, normalizers/mod.rs and
//! processors/template.rs), so that these are read here first. What else of it may
//! panic on a file's own rules is caught. What files mean is for the models.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::normalizers::Precompiled;
use tokenizers::{Error, Tokenizer};

use crate::guard;

/// The fields whose faults the library does not survive; the rest is read past.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default, rename = "decoder")]
    _decoder: Value,
}

/// The tokenizer of a tokenizer.json.
///
/// # Errors
/// What the library says of it, or that it failed.
pub(crate) fn read(json: &[u8]) -> Result<Tokenizer, Error> {
    let Fields { normalizer, post_processor, .. } = serde_json::from_slice(json)?;
    each_object(&normalizer, &mut check_characters)?;
    each_object(&post_processor, &mut check_template)?;
    guarded(|| Tokenizer::from_bytes(json))
}

/// Runs `work` of the library's; a panic of it is an error.
///
/// # Errors
/// Those of `work`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    guard::guarded(|| "the tokenizer's own code failed on it".into(), work)
}

type Object = serde_json::Map<String, Value>;

/// Runs `check` over every object in `value`, which is as deep as JSON is read.
fn each_object(
    value: &Value,
    check: &mut impl FnMut(&Object) -> Result<(), Error>,
) -> Result<(), Error> {
    match value {
        Value::Object(fields) => {
            check(fields)?;
            fields.values().try_for_each(|value| each_object(value, check))
        }
        Value::Array(values) => values.iter().try_for_each(|value| each_object(value, check)),
        _ => Ok(()),
    }
}

/// Reads a table of characters, where `fields` are one's.
fn check_characters(fields: &Object) -> Result<(), Error> {
    if fields.get("type").is_some_and(|kind| kind == "Precompiled") {
        serde_json::from_value::<Precompiled>(Value::Object(fields.clone()))?;
    }
    Ok(())
}

/// Whether a template for one text, where `fields` are one's, is made of that text and
/// of special tokens that stand beside it.
fn check_template(fields: &Object) -> Result<(), Error> {
    let (Some(Value::Array(pieces)), Some(Value::Object(tokens))) =
        (fields.get("single"), fields.get("special_tokens"))
    else {
        return Ok(());
    };
    let id = |piece: &Value, kind: &str| piece.get(kind)?.get("id")?.as_str().map(str::to_owned);
    for piece in pieces {
        if let Some(id) = id(piece, "SpecialToken")
            && !tokens.contains_key(&id)
        {
            return Err(format!("post_processor: no special token {id:?}").into());
        }
        if let Some(id) = id(piece, "Sequence")
            && id != "A"
        {
            return Err(format!("post_processor: a template for one text, and {id:?}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":NORMALIZER,"pre_tokenizer":null,"post_processor":PROCESSOR,
        "model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"decoder":DECODER}"#;

    fn file(normalizer: &str, decoder: &str) -> String {
        let file = SMALL.replace("NORMALIZER", normalizer).replace("DECODER", decoder);
        file.replace("PROCESSOR", "null")
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
    fn a_template_holds_what_it_names() {
        let piece = |kind: &str, id: &str| format!(r#"{{"{kind}":{{"id":"{id}","type_id":0}}}}"#);
        let (text, other) = (piece("Sequence", "A"), piece("Sequence", "B"));
        let [known, unknown] = ["w", "v"].map(|id| piece("SpecialToken", id));
        for (single, expected) in [
            (format!("{known},{text}"), Ok(vec![7, 0])),
            (format!("{unknown},{text}"), Err("post_processor: no special token \"v\"")),
            (other, Err("post_processor: a template for one text, and \"B\"")),
        ] {
            let template = format!(
                r#"{{"type":"TemplateProcessing","single":[{single}],"pair":[{text},{unknown}],
                "special_tokens":{{"w":{{"id":"w","ids":[7],"tokens":["w"]}}}}}}"#
            );
            let some = format!(r#"{{"type":"Sequence","processors":[{template}]}}"#);
            for processor in [template, some] {
                let file = SMALL.replace("NORMALIZER", "null").replace("DECODER", "null");
                let tokenizer = read(file.replace("PROCESSOR", &processor).as_bytes());
                let ids = tokenizer.map(|read| read.encode("a", true).unwrap().get_ids().to_vec());
                assert_eq!(
                    ids.map_err(|error| error.to_string()),
                    expected.clone().map_err(str::to_owned)
                );
            }
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded(|| -> Result<(), Error> { panic!("as the library does") });
        assert_eq!(error.unwrap_err().to_string(), "the tokenizer's own code failed on it");
    }
}
