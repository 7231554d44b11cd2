//! Captioners on every available device, always including candle's CPU device.

use super::tests::florence2::florence2_equals_transformers;
use super::tests::{Golden, blip, blip_equals_transformers, blip2, blip2_equals_transformers};
use super::tests::{fixture, git, git_equals_transformers, near};
use super::*;
use crate::nn::devices;

#[test]
fn blip2_opt_equals_transformers_on_a_device() {
    for device in devices() {
        blip2_equals_transformers("blip2-opt", 2, Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn blip2_flan_t5_equals_transformers_on_a_device() {
    for device in devices() {
        blip2_equals_transformers("blip2-t5", 1, Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn blip_equals_transformers_on_a_device() {
    for device in devices() {
        blip_equals_transformers(Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn florence2_equals_transformers_on_a_device() {
    for device in devices() {
        florence2_equals_transformers("florence2", Gpu::new(&device, Precision::F32));
    }
}

#[test]
fn git_equals_transformers_on_a_device() {
    for device in devices() {
        git_equals_transformers(Gpu::new(&device, Precision::F32));
    }
}

/// The fixture's weights are exact in f16; only inputs are rounded.
#[test]
fn f16_embeddings_stay_near_f32() {
    let pixels = Golden::of("blip2-opt").values("pixels");
    for device in devices() {
        let encode = |precision| {
            let backend = Gpu::new(&device, precision);
            let embeddings = blip2("blip2-opt", backend.clone()).encode_images(&pixels).unwrap();
            backend.download(embeddings).unwrap()
        };
        let (full, half) = (encode(Precision::F32), encode(Precision::F16));
        near("projected", &half, &full, 0.05);
        assert_ne!(half, full);
    }
}

/// For prompts of all lengths, complete and incomplete images: captions and errors.
#[test]
fn captions_and_errors_equal_those_of_the_cpu_backend() {
    let long = ["w7 ".repeat(50), "w7 ".repeat(64)];
    let prompts = ["", "w17", "w17 w30 w5", &long[0], &long[1]];
    for name in ["blip", "blip2-opt", "blip2-t5", "git"] {
        let pixels = Golden::of(name).values("pixels");
        let cpu = open(&fixture(name), Precision::F32).unwrap();
        for device in devices() {
            let backend = Gpu::new(&device, Precision::F32);
            let model: Box<dyn Captioner> = match name {
                "blip" => Box::new(blip(backend)),
                "git" => Box::new(git(backend)),
                name => Box::new(blip2(name, backend)),
            };
            for prompt in prompts {
                for pixels in [&pixels[..], &pixels[1..], &[]] {
                    let options = GenerationConfig {
                        prompt: prompt.to_owned(),
                        ..GenerationConfig::default()
                    };
                    let caption = |model: &dyn Captioner| {
                        let captions = model.caption_pixels(pixels, &options, &mut |_| {});
                        captions.map_err(|error| error.to_string())
                    };
                    let (found, expected) = (caption(model.as_ref()), caption(cpu.as_ref()));
                    assert_eq!(found, expected, "{name} {device:?} {prompt:?} {}", pixels.len());
                }
            }
        }
    }
}

#[test]
fn q8_on_a_device_is_refused() {
    let on = crate::Device::Cuda(1);
    let error = open_on(&fixture("blip2-opt"), Precision::Q8, on).err().unwrap().to_string();
    let rest = "runs on the CPU only, not on cuda:1";
    assert_eq!(error, format!("q8, eight-bit weights, {rest}"));
}
