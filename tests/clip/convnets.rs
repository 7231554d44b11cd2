//! Models with a ResNet, a ConvNeXt or the image tower of PE-Core or MobileCLIP-B, as open_clip
//! saves them, and OpenAI's archive of a ResNet.

use interrogate::encoder::ImageEncoder;
use interrogate::picture::Picture;
use interrogate::vision::{ConvNextProjection, VisionConfig};
use interrogate::weights::Weights;

use super::*;

/// Largest allowed difference from open_clip's values. Measured: at most 4e-7.
const BOUND: f32 = 1e-5;

const FOLDERS: [&str; 6] = [
    "convnets/resnet",
    "convnets/convnext-mlp",
    "convnets/convnext-linear",
    "pe/base",
    "pe/gigantic",
    "mobileclip/b",
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// Copies the files of a fixture's folder, or one file, and a tokenizer to a temporary folder.
fn copy_fixture(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = ["vocab.json", "merges.txt"].map(super::openai::file).into();
    if name.ends_with(".pt") {
        files.push(file(name));
    } else {
        let parts = ["open_clip_config.json", "open_clip_model.safetensors"];
        files.extend(parts.map(|part| file(name).join(part)));
    }
    for from in files {
        fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    folder
}

fn golden(name: &str, value: &str) -> Vec<f32> {
    let weights = Weights::open(&file(name)).unwrap();
    let shape = weights.shape(value).unwrap().to_vec();
    weights.values(value, &shape).unwrap()
}

fn difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn features(checkpoint: &Checkpoint, pixels: &[f32]) -> Vec<f32> {
    let rows = checkpoint.image_encoder().unwrap().features(pixels).unwrap();
    rows.iter().flat_map(|row| row.as_slice().to_vec()).collect()
}

#[test]
fn rows_equal_those_of_open_clip() {
    let texts: Value =
        serde_json::from_slice(&fs::read(file("convnets/golden.json")).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_value(texts["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for name in FOLDERS {
        let of = |value| golden(&format!("{name}/golden.safetensors"), value);
        let folder = copy_fixture(name);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let found = difference(&features(&checkpoint, &of("pixels")), &of("features"));
        assert!(found < BOUND, "{name}: {found}");
        let ours = checkpoint.text_encoder().unwrap().encode(&texts).unwrap();
        let found = difference(ours.as_slice(), &of("embeddings"));
        assert!(found < BOUND, "{name}: {found}");
    }
}

#[test]
fn openais_archive_needs_no_configuration() {
    let folder = copy_fixture("convnets/resnet.pt");
    let checkpoint = Checkpoint::open(&folder.path().join("resnet.pt")).unwrap();
    let of = |value| golden("convnets/resnet-pt.safetensors", value);
    let found = difference(&features(&checkpoint, &of("pixels")), &of("features"));
    assert!(found < BOUND, "{found}");
    let VisionConfig::ResNet(sizes) = &checkpoint.config().vision else {
        panic!("{:?}", checkpoint.config().vision)
    };
    assert_eq!((sizes.image_size, sizes.layers, sizes.width, sizes.heads), (32, [1; 4], 2, 1));
}

#[test]
fn picture_is_encoded_from_a_folder() {
    for (name, side) in FOLDERS.into_iter().zip([64, 72, 64, 48, 42, 48]) {
        let folder = copy_fixture(name);
        let tower = Checkpoint::open(folder.path()).unwrap().image_encoder().unwrap();
        assert_eq!((tower.image_size(), tower.dim()), (side, 16), "{name}");
        let pixels = (0..60 * 90 * 3).map(|v| (v % 251) as u8).collect();
        let picture = Picture::from_rgb(60, 90, pixels).unwrap();
        let rows = tower.encode(&[picture.clone(), picture]).unwrap();
        assert_eq!(rows[0].as_slice(), rows[1].as_slice());
    }
}

#[test]
fn sizes_follow_from_shapes_and_the_configuration() {
    let vision = |name: &str| {
        let folder = copy_fixture(name);
        Checkpoint::open(folder.path()).unwrap().config().vision.clone()
    };
    let VisionConfig::ResNet(resnet) = vision("convnets/resnet") else { panic!("a ResNet") };
    assert_eq!((resnet.layers, resnet.width, resnet.heads), ([2, 1, 1, 1], 4, 2));
    for (name, eps, projection) in [
        ("convnets/convnext-mlp", 1e-6, ConvNextProjection::Mlp { bias: false }),
        ("convnets/convnext-linear", 1e-5, ConvNextProjection::Linear { bias: false }),
    ] {
        let VisionConfig::ConvNext(sizes) = vision(name) else { panic!("a ConvNeXt") };
        assert_eq!((sizes.depths, sizes.dims), ([1, 1, 2, 1], [8, 16, 24, 40]));
        assert_eq!((sizes.norm_eps, sizes.projection), (eps, projection));
    }
}

#[test]
fn other_configurations_are_refused() {
    let message = |name: &str, field: &str, value: Value| {
        let folder = copy_fixture(name);
        edit(&folder, "open_clip_config.json", |config| {
            config["model_cfg"]["vision_cfg"][field] = value;
        });
        let error = Checkpoint::open(folder.path()).unwrap_err();
        let message = relative_message(&folder, &error);
        message.strip_prefix("open_clip_config.json: vision_cfg.").unwrap_or(&message).to_owned()
    };
    for (name, field, value, expected) in [
        (
            "convnets/resnet",
            "layers",
            3.into(),
            "layers: expected [2, 1, 1, 1] as in the weights, found 3",
        ),
        (
            "convnets/resnet",
            "layers",
            vec![2, 1, 1, 2].into(),
            "layers: expected [2, 1, 1, 1] as in the weights, found [2, 1, 1, 2]",
        ),
        ("convnets/resnet", "width", 8.into(), "width: expected 4 as in the weights, found 8"),
        (
            "convnets/resnet",
            "image_size",
            96.into(),
            "image_size: expected 64 as in the weights, found 96",
        ),
        (
            "convnets/resnet",
            "head_width",
            7.into(),
            "head_width: expected a divisor of 128, found 18",
        ),
        (
            "convnets/convnext-mlp",
            "timm_model_name",
            "convnext_nano".into(),
            "timm_model_name: expected vit_*_siglip_*, vit_pe_core_*, vit_base_mci_224, \
             eva*_clip_* or convnext_{tiny,small,base,large,xlarge,xxlarge}, found convnext_nano",
        ),
        (
            "convnets/convnext-mlp",
            "timm_pool",
            "abs_attn".into(),
            "timm_pool: expected avg, found abs_attn",
        ),
        (
            "convnets/convnext-mlp",
            "timm_proj",
            "linear".into(),
            "timm_proj: expected mlp as in the weights, found linear",
        ),
        ("pe/base", "timm_pool", "token".into(), "timm_pool: expected map, found token"),
        ("pe/base", "timm_proj", "linear".into(), "timm_proj: expected none, found linear"),
        ("pe/base", "image_size", 64.into(), "image_size: expected 48 as in the weights, found 64"),
        (
            "convnets/convnext-mlp",
            "image_size",
            16.into(),
            "image_size: expected 32 or more, found 16",
        ),
    ] {
        assert_eq!(message(name, field, value), expected);
    }
}

#[test]
fn missing_weights_are_named() {
    for (name, weight) in [
        ("convnets/resnet", "visual.layer1.0.bn1.running_var"),
        ("convnets/resnet", "visual.attnpool.c_proj.bias"),
        ("convnets/convnext-mlp", "visual.trunk.stages.1.downsample.0.weight"),
        ("convnets/convnext-linear", "visual.trunk.stages.2.blocks.1.gamma"),
    ] {
        let folder = copy_fixture(name);
        let path = folder.path().join("open_clip_model.safetensors");
        let bytes = fs::read(&path).unwrap();
        // A name of the same length leaves the header valid.
        let other = weight.replace(".running_var", ".running_vax");
        let other = if other == weight { weight.replace("visual", "visuax") } else { other };
        let at = bytes.windows(weight.len() + 1).position(|part| {
            part[..weight.len()] == *weight.as_bytes() && part[weight.len()] == b'"'
        });
        let mut bytes = bytes;
        bytes[at.unwrap()..][..weight.len()].copy_from_slice(other.as_bytes());
        fs::write(&path, bytes).unwrap();
        let error = Checkpoint::open(folder.path()).unwrap_err();
        let expected = format!("open_clip_model.safetensors: no weight named {weight}");
        assert_eq!(relative_message(&folder, &error), expected);
    }
}
