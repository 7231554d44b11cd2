//! Tokens, embeddings and features equal those of transformers.

use interrogate::encoder::{Features, TextEncoder, Tokens};
use interrogate::weights::Weights;
use serde_json::Value;

use super::*;

/// Largest allowed difference from transformers' values, and of a row in a batch from the
/// row alone. Measured: at most 5e-7.
const BOUND: f32 = 1e-5;

fn golden(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(name).join("golden.json")).unwrap()).unwrap()
}

fn golden_values(name: &str, what: &str) -> Vec<f32> {
    let weights = Weights::open(&fixture(name).join("golden.safetensors")).unwrap();
    let shape = weights.shape(what).unwrap().to_vec();
    weights.values(what, &shape).unwrap()
}

fn texts(golden: &Value) -> Vec<&str> {
    golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn max_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn flat(features: &[Features]) -> Vec<f32> {
    features.iter().flat_map(|features| features.as_slice().to_vec()).collect()
}

/// `quick` has vocab.json and merges.txt, `gelu` tokenizer.json.
#[test]
fn tokens_equal_those_of_transformers() {
    for name in ["quick", "gelu"] {
        let (encoder, golden) = (open(name).text_encoder().unwrap(), golden(name));
        let tokens = encoder.tokenize(&texts(&golden)).unwrap();
        let theirs: Vec<Vec<u32>> = serde_json::from_value(golden["ids"].clone()).unwrap();
        for ((text, ours), theirs) in texts(&golden).iter().zip(tokens.iter()).zip(theirs) {
            // Ours end at the first end-of-text, where transformers reads the embedding.
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
        let difference = max_difference(ours.as_slice(), &golden_values(name, "embeddings"));
        assert!(difference < BOUND, "{name}: {difference}");
    }
}

#[test]
fn features_equal_those_of_transformers() {
    for name in ["quick", "gelu"] {
        let encoder = open(name).image_encoder().unwrap();
        let ours = encoder.features(&golden_values(name, "pixels")).unwrap();
        let difference = max_difference(&flat(&ours), &golden_values(name, "features"));
        assert!(difference < BOUND, "{name}: {difference}");
    }
}

#[test]
fn batched_row_equals_the_row_alone() {
    let (checkpoint, golden) = (open("gelu"), golden("gelu"));
    let text = checkpoint.text_encoder().unwrap();
    let batch = text.encode(&texts(&golden)).unwrap();
    for (label, row) in texts(&golden).iter().zip(batch.rows()) {
        let alone = text.encode(&[label]).unwrap();
        assert!(max_difference(alone.as_slice(), row) < BOUND, "{label:?}");
    }
    let vision = checkpoint.image_encoder().unwrap();
    let pixels = golden_values("gelu", "pixels");
    let batch = vision.features(&pixels).unwrap();
    for (pixels, row) in pixels.chunks(pixels.len() / 3).zip(&batch) {
        let alone = vision.features(pixels).unwrap();
        assert!(max_difference(alone[0].as_slice(), row.as_slice()) < BOUND);
    }
}

#[test]
fn tokens_after_end_of_text_change_nothing() {
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
