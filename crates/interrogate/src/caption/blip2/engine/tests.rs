//! The captioner on a device against transformers: one body for every device, the
//! engine's own processor always among them.

use super::super::super::tests::{Golden, fixture, near, searches, steps, weights};
use super::*;
use crate::rank::device::devices;

fn blip2(precision: Precision, device: &Device) -> Blip2 {
    let checkpoint = weights("blip2-opt", precision);
    let on = (device, crate::Device::Cuda(0));
    Blip2::open(&fixture("blip2-opt"), checkpoint, precision, on).unwrap()
}

#[test]
fn blip2_gives_the_captions_of_transformers() {
    let golden = Golden::of("blip2-opt");
    for device in devices() {
        let model = blip2(Precision::F32, &device);
        let vision = model.vision.forward(&golden.values("pixels")).unwrap();
        let images = vision.dim(0).unwrap() / model.vision.places();
        let qformer = model.qformer.forward(images, &vision).unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        near("vision", &flat(&vision), &golden.values("vision"), 1e-4);
        near("qformer", &flat(&qformer), &golden.values("qformer"), 1e-4);
        let seen = model.see(&golden.values("pixels")).unwrap();
        let prompts = |text: &[u32]| model.prompts(&seen, text);
        steps(&golden, model.decoder(), prompts(&[2]));
        searches(&golden, model.decoder(), prompts, 2);
    }
}

/// The fixture's weights are whole f16 numbers; what meets them is rounded to f16.
#[test]
fn half_weights_stay_near() {
    let golden = Golden::of("blip2-opt");
    for device in devices() {
        let whole = blip2(Precision::F32, &device).see(&golden.values("pixels")).unwrap();
        let half = blip2(Precision::F16, &device).see(&golden.values("pixels")).unwrap();
        near("projected", half.values(), whole.values(), 0.05);
        assert_ne!(half, whole);
    }
}

#[test]
fn what_has_no_device_is_named() {
    let on = (&Device::Cpu, crate::Device::Cuda(1));
    let open = |name: &str, precision| {
        Blip2::open(&fixture(name), weights(name, precision), precision, on).unwrap_err()
    };
    let error = open("blip2-t5", Precision::F32).to_string();
    let rest = "computes on the processor alone, and cuda:1 was asked for";
    assert_eq!(error, format!("BLIP-2 with Flan-T5 {rest}"));
    let error = open("blip2-opt", Precision::Q8).to_string();
    assert_eq!(error, format!("q8, eight-bit weights, {rest}"));
}
