//! The starter against its references. `tests/fixtures/starter/golden.py` made the golden
//! values, and lists the versions.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::classes::likeliest;
use super::*;
use crate::encoder::TextEncoder;
use crate::models::HAS_STARTER;

#[derive(Deserialize)]
pub(super) struct Golden {
    pub(super) texts: Vec<Text>,
    pub(super) photos: Vec<Photo>,
}

#[derive(Deserialize)]
pub(super) struct Text {
    pub(super) text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
pub(super) struct Photo {
    pub(super) name: String,
    pub(super) logits: Vec<f32>,
    likeliest: Vec<usize>,
    features: Vec<f32>,
}

/// The folder of the repository that holds the files.
pub(super) fn weights() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/weights"))
}

/// The starter, from the repository's folder if it is not compiled in.
pub(super) fn starter() -> Starter {
    Starter::open((!HAS_STARTER).then(weights)).unwrap()
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/starter")).join(name)
}

pub(super) fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(fixture("golden.json")).unwrap()).unwrap()
}

/// Returns the pixels (3, 224, 224) of a fixture, which is already cropped.
pub(super) fn pixels(photo: &Photo) -> Vec<f32> {
    let picture = image_file(&photo.name);
    let channel = |c: usize| picture.iter().skip(c).step_by(3);
    (0..3).flat_map(channel).map(|&value| (f32::from(value) - 127.0) / 128.0).collect()
}

fn image_file(name: &str) -> Vec<u8> {
    let picture = ::image::open(fixture(&format!("{name}.png"))).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (SIDE as u32, SIDE as u32));
    picture.into_raw()
}

pub(super) fn max_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn tokens_and_embeddings_agree_with_sentence_transformers() {
    let encoder = starter().text_encoder().unwrap();
    let golden = golden().texts;
    let texts: Vec<&str> = golden.iter().map(|golden| golden.text.as_str()).collect();
    let tokens = encoder.tokenize(&texts).unwrap();
    let rows = encoder.sentences().embed(&tokens).unwrap();
    for ((golden, ids), row) in golden.iter().zip(tokens.iter()).zip(rows.rows()) {
        assert_eq!(ids, golden.ids, "{}", golden.text);
        // The reference is f32, the embedded weights are f16.
        let difference = max_difference(row, &golden.embedding);
        assert!(difference < 1e-3, "{}: {difference}", golden.text);
    }
}

#[test]
fn a_text_embeds_in_a_batch_as_alone() {
    let encoder = starter().text_encoder().unwrap();
    let texts = ["a cat", "egyptian art", "a dog", "by Leonardo da Vinci, trending on artstation"];
    let together = encoder.encode(&texts).unwrap();
    for (text, row) in texts.iter().zip(together.rows()) {
        let alone = encoder.encode(&[text]).unwrap();
        assert!(max_difference(row, alone.as_slice()) < 1e-5, "{text}");
    }
}

#[test]
fn logits_and_features_agree_with_pytorch() {
    let encoder = starter().image_encoder().unwrap();
    for photo in golden().photos {
        let pixels = pixels(&photo);
        let logits = encoder.classifier.logits(&[&pixels]).unwrap().remove(0);
        let difference = max_difference(&logits, &photo.logits);
        assert!(difference < 1e-3, "{}: {difference}", photo.name);
        let classes: Vec<usize> = likeliest(&logits).iter().map(|&(class, _)| class).collect();
        assert_eq!(classes[..5], photo.likeliest[..5], "{}", photo.name);
        let features = encoder.features(&[&pixels]).unwrap().remove(0);
        let difference = max_difference(features.as_slice(), &photo.features);
        assert!(difference < 1e-4, "{}: {difference}", photo.name);
    }
}

#[test]
fn photos_rank_the_matching_label_first() {
    let (images, texts) = (starter().image_encoder().unwrap(), starter().text_encoder().unwrap());
    let labels = ["a dog", "a cup of coffee", "a cat", "a rocket", "a red car", "a beach"];
    let rows = texts.encode(&labels).unwrap();
    for (photo, label) in golden().photos.iter().zip(["a cat", "a cup of coffee", "a rocket"]) {
        let features = images.features(&[&pixels(photo)]).unwrap().remove(0);
        let score = |row: &[f32]| cosine(row, features.as_slice());
        let best = rows.rows().map(score).zip(labels).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert_eq!(best.1, label, "{best:?}");
    }
}

#[test]
fn class_embeddings_agree_with_the_sentence_encoder() {
    let encoder = starter().text_encoder().unwrap();
    let names: Vec<&str> = include_str!("../../weights/classes.txt").lines().collect();
    let rows: Vec<&[f32]> = encoder.classes.embeddings.chunks_exact(DIM).collect();
    assert_eq!(names.len(), rows.len());
    for class in [0, 281, 504, 657, 967, 999] {
        let text = format!("a photo of a {}", names[class]);
        let ours = encoder.sentences().encode(&[&text]).unwrap();
        assert!(max_difference(ours.as_slice(), rows[class]) < 1e-5, "{text}");
    }
    let mean: Vec<f32> = (0..DIM)
        .map(|column| rows.iter().map(|row| f64::from(row[column])).sum::<f64>() / 1000.0)
        .map(|mean| mean as f32)
        .collect();
    assert!(max_difference(&mean, &encoder.classes.mean) < 1e-6);
}

#[test]
fn dim_is_the_encoders_and_the_fingerprint_is_a_digest() {
    let starter = starter();
    assert_eq!(starter.text_encoder().unwrap().dim(), starter.dim());
    let fingerprint = starter.fingerprint();
    assert_eq!(fingerprint.len(), 64);
    assert!(fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()), "{fingerprint}");
}

#[test]
fn the_notice_is_one_line_and_names_the_option_for_clip() {
    assert!(!NOTICE.contains('\n'));
    assert!(NOTICE.contains("--model") && NOTICE.contains("openai/clip-vit-base-patch32"));
}
