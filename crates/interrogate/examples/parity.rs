//! Compares the output of a CLIP checkpoint with golden values from transformers.
//!
//! ```text
//! python tests/fixtures/clip/make.py golden CHECKPOINT GOLDEN --texts LABELS
//! cargo run --release --example parity -- CHECKPOINT GOLDEN
//! ```
//!
//! Prints one JSON line: the number of equal token sequences; for embeddings, features of
//! pixels and features of photos the largest difference of a value and the smallest cosine
//! of a row; and the time of each step.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use interrogate::clip::Checkpoint;
use interrogate::encoder::{Features, ImageEncoder, TextEncoder, Tokens};
use interrogate::picture::Picture;
use interrogate::weights::Weights;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, golden] = arguments.as_slice() else {
        return Err("usage: parity CHECKPOINT GOLDEN".into());
    };
    let golden = Golden::open(Path::new(golden))?;

    let start = Instant::now();
    let checkpoint = Checkpoint::open(Path::new(folder))?;
    let open_ms = ms(start);
    let start = Instant::now();
    let fingerprint = checkpoint.fingerprint()?;
    let fingerprint_ms = ms(start);
    let start = Instant::now();
    let text = checkpoint.text_encoder()?;
    let text_load_ms = ms(start);
    let start = Instant::now();
    let vision = checkpoint.image_encoder()?;
    let vision_load_ms = ms(start);

    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    let start = Instant::now();
    let tokens = text.tokenize(&texts)?;
    let tokenize_ms = ms(start);
    let cut = |ids: &[u32]| ids.iter().position(|&id| id == text.end_of_text());
    let equal = |(ours, theirs): &(&[u32], &Vec<u32>)| {
        cut(theirs).is_some_and(|end| *ours == &theirs[..=end])
    };
    let equal = tokens.iter().zip(&golden.ids).filter(equal).count();

    // The texts that have golden embeddings, which are the first.
    let count = golden.embeddings.len() / checkpoint.dim();
    let mut some = Tokens::new();
    tokens.iter().take(count).for_each(|ids| some.push(ids));
    text.embed(&some)?;
    let start = Instant::now();
    let embeddings = text.embed(&some)?;
    let embed_ms = ms(start);
    let one = golden.pixels.len() / 3;
    let features = vision.features(&golden.pixels)?;
    let start = Instant::now();
    vision.features(&golden.pixels[..one])?;
    let image_ms = ms(start);
    let eight = golden.pixels[..one].repeat(8);
    let start = Instant::now();
    vision.features(&eight)?;
    let images_ms = ms(start);
    let photos = golden.photos.iter().map(|path| Picture::open(path.as_ref()));
    let photos = vision.encode(&photos.collect::<Result<Vec<_>, _>>()?)?;

    let dim = checkpoint.dim();
    println!(
        "{}",
        json!({
            "checkpoint": folder, "fingerprint": fingerprint,
            "ids": { "texts": texts.len(), "equal": equal, "tokens": tokens.total() },
            "embeddings": compare(embeddings.as_slice(), &golden.embeddings, dim),
            "features": compare(&flat(&features), &golden.features, dim),
            "photos": compare(&flat(&photos), &golden.photo_features, dim),
            "ms": { "open": open_ms, "fingerprint": fingerprint_ms, "load text": text_load_ms,
                "load vision": vision_load_ms, "tokenize": tokenize_ms, "embed": embed_ms,
                "image": image_ms, "8 images": images_ms },
            "labels_per_s": count as f64 / embed_ms * 1e3,
        })
    );
    Ok(())
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn flat(features: &[Features]) -> Vec<f32> {
    features.iter().flat_map(|features| features.as_slice().to_vec()).collect()
}

/// The values of golden.json and golden.safetensors.
struct Golden {
    texts: Vec<String>,
    ids: Vec<Vec<u32>>,
    embeddings: Vec<f32>,
    pixels: Vec<f32>,
    features: Vec<f32>,
    photos: Vec<String>,
    photo_features: Vec<f32>,
}

impl Golden {
    fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let file = std::fs::read(folder.join("golden.json"))?;
        let file: serde_json::Value = serde_json::from_slice(&file)?;
        let weights = Weights::open(&folder.join("golden.safetensors"))?;
        let read = |name: &str| -> Result<Vec<f32>, Box<dyn Error>> {
            let shape = weights.shape(name).unwrap_or_default().to_vec();
            Ok(weights.values(name, &shape)?)
        };
        Ok(Golden {
            texts: serde_json::from_value(file["texts"].clone())?,
            ids: serde_json::from_value(file["ids"].clone())?,
            embeddings: read("embeddings")?,
            pixels: read("pixels")?,
            features: read("features")?,
            photos: serde_json::from_value(file["photos"].clone()).unwrap_or_default(),
            photo_features: if weights.contains("photos") { read("photos")? } else { Vec::new() },
        })
    }
}

/// Returns the largest difference of a value and the smallest cosine of two unit rows.
fn compare(ours: &[f32], theirs: &[f32], dim: usize) -> serde_json::Value {
    let difference = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    let cosine = |(a, b): (&[f32], &[f32])| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let rows = ours.chunks(dim).zip(theirs.chunks(dim));
    let cosine = rows.map(cosine).fold(1f64, f64::min);
    json!({ "rows": ours.len() / dim, "max_difference": difference, "min_cosine": cosine })
}
