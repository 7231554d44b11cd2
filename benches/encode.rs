//! Encoding with CLIP's towers, beside candle-transformers' own.
//!
//! The model has 3 of the 12 layers of ViT-B/32 on both sides, so that a label costs a
//! quarter, with seeded weights in a temporary folder. Texts are token sequences with
//! the lengths of the flavors (5.3 tokens on average with start and end): ours as they
//! are, the rival's padded to 77, as its users do. Images are preprocessed pixels.

#![allow(clippy::unwrap_used, reason = "a bench that cannot start may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::clip::{text_model, vision_model};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use interrogate::clip::{Checkpoint, Config};
use interrogate::encoder::{TextEncoder, Tokens};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LAYERS: usize = 3;
/// The end-of-text token of the fixture's tokenizer.
const END: u32 = 601;
/// Tokens of a label with start and end: the quintiles of flavors.txt.
const LENGTHS: [usize; 5] = [4, 5, 5, 6, 7];
const TEXTS: usize = 256;
/// Texts of the rival, which is slower; the throughput is per text.
const PADDED: usize = 64;

/// Creates a checkpoint in a temporary folder: its own sizes and seeded weights, and the
/// tokenizer and preprocessing of the fixture.
fn checkpoint() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/clip/quick");
    for name in ["vocab.json", "merges.txt", "preprocessor_config.json"] {
        fs::copy(fixture.join(name), folder.path().join(name)).unwrap();
    }
    let preprocessing = fs::read_to_string(fixture.join("preprocessor_config.json")).unwrap();
    let preprocessing = preprocessing.replace("32,", "224,").replace(": 32\n", ": 224\n");
    fs::write(folder.path().join("preprocessor_config.json"), preprocessing).unwrap();
    let config = json!({ "model_type": "clip",
        "text_config": { "num_hidden_layers": LAYERS, "vocab_size": 602 },
        "vision_config": { "num_hidden_layers": LAYERS } });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    write_weights(&Config::open(&path).unwrap(), &folder.path().join("model.safetensors"));
    folder
}

/// Uniform values within 0.05, gains one, biases zero.
fn write_weights(config: &Config, path: &Path) {
    let mut state = 1u64;
    let mut value = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 0.1
    };
    let mut bytes = BTreeMap::new();
    for (name, shape) in config.weights() {
        let norm = name.contains("norm") || name.contains("layrnorm");
        let mut next = || match () {
            () if name.ends_with("bias") => 0.0,
            () if norm => 1.0,
            () => value(),
        };
        let count = shape.iter().product();
        let data: Vec<u8> = (0..count).flat_map(|_| f32::to_le_bytes(next())).collect();
        bytes.insert(name, (shape, data));
    }
    let views = bytes.iter().map(|(name, (shape, data))| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The rival's weights, from the same file.
fn rival(folder: &Path) -> VarBuilder<'static> {
    let path: PathBuf = folder.join("model.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn texts(criterion: &mut Criterion) {
    let folder = checkpoint();
    let ours = Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap();
    let config = text_model::ClipTextConfig {
        num_hidden_layers: LAYERS,
        vocab_size: 602,
        ..text_model::ClipTextConfig::vit_base_patch32()
    };
    let rival = rival(folder.path()).pp("text_model");
    let rival = text_model::ClipTextTransformer::new(rival, &config).unwrap();

    let (mut tokens, mut padded) = (Tokens::new(), Vec::new());
    for number in 0..TEXTS {
        let length = LENGTHS[number % LENGTHS.len()];
        let mut ids: Vec<u32> =
            (0..length).map(|at| ((number * 7 + at * 13) % 600) as u32).collect();
        ids[length - 1] = END;
        tokens.push(&ids);
        ids.resize(77, END);
        padded.extend(ids);
    }
    padded.truncate(PADDED * 77);
    let padded = Tensor::from_vec(padded, (PADDED, 77), &Device::Cpu).unwrap();

    let mut group = criterion.benchmark_group("encode texts");
    group.sample_size(10).throughput(Throughput::Elements(TEXTS as u64));
    group.bench_function("cut at end-of-text", |b| b.iter(|| ours.embed(&tokens).unwrap()));
    group.throughput(Throughput::Elements(PADDED as u64));
    group.bench_function("candle-transformers, padded to 77", |b| {
        b.iter(|| rival.forward(&padded).unwrap());
    });
    group.finish();
}

fn images(criterion: &mut Criterion) {
    let folder = checkpoint();
    let ours = Checkpoint::open(folder.path()).unwrap().image_encoder().unwrap();
    let config = vision_model::ClipVisionConfig {
        num_hidden_layers: LAYERS,
        ..vision_model::ClipVisionConfig::vit_base_patch32()
    };
    let rival = rival(folder.path()).pp("vision_model");
    let rival = vision_model::ClipVisionTransformer::new(rival, &config).unwrap();

    let mut group = criterion.benchmark_group("encode images");
    for batch in [1usize, 8] {
        let pixels: Vec<f32> =
            (0..batch * 3 * 224 * 224).map(|at| (at * 31 % 257) as f32 / 64.0 - 2.0).collect();
        let tensor = Tensor::from_slice(&pixels, (batch, 3, 224, 224), &Device::Cpu).unwrap();
        group.sample_size(10).throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("ours", batch), |b| {
            b.iter(|| ours.features(&pixels).unwrap());
        });
        group.bench_function(BenchmarkId::new("candle-transformers", batch), |b| {
            b.iter(|| rival.forward(&tensor).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, texts, images);
criterion_main!(benches);
