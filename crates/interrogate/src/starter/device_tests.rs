//! The starter on every available device, including candle's CPU device, against this
//! library's own kernels.

use super::convolve::{OnCpu, OnDevice};
use super::efficientnet::{Classifier, EfficientNet};
use super::tests::{golden, max_difference, pixels, starter};
use super::{StarterImage, StarterText, embedded};
use crate::encoder::TextEncoder;
use crate::nn::{Compute, devices};

#[test]
fn logits_agree_with_the_kernels_and_with_pytorch() {
    let golden = golden().photos;
    let photos: Vec<Vec<f32>> = golden.iter().map(pixels).collect();
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let starter = starter();
    let weights = || starter.files.weights(&embedded::CLASSIFIER).unwrap();
    let kernels = EfficientNet::load(weights(), OnCpu).unwrap();
    for device in devices() {
        let ours = EfficientNet::load(weights(), OnDevice(device.clone())).unwrap();
        let found = ours.logits(&photos).unwrap();
        assert_eq!(found.len(), photos.len());
        for ((photo, golden), found) in photos.iter().zip(&golden).zip(&found) {
            // The bounds are absolute; logits reach 10.
            let expected = kernels.logits(&[*photo]).unwrap().remove(0);
            let difference = max_difference(found, &expected);
            assert!(difference < 1e-4, "{device:?} {}: {difference}", golden.name);
            let difference = max_difference(found, &golden.logits);
            assert!(difference < 1e-3, "{device:?} {}: {difference}", golden.name);
            let alone = ours.logits(&[*photo]).unwrap();
            assert!(max_difference(&alone[0], found) < 1e-4);
        }
        assert!(ours.logits(&[]).unwrap().is_empty());
    }
}

#[test]
fn features_and_embeddings_agree_with_the_kernels() {
    let golden = golden();
    let texts: Vec<&str> = golden.texts.iter().map(|golden| golden.text.as_str()).collect();
    let photos: Vec<Vec<f32>> = golden.photos.iter().map(pixels).collect();
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let starter = starter();
    let expected = starter.text_encoder().unwrap().encode(&texts).unwrap();
    let images = starter.image_encoder().unwrap().features(&photos).unwrap();
    for device in devices() {
        let ours =
            StarterText::open_on(&starter.files, &Compute::default(), Some(&device)).unwrap();
        let found = ours.encode(&texts).unwrap();
        let difference = max_difference(found.as_slice(), expected.as_slice());
        assert!(difference < 2e-5, "{device:?}: {difference}");
        let ours = StarterImage::open_on(&starter.files, Some(&device)).unwrap();
        for (found, expected) in ours.features(&photos).unwrap().iter().zip(&images) {
            let difference = max_difference(found.as_slice(), expected.as_slice());
            assert!(difference < 2e-5, "{device:?}: {difference}");
        }
    }
}
