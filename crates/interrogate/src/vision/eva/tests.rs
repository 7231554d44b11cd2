//! The towers against timm, on the CPU and on every device.

use std::path::{Path, PathBuf};

use super::config::{EvaConfig, Layout, Pool};
use super::*;
use crate::nn::{Cpu, Gpu, Precision, devices};
use crate::weights::{View, Weights};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/eva")
}

/// The sizes in tests/fixtures/eva/make.py.
fn config(file: &str) -> EvaConfig {
    let (name, mlp_hidden, embed_dim) = match file {
        "giant" => ("eva_giant_patch14_clip_224", 64, 24),
        "enormous" => ("eva02_enormous_patch14_clip_224", 48, 32),
        _ => ("eva02_large_patch14_448", 85, 32),
    };
    let known = EvaConfig::named(name).unwrap();
    let (img_size, patch_size) = if file == "large448" { (24, 6) } else { (12, 3) };
    let sizes = EvaConfig { img_size, patch_size, embed_dim, depth: 2, num_heads: 2, ..known };
    EvaConfig { mlp_hidden, ..sizes }
}

/// Returns the pixels of the golden images and timm's rows.
fn golden(file: &str, config: &EvaConfig) -> [Vec<f32>; 2] {
    let golden = Weights::open(&folder().join("golden.safetensors")).unwrap();
    let side = config.img_size;
    [
        golden.values(&format!("{file}.pixels"), &[2, 3, side, side]).unwrap(),
        golden.values(&format!("{file}.rows"), &[2, 20]).unwrap(),
    ]
}

fn agrees<B: Backend>(backend: &B, file: &str, bound: f32) {
    let config = config(file);
    config.check(Path::new("config.json"), 20).unwrap();
    let weights = Weights::open(&folder().join(format!("{file}.safetensors"))).unwrap();
    weights.check(&config.weights(20).into_vec(), |_| false).unwrap();
    let tower = EvaTower::load(&Loader::new(&weights, backend), &config, 20).unwrap();
    weights.finish(|_| false).unwrap();
    let [pixels, expected] = golden(file, &config);
    let mut work = Workspace::default();
    // Twice, because the second call finds the workspace of the first.
    for _ in 0..2 {
        let found = tower.forward(backend, &mut work, &pixels).unwrap();
        assert_eq!(found.len(), expected.len());
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let difference = differences.fold(0.0, f32::max);
        assert!(difference < bound, "{file} {backend:?}: {difference}");
    }
    let one = tower.forward(backend, &mut work, &pixels[pixels.len() / 2..]).unwrap();
    let differences = one.iter().zip(&expected[20..]).map(|(a, b)| (a - b).abs());
    assert!(differences.fold(0.0, f32::max) < bound, "{file} {backend:?}: an image alone");
}

#[test]
fn towers_agree_with_timm() {
    for file in ["giant", "enormous", "large448"] {
        agrees(&Cpu::new(Precision::F32), file, 2e-5);
        for device in devices() {
            agrees(&Gpu::new(&device, Precision::F32), file, 2e-5);
            agrees(&Gpu::new(&device, Precision::F16), file, 0.05);
        }
    }
}

/// open_clip's tower, whose rows are features of unit length.
fn clip_agrees<B: Backend>(backend: &B, bound: f32) {
    let path = folder().join("clip/open_clip_model.safetensors");
    let weights = Weights::open(&path).unwrap();
    let trunk = |name: &String| Some((name.strip_prefix("visual.trunk.")?.into(), View::of(name)));
    let views = weights.names().filter_map(trunk).collect();
    let weights = weights.with_views(views).unwrap();
    let known = EvaConfig::named("eva02_base_patch16_clip_224").unwrap();
    let config = known.with_sizes_of(&weights, "");
    let tower = EvaTower::load(&Loader::new(&weights, backend), &config, 24).unwrap();
    let golden = Weights::open(&folder().join("clip/golden.safetensors")).unwrap();
    let pixels = golden.values("pixels", &[3, 3, 16, 16]).unwrap();
    let found = tower.forward(backend, &mut Workspace::default(), &pixels).unwrap();
    let expected = golden.values("features", &[3, 24]).unwrap();
    for (found, expected) in found.chunks(24).zip(expected.chunks(24)) {
        let length = found.iter().map(|value| value * value).sum::<f32>().sqrt();
        let differences = found.iter().zip(expected).map(|(a, b)| (a / length - b).abs());
        let difference = differences.fold(0.0, f32::max);
        assert!(difference < bound, "{backend:?}: {difference}");
    }
}

#[test]
fn clip_tower_agrees_with_open_clip() {
    clip_agrees(&Cpu::new(Precision::F32), 1e-5);
    for device in devices() {
        clip_agrees(&Gpu::new(&device, Precision::F32), 1e-5);
        clip_agrees(&Gpu::new(&device, Precision::F16), 0.02);
    }
}

#[test]
fn sizes_follow_from_shapes() {
    let weights = Weights::open(&folder().join("clip/open_clip_model.safetensors")).unwrap();
    let known = EvaConfig::named("eva02_base_patch16_clip_224").unwrap();
    let sizes = known.with_sizes_of(&weights, "visual.trunk.");
    let expected = EvaConfig { img_size: 16, patch_size: 4, embed_dim: 64, num_heads: 1, ..known };
    assert_eq!(sizes, EvaConfig { depth: 2, mlp_hidden: 44, ..expected });
    // Without such weights, and for the patches that leave a remainder at the edge.
    assert_eq!(sizes.with_sizes_of(&weights, "visual."), sizes);
    let wide = EvaConfig { img_size: 18, ..sizes };
    assert_eq!(wide.with_sizes_of(&weights, "visual.trunk."), wide);
}

#[test]
fn fixtures_have_each_layout_and_pool() {
    assert_eq!(config("giant").layout, Layout::Eva);
    assert_eq!(config("enormous").layout, Layout::PostNorm);
    assert_eq!(config("large448").layout, Layout::Eva02 { scale_attn_inner: false });
    assert_eq!([config("giant").pool, config("large448").pool], [Pool::Token, Pool::Average]);
}
