//! Damaged and foreign checkpoints, with one error each.

use std::collections::HashMap;

use interrogate::Result;
use interrogate::clip::ClipText;
use interrogate::weights::Weights;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::*;

/// The message and the hint of the error of opening `folder`.
fn open_error(folder: &TempDir) -> (String, String) {
    let error = Checkpoint::open(folder.path()).unwrap_err();
    (relative_message(folder, &error), error.hint().unwrap_or_default())
}

#[test]
fn missing_file_is_reported() {
    let files = ["config.json", "preprocessor_config.json", "model.safetensors", "merges.txt"];
    for name in files {
        let folder = copy("quick");
        fs::remove_file(folder.path().join(name)).unwrap();
        let (message, hint) = open_error(&folder);
        assert_eq!(message, format!("FOLDER: no {name} in this folder"));
        assert!(hint.contains("download what is missing"), "{hint}");
    }
    let folder = copy("gelu");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(open_error(&folder).0, "FOLDER: no tokenizer.json in this folder");
}

#[test]
fn missing_folder_is_reported() {
    let error = Checkpoint::open(Path::new("no/such/folder")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open no/such/folder");
}

#[test]
fn another_architecture_is_reported() {
    let folder = copy("quick");
    fs::write(folder.path().join("config.json"), r#"{ "model_type": "bert" }"#).unwrap();
    let (message, _) = open_error(&folder);
    assert_eq!(message, "config.json: model_type: expected clip, metaclip_2 or siglip, found bert");
}

/// Rewrites the weights without `drop` and with a `surplus` weight.
fn rewrite_weights(folder: &TempDir, drop: &str, surplus: Option<&str>) {
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let logit_scale = whole.tensor("logit_scale").unwrap();
    let mut weights: HashMap<_, _> = whole.iter().filter(|(name, _)| *name != drop).collect();
    surplus.map(|name| weights.insert(name, logit_scale));
    fs::write(&path, safetensors::serialize(weights, None).unwrap()).unwrap();
}

/// Opening checks both towers: loading one would not find what is missing in the other.
#[test]
fn missing_weight_of_either_tower_is_reported() {
    for name in [
        "text_model.encoder.layers.1.mlp.fc2.bias",
        "vision_model.pre_layrnorm.weight",
        "visual_projection.weight",
    ] {
        let folder = copy("quick");
        rewrite_weights(&folder, name, None);
        let (message, hint) = open_error(&folder);
        assert_eq!(message, format!("model.safetensors: no weight named {name}"));
        assert!(hint.contains("not of one checkpoint"), "{hint}");
    }
}

#[test]
fn surplus_weight_is_reported() {
    let folder = copy("quick");
    rewrite_weights(&folder, "", Some("text_model.encoder.layers.2.mlp.fc2.bias"));
    let expected = "model.safetensors: 1 weight more than the architecture has: \
                    text_model.encoder.layers.2.mlp.fc2.bias";
    assert_eq!(open_error(&folder).0, expected);
}

#[test]
fn known_extra_weights_are_optional() {
    let folder = copy("quick");
    for name in [
        "logit_scale",
        "text_model.embeddings.position_ids",
        "vision_model.embeddings.position_ids",
    ] {
        let weights = Weights::open(&folder.path().join("model.safetensors")).unwrap();
        assert!(weights.contains(name), "{name}");
        if name != "logit_scale" {
            rewrite_weights(&folder, name, None);
            Checkpoint::open(folder.path()).unwrap();
        }
    }
}

#[test]
fn weight_of_another_shape_is_reported() {
    let folder = copy("quick");
    edit(&folder, "config.json", |config| config["text_config"]["intermediate_size"] = 65.into());
    let expected = "model.safetensors: text_model.encoder.layers.0.mlp.fc1.bias: \
                    expected shape [65], found [64]";
    assert_eq!(open_error(&folder).0, expected);
}

#[test]
fn truncated_weights_are_refused() {
    let folder = copy("quick");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let (message, _) = open_error(&folder);
        let expected = "model.safetensors: safetensors: expected a whole file, found ";
        assert!(message.starts_with(expected), "{length}: {message}");
    }
}

/// The error's message when the text tower of a fixture is loaded after a change to a file.
fn text_error(fixture: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = copy(fixture);
    edit(&folder, name, change);
    let encoder: Result<ClipText> = Checkpoint::open(folder.path()).unwrap().text_encoder();
    relative_message(&folder, &encoder.unwrap_err())
}

#[test]
fn mismatched_tokenizer_is_refused() {
    let message = text_error("gelu", "tokenizer.json", |file| {
        file["post_processor"] = Value::Null;
    });
    let expected = "tokenizer.json: empty text: expected a start and an end token, found 0 tokens";
    assert_eq!(message, expected);
    let message = text_error("gelu", "config.json", |file| {
        file["text_config"]["eos_token_id"] = 600.into();
    });
    let expected = "tokenizer.json: end-of-text token: expected 600 as in config.json, found 601";
    assert_eq!(message, expected);
    let message = text_error("gelu", "tokenizer.json", |file| {
        file["model"]["vocab"]["one more"] = 602.into();
    });
    assert_eq!(message, "tokenizer.json: tokens: expected at most 602, found 603");
    // A chain relies on the start token at the beginning.
    let message = text_error("gelu", "tokenizer.json", |file| {
        file["post_processor"]["cls"] = json!(["<|endoftext|>", 601]);
    });
    assert_eq!(
        message,
        "tokenizer.json: start token: expected a token other than end-of-text, found 601"
    );
    let message = text_error("gelu", "tokenizer.json", |file| *file = json!({}));
    assert_eq!(message, "tokenizer.json: not a usable tokenizer");
}

#[test]
fn mismatched_vocabulary_and_merges_are_refused() {
    let message = text_error("quick", "vocab.json", |file| {
        file.as_object_mut().unwrap().remove("<|endoftext|>");
    });
    assert_eq!(message, "vocab.json: vocabulary: expected a <|endoftext|>, found none");

    for (line, expected) in [
        ("one", "merges.txt: merge: expected two tokens, found \"one\" in line 2"),
        ("a b c", "merges.txt: merge: expected two tokens, found \"a b c\" in line 2"),
        ("no such", "vocab.json: not a usable tokenizer"),
    ] {
        let folder = copy("quick");
        fs::write(folder.path().join("merges.txt"), format!("#version: 0.2\n{line}\n")).unwrap();
        let error = Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap_err();
        assert_eq!(relative_message(&folder, &error), expected);
    }
}

#[test]
fn preprocessing_for_another_size_is_refused() {
    let folder = copy("quick");
    edit(&folder, "preprocessor_config.json", |file| {
        file["crop_size"] = json!({ "height": 24, "width": 32 });
    });
    let error = Checkpoint::open(folder.path()).unwrap().image_encoder().unwrap_err();
    let expected = "preprocessor_config.json: crop: expected 32 x 32, found 24 x 32";
    assert_eq!(relative_message(&folder, &error), expected);
}
