//! Decoding and preprocessing of photos, beside the `image` crate's own resize
//! with the same filter.
//!
//! `cargo bench -p interrogate --bench preprocess`; the throughput counts
//! pixels of the original photo.

use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use image::GenericImageView;
use image::imageops::{self, FilterType};
use interrogate::picture::{Picture, Preprocess};

/// A photo of the fixtures, and the same enlarged to the size of a phone's photo.
fn photos() -> Vec<(String, Vec<u8>, Picture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos");
    let path = folder.join("coffee.jpg");
    let bytes = std::fs::read(&path).expect("the fixtures are committed");
    let small = Picture::decode(&bytes, &path).expect("the fixtures are whole");
    let large = enlarged(&small, 4032, 3024);
    let mut encoded = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut encoded, 90)
        .encode_image(&buffer(&large))
        .expect("writing to memory succeeds");
    let named = |picture: &Picture| format!("{}x{}", picture.width(), picture.height());
    vec![(named(&small), bytes, small), (named(&large), encoded, large)]
}

fn buffer(picture: &Picture) -> image::RgbImage {
    image::RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec())
        .expect("a picture has all its values")
}

fn enlarged(picture: &Picture, width: u32, height: u32) -> Picture {
    let large = imageops::resize(&buffer(picture), width, height, FilterType::Triangle);
    Picture::from_rgb(width, height, large.into_raw()).expect("a picture has all its values")
}

/// What a user of the `image` crate writes: resize, crop, scale.
fn rival(photo: &image::RgbImage, steps: &Preprocess) -> Vec<f32> {
    let (width, height) = photo.dimensions();
    let short = width.min(height);
    let (wide, high) = (width * 224 / short, height * 224 / short);
    let small = imageops::resize(photo, wide, high, FilterType::CatmullRom);
    let middle = imageops::crop_imm(&small, (wide - 224) / 2, (high - 224) / 2, 224, 224);
    let mut pixels = vec![0.0; 3 * 224 * 224];
    for (x, y, pixel) in middle.pixels() {
        for channel in 0..3 {
            let value = f32::from(pixel.0[channel]) / 255.0;
            pixels[channel * 224 * 224 + y as usize * 224 + x as usize] =
                (value - steps.mean[channel]) / steps.std[channel];
        }
    }
    pixels
}

fn preprocess(criterion: &mut Criterion) {
    let photos = photos();
    let steps = Preprocess::default();
    let mut group = criterion.benchmark_group("decode");
    for (name, bytes, photo) in &photos {
        group.throughput(Throughput::Elements((photo.rgb().len() / 3) as u64));
        group.bench_function(BenchmarkId::new("jpeg", name), |bench| {
            bench.iter(|| Picture::decode(bytes, Path::new("photo.jpg")));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("preprocess");
    for (name, _, photo) in &photos {
        group.throughput(Throughput::Elements((photo.rgb().len() / 3) as u64));
        group.bench_function(BenchmarkId::new("here", name), |bench| {
            bench.iter(|| steps.pixels(photo));
        });
        let buffer = buffer(photo);
        group.bench_function(BenchmarkId::new("image crate", name), |bench| {
            bench.iter(|| rival(&buffer, &steps));
        });
    }
    group.finish();
}

criterion_group!(benches, preprocess);
criterion_main!(benches);
