//! Damaged and foreign checkpoints: a named error each.

use std::collections::HashMap;

use interrogate::Result;
use interrogate::clip::ClipText;
use interrogate::weights::Weights;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::*;

/// What opening `folder` says, with its hint.
fn refusal(folder: &TempDir) -> (String, String) {
    let error = Checkpoint::open(folder.path()).unwrap_err();
    (without(folder, &error), error.hint().unwrap_or_default())
}

#[test]
fn a_missing_file_is_named() {
    let files = ["config.json", "preprocessor_config.json", "model.safetensors", "merges.txt"];
    for name in files {
        let folder = copy("quick");
        fs::remove_file(folder.path().join(name)).unwrap();
        let (said, hint) = refusal(&folder);
        assert_eq!(said, format!("FOLDER: no {name} in this folder"));
        assert!(hint.contains("download what is missing"), "{hint}");
    }
    let folder = copy("gelu");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(refusal(&folder).0, "FOLDER: no tokenizer.json in this folder");
}

#[test]
fn a_missing_folder_is_named() {
    let error = Checkpoint::open(Path::new("no/such/folder")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open no/such/folder");
}

#[test]
fn another_architecture_is_named() {
    let folder = copy("quick");
    fs::write(folder.path().join("config.json"), r#"{ "model_type": "bert" }"#).unwrap();
    let (said, _) = refusal(&folder);
    assert_eq!(said, "config.json: model_type: expected clip, found bert");
}

/// Rewrites the weights without `drop` and with a `surplus` weight.
fn reweigh(folder: &TempDir, drop: &str, surplus: Option<&str>) {
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let logit_scale = whole.tensor("logit_scale").unwrap();
    let mut weights: HashMap<_, _> = whole.iter().filter(|(name, _)| *name != drop).collect();
    surplus.map(|name| weights.insert(name, logit_scale));
    fs::write(&path, safetensors::serialize(weights, None).unwrap()).unwrap();
}

/// Loading one tower would not notice what the other one lacks: opening does.
#[test]
fn a_missing_weight_of_either_tower_is_named() {
    for name in [
        "text_model.encoder.layers.1.mlp.fc2.bias",
        "vision_model.pre_layrnorm.weight",
        "visual_projection.weight",
    ] {
        let folder = copy("quick");
        reweigh(&folder, name, None);
        let (said, hint) = refusal(&folder);
        assert_eq!(said, format!("model.safetensors: no weight named {name}"));
        assert!(hint.contains("not of one checkpoint"), "{hint}");
    }
}

#[test]
fn a_surplus_weight_is_named() {
    let folder = copy("quick");
    reweigh(&folder, "", Some("text_model.encoder.layers.2.mlp.fc2.bias"));
    let expected = "model.safetensors: 1 weight more than the architecture has: \
                    text_model.encoder.layers.2.mlp.fc2.bias";
    assert_eq!(refusal(&folder).0, expected);
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
            reweigh(&folder, name, None);
            Checkpoint::open(folder.path()).unwrap();
        }
    }
}

#[test]
fn a_weight_of_another_shape_is_named() {
    let folder = copy("quick");
    edit(&folder, "config.json", |config| config["text_config"]["intermediate_size"] = 65.into());
    let expected = "model.safetensors: text_model.encoder.layers.0.mlp.fc1.bias: \
                    expected shape [65], found [64]";
    assert_eq!(refusal(&folder).0, expected);
}

#[test]
fn truncated_weights_are_refused() {
    let folder = copy("quick");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let (said, _) = refusal(&folder);
        let expected = "model.safetensors: safetensors: expected a whole file, found ";
        assert!(said.starts_with(expected), "{length}: {said}");
    }
}

/// What loading the text tower of a fixture says after a change to a file.
fn text_refusal(fixture: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = copy(fixture);
    edit(&folder, name, change);
    let encoder: Result<ClipText> = Checkpoint::open(folder.path()).unwrap().text_encoder();
    without(&folder, &encoder.unwrap_err())
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let said = text_refusal("gelu", "tokenizer.json", |file| {
        file["post_processor"] = Value::Null;
    });
    let expected = "tokenizer.json: empty text: expected a start and an end token, found 0 tokens";
    assert_eq!(said, expected);
    let said = text_refusal("gelu", "config.json", |file| {
        file["text_config"]["eos_token_id"] = 600.into();
    });
    let expected = "tokenizer.json: end-of-text token: expected 600 as in config.json, found 601";
    assert_eq!(said, expected);
    let said = text_refusal("gelu", "tokenizer.json", |file| {
        file["model"]["vocab"]["one more"] = 602.into();
    });
    assert_eq!(said, "tokenizer.json: tokens: expected at most 602, found 603");
    // A chain counts on the start token to stand before the words.
    let said = text_refusal("gelu", "tokenizer.json", |file| {
        file["post_processor"]["cls"] = json!(["<|endoftext|>", 601]);
    });
    assert_eq!(said, "tokenizer.json: start token: expected another than the end's, found 601");
    let said = text_refusal("gelu", "tokenizer.json", |file| *file = json!({}));
    assert_eq!(said, "tokenizer.json: not a usable tokenizer");
}

#[test]
fn an_older_vocabulary_that_does_not_fit_is_refused() {
    let said = text_refusal("quick", "vocab.json", |file| {
        file.as_object_mut().unwrap().remove("<|endoftext|>");
    });
    assert_eq!(said, "vocab.json: vocabulary: expected a <|endoftext|>, found none");

    for (line, expected) in [
        ("one", "merges.txt: merge: expected two tokens, found \"one\" in line 2"),
        ("a b c", "merges.txt: merge: expected two tokens, found \"a b c\" in line 2"),
        ("no such", "vocab.json: not a usable tokenizer"),
    ] {
        let folder = copy("quick");
        fs::write(folder.path().join("merges.txt"), format!("#version: 0.2\n{line}\n")).unwrap();
        let error = Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap_err();
        assert_eq!(without(&folder, &error), expected);
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
    assert_eq!(without(&folder, &error), expected);
}
