//! The encoder on every available device, including candle's CPU device, against this
//! library's own kernels.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::tests::{config, folder, tokenizer, weights};
use super::{MiniLm, TextEncoder};
use crate::Error;
use crate::encoder::Tokens;
use crate::error::WeightsError;
use crate::nn::{Compute, Precision, devices};

/// The maximum difference of a value of a unit row from that of the kernels.
const BOUND: f32 = 2e-5;

fn open(compute: &Compute, device: Option<&Device>) -> MiniLm {
    let folder = folder(&config(), &tokenizer(), &weights());
    MiniLm::open_on(folder.path(), compute, device).unwrap()
}

/// Texts of all lengths, from empty to beyond the context length.
fn texts() -> Vec<String> {
    let words = ["cat", "a photo of", "cats, 8", "blue", "\u{2603} cats"];
    let text = |number: usize| {
        let words = (0..number * number % 90).map(|i| words[(i * 7 + number) % words.len()]);
        words.collect::<Vec<_>>().join(" ")
    };
    (0..120).map(text).chain(["cat ".repeat(300), String::new()]).collect()
}

#[test]
fn texts_agree_with_the_kernels() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = open(&Compute::default(), None).encode(&texts).unwrap();
    for device in devices() {
        // One batch, several, and one per text.
        for batch_tokens in [1 << 20, 64, 1] {
            let compute = Compute { batch_tokens, ..Compute::default() };
            let found = open(&compute, Some(&device)).encode(&texts).unwrap();
            assert_eq!(found.len(), texts.len());
            for (row, (found, expected)) in found.rows().zip(expected.rows()).enumerate() {
                let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
                let difference = difference.fold(0.0, f32::max);
                assert!(difference < BOUND, "{device:?} {batch_tokens} {row}: {difference}");
            }
        }
    }
}

#[test]
fn empty_and_invalid_input_behaves_as_on_the_cpu() {
    for device in devices() {
        let ours = open(&Compute::default(), Some(&device));
        assert!(ours.encode(&[]).unwrap().is_empty());
        for (ids, expected) in [
            (&[2, 99][..], "token sequence 1: expected tokens below 12, found 99"),
            (&[2; 300], "token sequence 1: expected at most 260 tokens, found 300 tokens"),
            (&[], "row 1 of the embeddings is zero or not finite"),
        ] {
            let mut tokens = Tokens::new();
            tokens.push(&[2, 5, 3]);
            tokens.push(ids);
            assert_eq!(ours.embed(&tokens).unwrap_err().to_string(), expected);
        }
    }
}

#[test]
fn half_precision_is_close() {
    let texts = ["a cat", "a photo of a blue cat", "8, 8, 8"];
    let expected = open(&Compute::default(), None).encode(&texts).unwrap();
    for device in devices() {
        for precision in [Precision::F16, Precision::Bf16] {
            let compute = Compute { precision: Some(precision), ..Compute::default() };
            let found = open(&compute, Some(&device)).encode(&texts).unwrap();
            for (a, b) in found.rows().zip(expected.rows()) {
                let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!(cosine >= 0.999, "{device:?} {precision:?}: {cosine}");
            }
        }
    }
}

#[test]
fn missing_and_surplus_weights_are_refused() {
    let refused = |weights: &HashMap<String, Tensor>| {
        let folder = folder(&config(), &tokenizer(), weights);
        let opened = MiniLm::open_on(folder.path(), &Compute::default(), Some(&Device::Cpu));
        opened.unwrap_err()
    };
    let mut broken = weights();
    let one = broken.remove("encoder.layer.1.output.dense.bias").unwrap();
    assert!(matches!(refused(&broken), Error::Weights(WeightsError::Missing { .. })));
    broken.insert("encoder.layer.1.output.dense.bias".into(), one.clone());
    broken.insert("lm_head.bias".into(), one);
    assert!(matches!(refused(&broken), Error::Weights(WeightsError::Surplus { .. })));
}
