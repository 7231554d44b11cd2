//! CLIP checkpoints end to end: equal to transformers, and clear when damaged.
//!
//! The checkpoints and their golden values are written by
//! `tests/fixtures/clip/make.py`, which says with which versions.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use interrogate::clip::{Checkpoint, ClipText};
use interrogate::encoder::{Features, TextEncoder, Tokens};
use interrogate::weights::Weights;
use interrogate::{Error, Result};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How far a value may be from transformers', and a row in a batch from the row
/// alone. Found: 6e-7 at most.
const BOUND: f32 = 1e-5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/clip").join(name)
}

/// A fixture's files in a folder of their own, to be damaged.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(name)).unwrap()
}

/// What opening `folder` says, with its hint.
fn refusal(folder: &TempDir) -> (String, String) {
    let error = Checkpoint::open(folder.path()).unwrap_err();
    (without(folder, &error), error.hint().unwrap_or_default())
}

/// A message without the temporary folder's name.
fn without(folder: &TempDir, error: &Error) -> String {
    let prefix = format!("{}", folder.path().display());
    error.to_string().replace(&format!("{prefix}/"), "").replace(&prefix, "FOLDER")
}

fn golden(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(name).join("golden.json")).unwrap()).unwrap()
}

fn golden_values(name: &str, what: &str) -> Vec<f32> {
    let weights = Weights::open(&fixture(name).join("golden.safetensors")).unwrap();
    let shape = weights.shape(what).unwrap().to_vec();
    weights.take(what, &shape).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn texts(golden: &Value) -> Vec<&str> {
    golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn furthest(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn flat(features: &[Features]) -> Vec<f32> {
    features.iter().flat_map(|features| features.as_slice().to_vec()).collect()
}

// ---- equal to transformers ----

/// `quick` has vocab.json and merges.txt, `gelu` tokenizer.json.
#[test]
fn tokens_equal_those_of_transformers() {
    for name in ["quick", "gelu"] {
        let (encoder, golden) = (open(name).text_encoder().unwrap(), golden(name));
        let tokens = encoder.tokenize(&texts(&golden)).unwrap();
        let theirs: Vec<Vec<u32>> = serde_json::from_value(golden["ids"].clone()).unwrap();
        for ((text, ours), theirs) in texts(&golden).iter().zip(tokens.iter()).zip(theirs) {
            // Ours end at the first end-of-text, where theirs are read.
            let end = theirs.iter().position(|&id| id == encoder.end_of_text()).unwrap();
            assert_eq!(ours, &theirs[..=end], "{name}: {text:?}");
        }
    }
}

#[test]
fn embeddings_equal_those_of_transformers() {
    for name in ["quick", "gelu"] {
        let (encoder, golden) = (open(name).text_encoder().unwrap(), golden(name));
        let ours = encoder.encode(&texts(&golden)).unwrap();
        let apart = furthest(ours.as_slice(), &golden_values(name, "embeddings"));
        assert!(apart < BOUND, "{name}: {apart}");
    }
}

#[test]
fn features_equal_those_of_transformers() {
    for name in ["quick", "gelu"] {
        let encoder = open(name).image_encoder().unwrap();
        let ours = encoder.features(&golden_values(name, "pixels")).unwrap();
        let apart = furthest(&flat(&ours), &golden_values(name, "features"));
        assert!(apart < BOUND, "{name}: {apart}");
    }
}

#[test]
fn a_row_of_a_batch_equals_the_row_alone() {
    let (checkpoint, golden) = (open("gelu"), golden("gelu"));
    let text = checkpoint.text_encoder().unwrap();
    let batch = text.encode(&texts(&golden)).unwrap();
    for (label, row) in texts(&golden).iter().zip(batch.rows()) {
        let alone = text.encode(&[label]).unwrap();
        assert!(furthest(alone.as_slice(), row) < BOUND, "{label:?}");
    }
    let vision = checkpoint.image_encoder().unwrap();
    let pixels = golden_values("gelu", "pixels");
    let batch = vision.features(&pixels).unwrap();
    for (pixels, row) in pixels.chunks(pixels.len() / 3).zip(&batch) {
        let alone = vision.features(pixels).unwrap();
        assert!(furthest(alone[0].as_slice(), row.as_slice()) < BOUND);
    }
}

#[test]
fn what_follows_end_of_text_changes_nothing() {
    let encoder = open("quick").text_encoder().unwrap();
    let mut padded = Tokens::new();
    let plain = encoder.tokenize(&["a photo of a cat"]).unwrap();
    let mut ids = plain.get(0).unwrap().to_vec();
    padded.push(&ids);
    ids.resize(77, encoder.end_of_text());
    padded.push(&ids);
    let rows = encoder.embed(&padded).unwrap();
    assert_eq!(rows.as_slice()[..16], rows.as_slice()[16..]);
}

#[test]
fn no_text_gives_no_row() {
    let encoder = open("quick").text_encoder().unwrap();
    assert!(encoder.encode(&[]).unwrap().is_empty());
    assert!(open("quick").image_encoder().unwrap().features(&[]).unwrap().is_empty());
}

// ---- one model in other files ----

#[test]
fn shards_give_the_same_rows() {
    let folder = copy("gelu");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    for (shard, parity) in [("a.safetensors", 0), ("b.safetensors", 1)] {
        let part: HashMap<_, _> =
            whole.iter().enumerate().filter(|(n, _)| n % 2 == parity).map(|(_, t)| t).collect();
        part.keys().for_each(|name| {
            map.insert(name.to_string(), shard.into());
        });
        fs::write(folder.path().join(shard), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    fs::remove_file(&path).unwrap();
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();

    let ours = encode_cat(&Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap());
    assert_eq!(ours, encode_cat(&open("gelu").text_encoder().unwrap()));
}

fn encode_cat(encoder: &ClipText) -> Vec<f32> {
    encoder.encode(&["a photo of a cat"]).unwrap().as_slice().to_vec()
}

#[test]
fn the_fingerprint_follows_the_bytes_and_not_the_place() {
    let folder = copy("quick");
    let base = open("quick").fingerprint().unwrap();
    assert_eq!(base.len(), 64);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap(), base);
    for name in ["config.json", "merges.txt", "preprocessor_config.json"] {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
        let other = Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap();
        assert_ne!(other, base, "{name}");
        fs::write(&path, text).unwrap();
    }
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap(), base);
}

// ---- damaged and foreign checkpoints ----

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
fn the_known_extras_may_be_there_or_not() {
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

fn edit(folder: &TempDir, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(name);
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
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

// ---- sequences and pixels of other models ----

#[test]
fn sequences_of_another_tokenizer_are_refused() {
    let encoder = open("quick").text_encoder().unwrap();
    let embed = |ids: &[u32]| {
        let mut tokens = Tokens::new();
        tokens.push(&[600, 601]);
        tokens.push(ids);
        encoder.embed(&tokens).unwrap_err().to_string()
    };
    let expected = "token sequence 1: expected at most 77 tokens that end with 601, found ";
    assert_eq!(embed(&[]), format!("{expected}0 tokens without it"));
    assert_eq!(embed(&[600, 5]), format!("{expected}2 tokens without it"));
    let mut long = [5; 78];
    long[77] = 601;
    assert_eq!(embed(&long), format!("{expected}78 tokens"));
    assert_eq!(embed(&[600, 602, 601]), "the tensor engine failed to embed texts");
}

#[test]
fn half_an_image_is_refused() {
    let encoder = open("quick").image_encoder().unwrap();
    let error = encoder.features(&[0.0; 100]).unwrap_err().to_string();
    assert_eq!(error, "an image's pixels has 100 values a row, expected 3072");
}
