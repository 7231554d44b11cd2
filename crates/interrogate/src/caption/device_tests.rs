//! Captioners on a device: one body for every device, the engine's own processor always among
//! them.

use super::tests::{Golden, blip, blip_equals_transformers, blip2, blip2_equals_transformers};
use super::tests::{fixture, near};
use super::*;
use crate::nn::devices;

#[test]
fn blip2_with_opt_gives_the_captions_of_transformers() {
    for device in devices() {
        blip2_equals_transformers("blip2-opt", 2, Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn blip2_with_flan_t5_gives_the_captions_of_transformers() {
    for device in devices() {
        blip2_equals_transformers("blip2-t5", 1, Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn blip_gives_the_captions_of_transformers() {
    for device in devices() {
        blip_equals_transformers(Gpu::new(&device, Precision::F32));
    }
}

/// The fixture's weights are whole f16 numbers; what meets them is rounded to f16.
#[test]
fn half_weights_stay_near() {
    let pixels = Golden::of("blip2-opt").values("pixels");
    for device in devices() {
        let see = |precision| {
            let backend = Gpu::new(&device, precision);
            let seen = blip2("blip2-opt", backend.clone()).see(&pixels).unwrap();
            backend.download(seen).unwrap()
        };
        let (whole, half) = (see(Precision::F32), see(Precision::F16));
        near("projected", &half, &whole, 0.05);
        assert_ne!(half, whole);
    }
}

/// A prompt, its tokens, and the words where it leaves no room or images are cut off.
#[test]
fn a_caption_begins_as_on_the_processor() {
    let long = ["w7 ".repeat(50), "w7 ".repeat(64)];
    let prompts = ["", "w17", "w17 w30 w5", &long[0], &long[1]];
    for name in ["blip", "blip2-opt", "blip2-t5"] {
        let pixels = Golden::of(name).values("pixels");
        let kernels = open(&fixture(name), Precision::F32).unwrap();
        for device in devices() {
            let backend = Gpu::new(&device, Precision::F32);
            let model: Box<dyn Captioner> = match name {
                "blip" => Box::new(blip(backend)),
                name => Box::new(blip2(name, backend)),
            };
            for prompt in prompts {
                for pixels in [&pixels[..], &pixels[1..], &[]] {
                    let options = Generation { prompt: prompt.to_owned(), ..Generation::default() };
                    let caption = |model: &dyn Captioner| {
                        let captions = model.caption_pixels(pixels, &options, &mut |_| {});
                        captions.map_err(|error| error.to_string())
                    };
                    let (found, expected) = (caption(model.as_ref()), caption(kernels.as_ref()));
                    assert_eq!(found, expected, "{name} {device:?} {prompt:?} {}", pixels.len());
                }
            }
        }
    }
}

#[test]
fn eight_bits_are_refused_on_a_device_by_name() {
    let on = crate::Device::Cuda(1);
    let error = open_on(&fixture("blip2-opt"), Precision::Q8, on).err().unwrap().to_string();
    let rest = "computes on the processor alone, and cuda:1 was asked for";
    assert_eq!(error, format!("q8, eight-bit weights, {rest}"));
}
