//! Taggers against timm, on the CPU and on every device.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::nn::{Compute, Precision, devices};
use crate::picture::{DecodeOptions, Picture, Pixels};
use crate::{Error, Result};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

#[derive(Deserialize)]
struct Golden {
    images: Vec<GoldenImage>,
}

#[derive(Deserialize)]
struct GoldenImage {
    image: String,
    sums: [f64; 3],
    first: [[f32; 6]; 3],
    scores: Vec<f32>,
}

fn golden(name: &str) -> Vec<GoldenImage> {
    let text = std::fs::read(fixtures().join(format!("tagger/{name}/golden.json"))).unwrap();
    serde_json::from_slice::<Golden>(&text).unwrap().images
}

fn open(name: &str) -> Tagger {
    Tagger::open(&fixtures().join("tagger").join(name), &Compute::default()).unwrap()
}

fn picture(name: &str) -> Picture {
    let path = fixtures().join(name);
    let options = DecodeOptions { background: Some(BACKGROUND), ..DecodeOptions::default() };
    Picture::decode_with(&std::fs::read(&path).unwrap(), &path, options, |_| ()).unwrap()
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn input_is_that_of_timm() {
    let tagger = open("eva02");
    let golden = golden("eva02");
    assert_eq!(golden.len(), 12);
    for GoldenImage { image, sums, first, .. } in golden {
        let pixels = tagger.prepare(&picture(&image)).unwrap();
        let channels = pixels.as_slice().chunks_exact(24 * 24);
        for ((channel, sum), first) in channels.zip(sums).zip(first) {
            let found: f64 = channel.iter().map(|value| f64::from(*value)).sum();
            // Decoders of JPEG differ by one level in some pixels.
            let bound = if image.ends_with(".jpg") { 1.0 } else { 1e-3 };
            assert!((found - sum).abs() < bound, "{image}: {found}, not {sum}");
            let bound = if image.ends_with(".jpg") { 0.01 } else { 1e-6 };
            assert!(difference(&channel[..6], &first) < bound, "{image}");
        }
    }
}

#[test]
fn scores_are_those_of_timm() {
    for name in ["eva02", "vit"] {
        let golden = golden(name);
        let pictures: Vec<Picture> = golden.iter().map(|it| picture(&it.image)).collect();
        let folder = fixtures().join("tagger").join(name);
        let close = |tagger: &Tagger, bound: f32| {
            let scores = tagger.score(&pictures).unwrap();
            for (found, GoldenImage { image, scores, .. }) in scores.iter().zip(&golden) {
                let bound = if image.ends_with(".jpg") { bound.max(0.01) } else { bound };
                let difference = difference(found, scores);
                assert!(difference < bound, "{name} {image}: {difference}");
            }
        };
        close(&open(name), 1e-5);
        for device in devices() {
            for (precision, bound) in [(Precision::F32, 1e-5), (Precision::F16, 0.02)] {
                let compute = Compute { precision: Some(precision), ..Compute::default() };
                close(&Tagger::open_on(&folder, &compute, Some(&device)).unwrap(), bound);
            }
        }
    }
}

#[test]
fn batch_changes_no_score() {
    let compute = Compute { batch_tokens: 40, ..Compute::default() };
    let small = Tagger::open(&fixtures().join("tagger/vit"), &compute).unwrap();
    let tagger = open("vit");
    let pictures = ["pictures/rgb.png", "photos/cat.jpg", "pictures/rgba.png"].map(picture);
    let pixels: Vec<Pixels> = pictures.iter().map(|it| tagger.prepare(it).unwrap()).collect();
    let together = tagger.score(&pictures).unwrap();
    assert_eq!(small.score(&pictures).unwrap(), together);
    for (pixels, expected) in pixels.iter().zip(&together) {
        assert_eq!(tagger.score_prepared(&[pixels]).unwrap()[0], *expected);
    }
    assert!(tagger.score(&[]).unwrap().is_empty());
    assert_eq!(tagger.tags().len(), together[0].len());
}

/// A copy of the fixture `vit` with one file changed.
fn changed(file: &str, from: &str, to: &str) -> Result<Tagger> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "selected_tags.csv", "model.safetensors"] {
        let bytes = std::fs::read(fixtures().join("tagger/vit").join(name)).unwrap();
        let replace = |bytes| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes();
        let bytes = if name == file { replace(bytes) } else { bytes };
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    Tagger::open(folder.path(), &Compute::default())
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let message = |file, from: &str, to: &str| changed(file, from, to).unwrap_err().to_string();
    assert!(changed("config.json", "nothing", "").is_ok());
    let found = message("selected_tags.csv", "9999993,explicit,9,997\n", "");
    assert!(found.contains("tags: expected 19 as in config.json, found 18"), "{found}");
    let found = message("config.json", "\"depth\": 2", "\"depth\": 1");
    assert!(found.contains("blocks.1.") || found.contains("layers.1."), "{found}");
    let found = message("config.json", "\"depth\": 2", "\"depth\": 3");
    assert!(found.contains("layers.2."), "{found}");
    let found = message("config.json", "\"embed_dim\": 32", "\"embed_dim\": 64");
    assert!(found.contains("expected"), "{found}");
    let error = Tagger::open(&fixtures(), &Compute::default()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
