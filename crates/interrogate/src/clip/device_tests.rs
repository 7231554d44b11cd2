//! The towers on every available device, including candle's CPU device, against this
//! library's own kernels.

use std::path::{Path, PathBuf};

use super::Checkpoint;
use crate::encoder::ImageEncoder;
use crate::encoder::{Continuations, Embeddings, TextEncoder};
use crate::nn::{Compute, Precision, devices};
use crate::picture::Picture;

/// The maximum difference of a value of a unit row from that of the kernels.
const BOUND: f32 = 2e-5;

fn open(name: &str) -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    Checkpoint::open(&folder.join(name)).unwrap()
}

/// One checkpoint of each architecture.
const ALL: [&str; 5] =
    ["clip/quick", "clip/gelu", "siglip/open_clip", "siglip/siglip2", "siglip/transformers"];

fn max_difference(a: &[f32], b: &[f32]) -> f32 {
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
fn labels_agree_with_the_kernels() {
    let labels = labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    assert!(labels.len() > 600);
    for name in ALL {
        let expected = open(name).text_encoder().unwrap().encode(&labels).unwrap();
        for device in devices() {
            // One trie, and many.
            for batch_tokens in [1024, 3] {
                let compute = Compute { batch_tokens, ..Compute::default() };
                let tower = open(name).text_encoder_on(&compute, Some(&device)).unwrap();
                let found = tower.encode(&labels).unwrap();
                let difference = max_difference(found.as_slice(), expected.as_slice());
                assert!(difference < BOUND, "{name} {device:?} {batch_tokens}: {difference}");
            }
        }
    }
}

#[test]
fn a_label_embeds_alone_as_in_a_batch() {
    for device in devices() {
        let tower = open("clip/quick").text_encoder_on(&Compute::default(), Some(&device)).unwrap();
        let alone = tower.encode(&["a cat"]).unwrap();
        let both = tower.encode(&["a dog on a boat", "a cat"]).unwrap();
        assert!(max_difference(alone.as_slice(), &both.as_slice()[tower.dim()..]) < BOUND);
        assert!(tower.encode(&[]).unwrap().is_empty());
    }
}

#[test]
fn continuations_agree_with_whole_texts() {
    let suffixes = [", highly detailed", ", 8 k", "'s", "", ", highly detailed digital painting"];
    let prompts = ["a", "", "a photo of a cat", "a photo of a dog, it's", "a photo of", "a"];
    for name in ["clip/quick", "clip/gelu"] {
        let kernels = open(name).text_encoder().unwrap();
        for device in devices() {
            let tower = open(name).text_encoder_on(&Compute::default(), Some(&device)).unwrap();
            let mut chain = tower.continuations().unwrap();
            for prompt in prompts {
                let whole: Vec<String> = suffixes.iter().map(|s| [prompt, s].concat()).collect();
                let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
                let expected: Embeddings = kernels.encode(&whole).unwrap();
                let found = Continuations::embed(chain.as_mut(), prompt, &suffixes).unwrap();
                let difference = max_difference(found.as_slice(), expected.as_slice());
                assert!(difference < BOUND, "{name} {device:?} {prompt:?}: {difference}");
            }
            assert!(chain.embed("a", &[]).unwrap().is_empty());
        }
    }
}

#[test]
fn images_agree_with_the_kernels() {
    for name in ALL {
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
                    let difference = max_difference(found.as_slice(), expected.as_slice());
                    assert!(difference < BOUND, "{name} {device:?}: {difference}");
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
fn half_precision_is_close() {
    let labels = ["a cat", "a painting of a boat", "trending on artstation"];
    let expected = open("clip/gelu").text_encoder().unwrap().encode(&labels).unwrap();
    for device in devices() {
        for precision in [Precision::F16, Precision::Bf16] {
            let compute = Compute { precision: Some(precision), ..Compute::default() };
            let tower = open("clip/gelu").text_encoder_on(&compute, Some(&device)).unwrap();
            let found = tower.encode(&labels).unwrap();
            for (a, b) in found.rows().zip(expected.rows()) {
                let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!(cosine >= 0.9995, "{device:?} {precision:?}: {cosine}");
            }
        }
    }
}

/// Prints how close rows of 16 bits are to f32's: for the checkpoint CHECKPOINT, every STEPth of
/// the flavors, and the photos of tests/fixtures.
#[test]
#[ignore = "a measurement: needs CHECKPOINT"]
#[allow(clippy::print_stderr)]
fn measure_half_precision() {
    let path = PathBuf::from(std::env::var_os("CHECKPOINT").unwrap());
    let step = std::env::var("STEP").map_or(1, |step| step.parse().unwrap());
    let checkpoint = Checkpoint::open(&path).unwrap();
    let labels = labels();
    let labels: Vec<&str> = labels.iter().step_by(step).map(String::as_str).collect();
    let texts = checkpoint.text_encoder().unwrap().encode(&labels).unwrap();
    let cpu = checkpoint.image_encoder().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos");
    let photos = ["astronaut", "cat", "coffee", "rocket"].map(|name| {
        let photo = Picture::open(&folder.join(format!("{name}.jpg"))).unwrap();
        cpu.prepare(&photo).unwrap()
    });
    let photos: Vec<_> = photos.iter().collect();
    let images = cpu.encode_prepared(&photos).unwrap();
    for device in devices() {
        for precision in [Precision::F16, Precision::Bf16] {
            let compute = Compute { precision: Some(precision), ..Compute::default() };
            let report = |what: &str, cosines: Vec<f64>| {
                let least = cosines.iter().copied().fold(1.0, f64::min);
                let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
                let count = cosines.len();
                eprintln!(
                    "{precision} {what}: 1 - cosine of {count}: mean {:.1e}, most {:.1e}",
                    1.0 - mean,
                    1.0 - least
                );
            };
            let tower = checkpoint.text_encoder_on(&compute, Some(&device)).unwrap();
            let found = tower.encode(&labels).unwrap();
            report("texts", found.rows().zip(texts.rows()).map(|(a, b)| cosine(a, b)).collect());
            let tower = checkpoint.image_encoder_on(&compute, Some(&device)).unwrap();
            let found = tower.encode_prepared(&photos).unwrap();
            let pairs = found.iter().zip(&images);
            report("images", pairs.map(|(a, b)| cosine(a.as_slice(), b.as_slice())).collect());
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
