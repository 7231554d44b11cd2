//! The towers on a device against those of this library's kernels: one body for every
//! device, the engine's own processor always among them.

use std::path::{Path, PathBuf};

use super::Checkpoint;
use crate::encoder::{Continuations, Embeddings, TextEncoder};
use crate::nn::{Compute, Precision, devices};

/// How far a value of a unit row may be from the kernels'.
const BOUND: f32 = 2e-5;

fn open(name: &str) -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/clip");
    Checkpoint::open(&folder.join(name)).unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Every 150th line of the flavors.
fn labels() -> Vec<String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts/flavors.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.is_empty()).step_by(150).map(str::to_owned).collect()
}

#[test]
fn labels_are_where_the_kernels_put_them() {
    let labels = labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    assert!(labels.len() > 600);
    for name in ["quick", "gelu"] {
        let expected = open(name).text_encoder().unwrap().encode(&labels).unwrap();
        for device in devices() {
            // All in one trie, and in many.
            for batch_tokens in [1024, 3] {
                let compute = Compute { batch_tokens, ..Compute::default() };
                let tower = open(name).text_encoder_on(&compute, Some(&device)).unwrap();
                let found = tower.encode(&labels).unwrap();
                let apart = furthest(found.as_slice(), expected.as_slice());
                assert!(apart < BOUND, "{name} {device:?} {batch_tokens}: {apart}");
            }
        }
    }
}

#[test]
fn a_label_is_where_it_is_in_company() {
    for device in devices() {
        let tower = open("quick").text_encoder_on(&Compute::default(), Some(&device)).unwrap();
        let alone = tower.encode(&["a cat"]).unwrap();
        let both = tower.encode(&["a dog on a boat", "a cat"]).unwrap();
        assert!(furthest(alone.as_slice(), &both.as_slice()[tower.dim()..]) < BOUND);
        assert!(tower.encode(&[]).unwrap().is_empty());
    }
}

#[test]
fn a_chain_is_where_whole_texts_are() {
    let suffixes = [", highly detailed", ", 8 k", "'s", "", ", highly detailed digital painting"];
    let prompts = ["a", "", "a photo of a cat", "a photo of a dog, it's", "a photo of", "a"];
    for name in ["quick", "gelu"] {
        let kernels = open(name).text_encoder().unwrap();
        for device in devices() {
            let tower = open(name).text_encoder_on(&Compute::default(), Some(&device)).unwrap();
            let mut chain = tower.continuations().unwrap();
            for prompt in prompts {
                let whole: Vec<String> = suffixes.iter().map(|s| [prompt, s].concat()).collect();
                let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
                let expected: Embeddings = kernels.encode(&whole).unwrap();
                let found = Continuations::embed(chain.as_mut(), prompt, &suffixes).unwrap();
                let apart = furthest(found.as_slice(), expected.as_slice());
                assert!(apart < BOUND, "{name} {device:?} {prompt:?}: {apart}");
            }
            assert!(chain.embed("a", &[]).unwrap().is_empty());
        }
    }
}

#[test]
fn images_are_where_the_kernels_put_them() {
    for name in ["quick", "gelu"] {
        let kernels = open(name).image_encoder().unwrap();
        let side = kernels.image_size();
        let pixels: Vec<f32> =
            (0..5 * 3 * side * side).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        let expected = kernels.features(&pixels).unwrap();
        for device in devices() {
            for batch_tokens in [1024, 1] {
                let compute = Compute { batch_tokens, ..Compute::default() };
                let tower = open(name).image_encoder_on(&compute, Some(&device)).unwrap();
                let found = tower.features(&pixels).unwrap();
                assert_eq!(found.len(), 5);
                for (found, expected) in found.iter().zip(&expected) {
                    let apart = furthest(found.as_slice(), expected.as_slice());
                    assert!(apart < BOUND, "{name} {device:?}: {apart}");
                }
            }
            let tower = open(name).image_encoder_on(&Compute::default(), Some(&device)).unwrap();
            assert!(
                tower.features(&pixels[1..]).is_err() && tower.features(&[]).unwrap().is_empty()
            );
        }
    }
}

#[test]
fn halves_are_near() {
    let labels = ["a cat", "a painting of a boat", "trending on artstation"];
    let expected = open("gelu").text_encoder().unwrap().encode(&labels).unwrap();
    for device in devices() {
        for precision in [Precision::F16, Precision::Bf16] {
            let compute = Compute { precision, ..Compute::default() };
            let tower = open("gelu").text_encoder_on(&compute, Some(&device)).unwrap();
            let found = tower.encode(&labels).unwrap();
            for (a, b) in found.rows().zip(expected.rows()) {
                let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!(cosine >= 0.9995, "{device:?} {precision:?}: {cosine}");
            }
        }
    }
}
