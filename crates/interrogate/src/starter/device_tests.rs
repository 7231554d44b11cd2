//! The starter on a device against this library's kernels: one body for every device,
//! the engine's own processor always among them.

use super::convolve::{ChannelsFirst, ChannelsLast};
use super::efficientnet::EfficientNet;
use super::tests::{apart, golden, pixels};
use super::{Starter, StarterImage, StarterText, embedded};
use crate::encoder::TextEncoder;
use crate::nn::{Compute, devices};

#[test]
fn photos_classify_as_by_the_kernels_and_as_pytorch_has_them() {
    let golden = golden().photos;
    let photos: Vec<Vec<f32>> = golden.iter().map(pixels).collect();
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let kernels = Box::new(ChannelsFirst);
    let kernels = EfficientNet::load(embedded::classifier().unwrap(), kernels).unwrap();
    for device in devices() {
        let ours = Box::new(ChannelsLast(device.clone()));
        let ours = EfficientNet::load(embedded::classifier().unwrap(), ours).unwrap();
        let found = ours.logits(&photos).unwrap();
        assert_eq!(found.len(), photos.len());
        for ((photo, golden), found) in photos.iter().zip(&golden).zip(&found) {
            // Logits reach 10.
            let expected = kernels.logits(&[*photo]).unwrap().remove(0);
            let far = apart(found, &expected);
            assert!(far < 1e-4, "{device:?} {}: {far}", golden.name);
            let far = apart(found, &golden.logits);
            assert!(far < 1e-3, "{device:?} {}: {far}", golden.name);
            let alone = ours.logits(&[*photo]).unwrap();
            assert!(apart(&alone[0], found) < 1e-4);
        }
        assert!(ours.logits(&[]).unwrap().is_empty());
    }
}

#[test]
fn both_sides_are_where_the_kernels_put_them() {
    let golden = golden();
    let texts: Vec<&str> = golden.texts.iter().map(|golden| golden.text.as_str()).collect();
    let photos: Vec<Vec<f32>> = golden.photos.iter().map(pixels).collect();
    let photos: Vec<&[f32]> = photos.iter().map(Vec::as_slice).collect();
    let starter = Starter::open();
    let expected = starter.text_encoder().unwrap().encode(&texts).unwrap();
    let images = starter.image_encoder().unwrap().features(&photos).unwrap();
    for device in devices() {
        let ours = StarterText::open_on(&Compute::default(), Some(&device)).unwrap();
        let found = ours.encode(&texts).unwrap();
        let far = apart(found.as_slice(), expected.as_slice());
        assert!(far < 2e-5, "{device:?}: {far}");
        let ours = StarterImage::open_on(Some(&device)).unwrap();
        for (found, expected) in ours.features(&photos).unwrap().iter().zip(&images) {
            let far = apart(found.as_slice(), expected.as_slice());
            assert!(far < 2e-5, "{device:?}: {far}");
        }
    }
}
