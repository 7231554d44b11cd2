//! The captioner on a device against transformers: one body for every device, the
//! engine's own processor always among them.

use super::super::super::tests::{Golden, fixture, near, searches, steps, weights};
use super::super::super::{Captioner, Generation};
use super::super::See;
use super::*;
use crate::rank::device::devices;

fn blip2(precision: Precision, device: &Device) -> Blip2<Eyes> {
    let checkpoint = weights("blip2-opt", precision);
    let on = (device, crate::Device::Cuda(0));
    Blip2::open_on(&fixture("blip2-opt"), checkpoint, precision, on).unwrap()
}

#[test]
fn blip2_gives_the_captions_of_transformers() {
    let golden = Golden::of("blip2-opt");
    for device in devices() {
        let model = blip2(Precision::F32, &device);
        let vision = model.eyes.tower(&golden.values("pixels")).unwrap();
        let qformer = model.eyes.queries(&vision).unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        near("vision", &flat(&vision), &golden.values("vision"), 1e-4);
        near("qformer", &flat(&qformer), &golden.values("qformer"), 1e-4);
        let seen = model.eyes.see(&golden.values("pixels")).unwrap();
        let prompts = |text: &[u32]| model.prompts(&seen, text).unwrap();
        steps(&golden, model.decoder(), prompts(&[2]));
        searches(&golden, model.decoder(), prompts, 2);
    }
}

/// The fixture's weights are whole f16 numbers; what meets them is rounded to f16.
#[test]
fn half_weights_stay_near() {
    let golden = Golden::of("blip2-opt");
    for device in devices() {
        let see = |precision| blip2(precision, &device).eyes.see(&golden.values("pixels")).unwrap();
        let (whole, half) = (see(Precision::F32), see(Precision::F16));
        near("projected", half.values(), whole.values(), 0.05);
        assert_ne!(half, whole);
    }
}

/// A prompt, its tokens, and the words where it leaves no room or images are cut off.
#[test]
fn a_caption_begins_as_on_the_processor() {
    let pixels = Golden::of("blip2-opt").values("pixels");
    let kernels = Blip2::open(&fixture("blip2-opt"), weights("blip2-opt", Precision::F32));
    let kernels = kernels.unwrap();
    for device in devices() {
        let model = blip2(Precision::F32, &device);
        for prompt in
            ["", "w17", "w17 w30 w5", "w7 ".repeat(50).as_str(), "w7 ".repeat(64).as_str()]
        {
            for pixels in [&pixels[..], &pixels[1..], &[]] {
                let options = Generation { prompt: prompt.to_owned(), ..Generation::default() };
                let caption = |model: &dyn Captioner| {
                    let captions = model.caption_pixels(pixels, &options, &mut |_| {});
                    captions.map_err(|error| error.to_string())
                };
                let (found, expected) = (caption(&model), caption(&kernels));
                assert_eq!(found, expected, "{device:?} {prompt:?} {}", pixels.len());
                let refused = prompt.len() > 100 || pixels.len() % 2 == 1;
                assert_eq!(found.is_err(), refused, "{prompt:?} {}", pixels.len());
            }
        }
    }
}

#[test]
fn what_has_no_device_is_named() {
    let on = (&Device::Cpu, crate::Device::Cuda(1));
    let open = |name: &str, precision| {
        Blip2::open_on(&fixture(name), weights(name, precision), precision, on).unwrap_err()
    };
    let error = open("blip2-t5", Precision::F32).to_string();
    let rest = "computes on the processor alone, and cuda:1 was asked for";
    assert_eq!(error, format!("BLIP-2 with Flan-T5 {rest}"));
    let error = open("blip2-opt", Precision::Q8).to_string();
    assert_eq!(error, format!("q8, eight-bit weights, {rest}"));
}
