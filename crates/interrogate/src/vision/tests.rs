//! Image towers against the values of the library that saved them, on the CPU and on every device.

use std::path::{Path, PathBuf};

use super::*;
use crate::nn::{Compute, Precision, devices};
use crate::weights::Weights;

/// Largest allowed difference of a value of a unit row from open_clip's. Measured: at most 4e-7.
const BOUND: f32 = 1e-5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// The towers of tests/fixtures/convnets, pe and mobileclip: weights, golden values and sizes.
fn towers() -> [(&'static str, &'static str, VisionConfig); 7] {
    let resnet = |image_size, layers, width, heads| {
        VisionConfig::ResNet(ResNetConfig { image_size, layers, width, heads })
    };
    let convnext = |image_size, norm_eps, projection| {
        let (depths, dims) = ([1, 1, 2, 1], [8, 16, 24, 40]);
        VisionConfig::ConvNext(ConvNextConfig { image_size, depths, dims, norm_eps, projection })
    };
    let [linear, mlp] =
        [ConvNextProjection::Linear { bias: false }, ConvNextProjection::Mlp { bias: false }];
    let pe = |width, inner, layers, heads, [image, patch, grid]: [usize; 3], class_token| {
        VisionConfig::Vit(VitConfig {
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            image_size: image,
            patch_size: patch,
            hidden_act: "gelu".into(),
            parts: VitParts {
                class_token,
                pooling: Pooling::Attention,
                head: Head::BiasedProjection,
                rotary_grid: Some(grid),
                pool_heads: Some(8),
                ..VitParts::default()
            },
            ..VitConfig::default()
        })
    };
    let mobile = VisionConfig::Vit(VitConfig {
        hidden_size: 48,
        intermediate_size: 192,
        num_hidden_layers: 2,
        image_size: 48,
        patch_size: 16,
        hidden_act: "gelu".into(),
        layer_norm_eps: 1e-6,
        parts: VitParts {
            conv_stem: true,
            pre_norm: false,
            head: Head::BiasedProjection,
            ..VitParts::default()
        },
        ..VitConfig::default()
    });
    let base = pe(48, 192, 2, 12, [48, 16, 14], true);
    let gigantic = pe(64, 373, 1, 16, [42, 14, 32], false);
    [
        (
            "convnets/resnet/open_clip_model",
            "convnets/resnet/golden",
            resnet(64, [2, 1, 1, 1], 4, 2),
        ),
        ("convnets/resnet", "convnets/resnet-pt", resnet(32, [1; 4], 2, 1)),
        (
            "convnets/convnext-mlp/open_clip_model",
            "convnets/convnext-mlp/golden",
            convnext(72, 1e-6, mlp),
        ),
        (
            "convnets/convnext-linear/open_clip_model",
            "convnets/convnext-linear/golden",
            convnext(64, 1e-5, linear),
        ),
        ("pe/base/open_clip_model", "pe/base/golden", base),
        ("pe/gigantic/open_clip_model", "pe/gigantic/golden", gigantic),
        ("mobileclip/b/open_clip_model", "mobileclip/b/golden", mobile),
    ]
}

fn open(name: &str) -> Weights {
    let safetensors = fixture(&format!("{name}.safetensors"));
    let path = if safetensors.exists() { safetensors } else { fixture(&format!("{name}.pt")) };
    let weights = Weights::open(&path).unwrap();
    let rows = |name: &str| weights.shape(name).unwrap().first().copied().unwrap_or(0);
    let of_vit =
        |name: &String| Some(timm_vit_views(name, name.strip_prefix("visual.trunk.")?, rows(name)));
    let is_vit = !name.starts_with("convnets/");
    let views = weights.names().filter(|_| is_vit).filter_map(of_vit).flatten().collect();
    weights.with_views(views).unwrap()
}

fn values(weights: &Weights, name: &str) -> Vec<f32> {
    let shape = weights.shape(name).unwrap().to_vec();
    weights.values(name, &shape).unwrap()
}

/// Rows of the pixels, scaled to unit length.
fn unit_rows(tower: &Tower, pixels: &[f32]) -> Vec<f32> {
    let mut rows = tower.rows(pixels).unwrap();
    for row in rows.chunks_exact_mut(tower.dim()) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    rows
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn rows_agree_with_open_clip() {
    for (weights, golden, config) in towers() {
        let (weights, golden) = (open(weights), open(golden));
        let (pixels, expected) = (values(&golden, "pixels"), values(&golden, "features"));
        let load = |compute: &Compute, device: Option<&candle_core::Device>| {
            Tower::load(&config, 16, &weights, compute, device).unwrap()
        };
        let compute = Compute::default();
        let found = unit_rows(&load(&compute, None), &pixels);
        assert!(difference(&found, &expected) < BOUND, "{config:?}: {found:?}");
        // Each image alone has the bits of the batch.
        let alone = Compute { batch_tokens: 1, ..compute };
        assert_eq!(unit_rows(&load(&alone, None), &pixels), found, "{config:?}");
        for device in devices() {
            for batch_tokens in [1024, 1] {
                let compute = Compute { batch_tokens, ..compute };
                let found = unit_rows(&load(&compute, Some(&device)), &pixels);
                let difference = difference(&found, &expected);
                assert!(difference < BOUND, "{config:?} {device:?}: {difference}");
            }
        }
    }
}

#[test]
fn half_precision_is_close() {
    for (weights, golden, config) in towers() {
        let (weights, golden) = (open(weights), open(golden));
        let (pixels, expected) = (values(&golden, "pixels"), values(&golden, "features"));
        let all = devices().into_iter().map(Some).chain([None]);
        for device in all {
            for precision in [Precision::F16, Precision::Bf16] {
                let compute = Compute { precision: Some(precision), ..Compute::default() };
                let tower = Tower::load(&config, 16, &weights, &compute, device.as_ref()).unwrap();
                let found = unit_rows(&tower, &pixels);
                for (a, b) in found.chunks_exact(16).zip(expected.chunks_exact(16)) {
                    let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!(cosine > 0.999, "{config:?} {device:?} {precision}: {cosine}");
                }
            }
        }
    }
}

#[test]
fn listed_shapes_are_those_of_the_weights() {
    for (weights, _, config) in towers() {
        let weights = open(weights);
        let extra = |name: &str| !name.starts_with("vis") || name.ends_with("batches_tracked");
        weights.check(&config.weights(16).into_vec(), extra).unwrap();
    }
}

#[test]
fn invalid_sizes_are_refused() {
    let resnet = ResNetConfig { image_size: 224, layers: [3, 4, 6, 3], width: 64, heads: 32 };
    let convnext = ConvNextConfig {
        image_size: 224,
        depths: [3, 3, 27, 3],
        dims: [128, 256, 512, 1024],
        norm_eps: 1e-6,
        projection: ConvNextProjection::Linear { bias: false },
    };
    let message = |config: VisionConfig| {
        config.check(Path::new("c.json"), 512).map_err(|error| error.to_string())
    };
    assert_eq!(message(VisionConfig::ResNet(resnet.clone())), Ok(()));
    assert_eq!(message(VisionConfig::ConvNext(convnext.clone())), Ok(()));
    for (config, expected) in [
        (
            ResNetConfig { image_size: 0, ..resnet.clone() },
            "vision_cfg.image_size: expected 1 to 1024, found 0",
        ),
        (
            ResNetConfig { image_size: 230, ..resnet.clone() },
            "vision_cfg.image_size: expected a multiple of 32, found 230",
        ),
        (
            ResNetConfig { layers: [3, 0, 6, 3], ..resnet.clone() },
            "vision_cfg.layers: expected 1 to 256, found 0",
        ),
        (
            ResNetConfig { width: 1 << 20, ..resnet.clone() },
            "vision_cfg.width: expected 1 to 512, found 1048576",
        ),
        (
            ResNetConfig { width: 63, ..resnet.clone() },
            "vision_cfg.width: expected a multiple of 2, found 63",
        ),
        (
            ResNetConfig { heads: 0, ..resnet.clone() },
            "vision_cfg.head_width: expected a divisor of 2048, found 0",
        ),
    ] {
        assert_eq!(message(VisionConfig::ResNet(config)), Err(format!("c.json: {expected}")));
    }
    for (config, expected) in [
        (
            ConvNextConfig { image_size: 2048, ..convnext.clone() },
            "vision_cfg.image_size: expected 1 to 1024, found 2048",
        ),
        (
            ConvNextConfig { image_size: 31, ..convnext.clone() },
            "vision_cfg.image_size: expected 32 or more, found 31",
        ),
        (
            ConvNextConfig { depths: [3, 3, 27, 257], ..convnext.clone() },
            "blocks of a stage: expected 1 to 256, found 257",
        ),
        (
            ConvNextConfig { dims: [0, 256, 512, 1024], ..convnext.clone() },
            "channels of a stage: expected 1 to 16384, found 0",
        ),
        (
            ConvNextConfig { norm_eps: 0.0, ..convnext.clone() },
            "norm_eps: expected above 0 and below 1, found 0",
        ),
    ] {
        assert_eq!(message(VisionConfig::ConvNext(config)), Err(format!("c.json: {expected}")));
    }
}
