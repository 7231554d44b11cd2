//! The table is consistent, its sizes are those of the architectures, and names are found.

use std::collections::BTreeMap;

use serde_json::json;

use super::nearest::distance;
use super::*;
use crate::clip::Config;
use crate::vision::{
    ConvNextConfig, ConvNextProjection, EvaConfig, Head, Pooling, ResNetConfig, VisionConfig,
    VitParts,
};

/// Sizes of open_clip 3.3.0 (`model_configs`): image size, layers, width, head width, MLP width
/// and patch size of the image tower; width, heads and layers of the text tower; dim.
const SIZES: [(&str, [usize; 6], [usize; 3], usize); 10] = [
    ("ViT-B-16", [224, 12, 768, 64, 3072, 16], [512, 8, 12], 512),
    ("ViT-B-16-plus-240", [240, 12, 896, 64, 3584, 16], [640, 10, 12], 640),
    ("ViT-B-32", [224, 12, 768, 64, 3072, 32], [512, 8, 12], 512),
    ("ViT-B-32-256", [256, 12, 768, 64, 3072, 32], [512, 8, 12], 512),
    ("ViT-H-14", [224, 32, 1280, 80, 5120, 14], [1024, 16, 24], 1024),
    ("ViT-H-14-378", [378, 32, 1280, 80, 5120, 14], [1024, 16, 24], 1024),
    ("ViT-L-14", [224, 24, 1024, 64, 4096, 14], [768, 12, 12], 768),
    ("ViT-L-14-336", [336, 24, 1024, 64, 4096, 14], [768, 12, 12], 768),
    ("ViT-bigG-14", [224, 48, 1664, 104, 8192, 14], [1280, 20, 32], 1280),
    ("ViT-g-14", [224, 40, 1408, 88, 6144, 14], [1024, 16, 24], 1024),
];

/// EVA's of open_clip 3.3.0: timm's name of the image tower; width, heads and layers of the text
/// tower; dim.
const EVA_SIZES: [(&str, &str, [usize; 3], usize); 7] = [
    ("EVA01-g-14", "eva_giant_patch14_clip_224", [768, 12, 12], 1024),
    ("EVA01-g-14-plus", "eva_giant_patch14_clip_224", [1024, 16, 24], 1024),
    ("EVA02-B-16", "eva02_base_patch16_clip_224", [512, 8, 12], 512),
    ("EVA02-E-14", "eva02_enormous_patch14_clip_224", [1024, 16, 24], 1024),
    ("EVA02-E-14-plus", "eva02_enormous_patch14_clip_224", [1280, 20, 32], 1024),
    ("EVA02-L-14", "eva02_large_patch14_clip_224", [768, 12, 12], 768),
    ("EVA02-L-14-336", "eva02_large_patch14_clip_336", [768, 12, 12], 768),
];

/// Writes a config.json with the sizes of an architecture and reads it.
fn config(
    [image_size, layers, width, head, inner, patch_size]: [usize; 6],
    [text_width, heads, text_layers]: [usize; 3],
    dim: usize,
) -> Config {
    let file = json!({ "model_type": "clip", "projection_dim": dim,
        "text_config": { "hidden_size": text_width, "intermediate_size": 4 * text_width,
            "num_attention_heads": heads, "num_hidden_layers": text_layers },
        "vision_config": { "hidden_size": width, "intermediate_size": inner,
            "num_attention_heads": width / head, "num_hidden_layers": layers,
            "image_size": image_size, "patch_size": patch_size } });
    opened(&file)
}

/// Writes a config.json and reads it.
fn opened(file: &serde_json::Value) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, file.to_string()).unwrap();
    Config::open(&path).unwrap()
}

#[test]
fn table_is_sorted_and_unique() {
    assert_eq!(known().len(), 152);
    assert!(known().is_sorted_by(|a, b| a.name < b.name));
    for model in known() {
        let (architecture, tag) = model.name.split_once('/').unwrap();
        assert_eq!((model.architecture(), model.tag()), (architecture, tag));
        assert!(is_open_clip(architecture) && !is_unsupported(model.name), "{model:?}");
        assert!(!tag.contains('/') && tag == tag.to_ascii_lowercase(), "{model:?}");
    }
}

#[test]
fn models_of_one_repository_differ_only_by_the_activation_in_the_name() {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for model in known() {
        names.entry(model.repo).or_default().push(model.name.replacen("-quickgelu", "", 1));
    }
    for (repo, names) in names {
        assert!(names.iter().all(|name| *name == names[0]), "{repo}: {names:?}");
    }
}

/// Sizes of the convolutional image towers of open_clip 3.3.0, with the text tower and dim.
fn convolutional() -> Vec<(&'static str, Config)> {
    let model = |vision: VisionConfig, text, dim| {
        let config = config([224, 1, dim, dim, dim, 16], text, dim);
        let config = Config { vision, ..config };
        config.vision.check(std::path::Path::new("model_configs"), dim).unwrap();
        config
    };
    // Image size, layers and width; the text tower; dim.
    let resnets = [
        ("RN50", 224, [3, 4, 6, 3], 64, [512, 8, 12], 1024),
        ("RN101", 224, [3, 4, 23, 3], 64, [512, 8, 12], 512),
        ("RN50x4", 288, [4, 6, 10, 6], 80, [640, 10, 12], 640),
        ("RN50x16", 384, [6, 8, 18, 8], 96, [768, 12, 12], 768),
        ("RN50x64", 448, [3, 15, 36, 10], 128, [1024, 16, 12], 1024),
    ];
    let resnets = resnets.map(|(name, image_size, layers, width, text, dim)| {
        let sizes = ResNetConfig { image_size, layers, width, heads: width / 2 };
        (name, model(VisionConfig::ResNet(sizes), text, dim))
    });
    let [linear, mlp] =
        [ConvNextProjection::Linear { bias: false }, ConvNextProjection::Mlp { bias: false }];
    // The sizes of timm's convnext_base, convnext_large and convnext_xxlarge.
    let base = ([3, 3, 27, 3], [128, 256, 512, 1024], 1e-6, linear);
    let large = ([3, 3, 27, 3], [192, 384, 768, 1536], 1e-6, mlp);
    let xxlarge = ([3, 4, 30, 3], [384, 768, 1536, 3072], 1e-5, linear);
    let convnexts = [
        ("convnext_base_w", 256, base, [640, 10, 12], 640),
        ("convnext_base_w_320", 320, base, [640, 10, 12], 640),
        ("convnext_large_d", 256, large, [768, 12, 16], 768),
        ("convnext_large_d_320", 320, large, [768, 12, 16], 768),
        ("convnext_xxlarge", 256, xxlarge, [1024, 16, 24], 1024),
    ];
    let convnexts = convnexts.map(|(name, image_size, tower, text, dim)| {
        let (depths, dims, norm_eps, projection) = tower;
        let sizes = ConvNextConfig { image_size, depths, dims, norm_eps, projection };
        (name, model(VisionConfig::ConvNext(sizes), text, dim))
    });
    resnets.into_iter().chain(convnexts).collect()
}

/// Sizes of PE-Core in open_clip 3.3.0 and timm 1.0.31.
fn pe_core() -> Vec<(&'static str, Config)> {
    // Image size, layers, width, heads, MLP width, patch size and reference grid; context length,
    // the text tower; dim.
    [
        ("PE-Core-T-16-384", [384, 12, 192, 3, 768, 16, 24], 32, [512, 8, 12], 512),
        ("PE-Core-S-16-384", [384, 12, 384, 6, 1536, 16, 24], 32, [512, 8, 12], 512),
        ("PE-Core-B-16", [224, 12, 768, 12, 3072, 16, 14], 32, [1024, 16, 24], 1024),
        ("PE-Core-L-14-336", [336, 24, 1024, 16, 4096, 14, 24], 32, [1024, 16, 24], 1024),
        ("PE-Core-bigG-14-448", [448, 50, 1536, 16, 8960, 14, 32], 72, [1280, 20, 24], 1280),
    ]
    .map(|(name, [image, layers, width, heads, inner, patch, grid], context, text, dim)| {
        let mut config = config([224, layers, width, width / heads, inner, patch], text, dim);
        config.text.max_position_embeddings = context;
        if let VisionConfig::Vit(vit) = &mut config.vision {
            vit.image_size = image;
            vit.parts = VitParts {
                class_token: grid != 32,
                pooling: Pooling::Attention,
                head: Head::BiasedProjection,
                rotary_grid: Some(grid),
                pool_heads: Some(8),
                ..VitParts::default()
            };
        }
        config.vision.check(std::path::Path::new("model_configs"), dim).unwrap();
        (name, config)
    })
    .into()
}

/// Sizes of SigLIP and SigLIP 2 in open_clip 3.3.0 and timm 1.0.31.
fn siglip() -> Vec<(&'static str, Config)> {
    // Width, layers, heads and MLP width of the image tower, then of the text tower.
    let base = ([768, 12, 12, 3072], [768, 12, 12, 3072]);
    let large = ([1024, 24, 16, 4096], [1024, 24, 16, 4096]);
    let so400m = ([1152, 27, 16, 4304], [1152, 27, 16, 4304]);
    let giant = ([1536, 40, 16, 6144], [1152, 27, 16, 4304]);
    const GEMMA: usize = 256_000;
    [
        ("ViT-B-16-SigLIP", base, [224, 16], 32_000),
        ("ViT-B-16-SigLIP-256", base, [256, 16], 32_000),
        ("ViT-B-16-SigLIP-384", base, [384, 16], 32_000),
        ("ViT-B-16-SigLIP-512", base, [512, 16], 32_000),
        ("ViT-B-16-SigLIP-i18n-256", base, [256, 16], 250_000),
        ("ViT-B-16-SigLIP2", base, [224, 16], GEMMA),
        ("ViT-B-16-SigLIP2-256", base, [256, 16], GEMMA),
        ("ViT-B-16-SigLIP2-384", base, [384, 16], GEMMA),
        ("ViT-B-16-SigLIP2-512", base, [512, 16], GEMMA),
        ("ViT-B-32-SigLIP2-256", base, [256, 32], GEMMA),
        ("ViT-L-16-SigLIP-256", large, [256, 16], 32_000),
        ("ViT-L-16-SigLIP-384", large, [384, 16], 32_000),
        ("ViT-L-16-SigLIP2-256", large, [256, 16], GEMMA),
        ("ViT-L-16-SigLIP2-384", large, [384, 16], GEMMA),
        ("ViT-L-16-SigLIP2-512", large, [512, 16], GEMMA),
        ("ViT-SO400M-14-SigLIP", so400m, [224, 14], 32_000),
        ("ViT-SO400M-14-SigLIP-384", so400m, [384, 14], 32_000),
        ("ViT-SO400M-14-SigLIP2", so400m, [224, 14], GEMMA),
        ("ViT-SO400M-14-SigLIP2-378", so400m, [378, 14], GEMMA),
        ("ViT-SO400M-16-SigLIP-i18n-256", so400m, [256, 16], 250_000),
        ("ViT-SO400M-16-SigLIP2-256", so400m, [256, 16], GEMMA),
        ("ViT-SO400M-16-SigLIP2-384", so400m, [384, 16], GEMMA),
        ("ViT-SO400M-16-SigLIP2-512", so400m, [512, 16], GEMMA),
        ("ViT-gopt-16-SigLIP2-256", giant, [256, 16], GEMMA),
        ("ViT-gopt-16-SigLIP2-384", giant, [384, 16], GEMMA),
    ]
    .map(|(name, (image, text), [image_size, patch_size], vocab_size)| {
        let tower = |[width, layers, heads, inner]: [usize; 4]| {
            json!({ "hidden_size": width, "num_hidden_layers": layers,
                "num_attention_heads": heads, "intermediate_size": inner })
        };
        let (mut vision, mut words) = (tower(image), tower(text));
        vision["image_size"] = image_size.into();
        vision["patch_size"] = patch_size.into();
        words["vocab_size"] = vocab_size.into();
        words["projection_size"] = image[0].into();
        if name == "ViT-SO400M-14-SigLIP" {
            words["max_position_embeddings"] = 16.into();
        }
        let file = json!({ "model_type": "siglip", "text_config": words, "vision_config": vision });
        let mut config = opened(&file);
        if name == "ViT-SO400M-16-SigLIP-i18n-256" {
            config.text.parts.head = Head::None;
        }
        (name, config)
    })
    .into()
}

/// Sizes of MetaCLIP 2 in open_clip 3.3.0: those of CLIP with a larger vocabulary.
fn metaclip2() -> Vec<(&'static str, Config)> {
    [
        ("ViT-H-14-worldwide", "ViT-H-14", 224),
        ("ViT-H-14-worldwide-378", "ViT-H-14", 378),
        ("ViT-bigG-14-worldwide", "ViT-bigG-14", 224),
        ("ViT-bigG-14-worldwide-378", "ViT-bigG-14", 378),
    ]
    .map(|(name, base, image_size)| {
        let (_, mut image, text, dim) = *SIZES.iter().find(|(name, ..)| *name == base).unwrap();
        image[0] = image_size;
        let mut config = config(image, text, dim);
        config.text.vocab_size = 901_629;
        (name, config)
    })
    .into()
}

/// Sizes of MobileCLIP-B in open_clip 3.3.0 and timm 1.0.31.
fn mobile_clip_b() -> Config {
    let mut config = config([224, 12, 768, 64, 3072, 16], [512, 8, 12], 512);
    if let VisionConfig::Vit(vit) = &mut config.vision {
        vit.parts = VitParts {
            conv_stem: true,
            pre_norm: false,
            head: Head::BiasedProjection,
            ..VitParts::default()
        };
    }
    config
}

#[test]
fn sizes_are_those_of_the_architecture_and_supported() {
    let mut sizes: BTreeMap<&str, Config> =
        SIZES.iter().map(|(name, image, text, dim)| (*name, config(*image, *text, *dim))).collect();
    sizes.extend(convolutional());
    sizes.extend(pe_core());
    sizes.extend(siglip());
    sizes.extend(metaclip2());
    sizes.extend(["MobileCLIP-B", "MobileCLIP2-B"].map(|name| (name, mobile_clip_b())));
    for (name, timm, text, dim) in EVA_SIZES {
        let vision = VisionConfig::Eva(EvaConfig::named(timm).unwrap());
        let (_, image, ..) = SIZES[0];
        sizes.insert(name, Config { vision, ..config(image, text, dim) });
    }
    for model in known() {
        let config = &sizes[model.architecture().trim_end_matches("-quickgelu")];
        let count = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>() as u64;
        let parameters: u64 = config.weights().iter().map(count).sum();
        assert_eq!(
            (model.dim, model.image_size, model.parameters),
            (config.projection_dim, config.vision.image_size(), parameters),
            "{}",
            model.name
        );
        assert_eq!(model.bytes(), 4 * parameters);
    }
}

#[test]
fn every_spelling_of_a_name_is_found() {
    let found = |text| match lookup(text) {
        Lookup::One(model) => model.name,
        other => panic!("{text}: {other:?}"),
    };
    for model in known() {
        assert_eq!(found(model.name), model.name);
    }
    for (text, name) in [
        ("ViT-B-32", "ViT-B-32/openai"),
        ("ViT-B/32", "ViT-B-32/openai"),
        ("ViT-L/14", "ViT-L-14/openai"),
        ("ViT-L-14", "ViT-L-14/openai"),
        ("ViT-L/14@336px", "ViT-L-14-336/openai"),
        ("ViT-L/14@336px/openai", "ViT-L-14-336/openai"),
        ("ViT-B-32-quickgelu", "ViT-B-32-quickgelu/openai"),
        ("ViT-B/32/laion2b_s34b_b79k", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-B-32/LAION2B-s34B-b79K", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-L-14/laion2b", "ViT-L-14/laion2b_s32b_b82k"),
        ("ViT-L-14/dfn2b", "ViT-L-14/dfn2b"), // also the beginning of dfn2b_s39b
        ("ViT-B-32-256", "ViT-B-32-256/datacomp_s34b_b86k"),
        ("ViT-H-14-378", "ViT-H-14-378/dfn5b"),
        ("RN50", "RN50/openai"),
        ("RN50x4", "RN50x4/openai"),
        (
            "convnext_base_w_320/laion_aesthetic_s13b_b82k_augreg",
            "convnext_base_w_320/laion_aesthetic_s13b_b82k_augreg",
        ),
        ("convnext_large_d", "convnext_large_d/laion2b_s26b_b102k_augreg"),
    ] {
        assert_eq!(found(text), name);
    }
    assert_eq!(openai("ViT-B/16").map(|model| model.name), Some("ViT-B-16/openai"));
    assert_eq!(openai("ViT-H-14"), None);
}

#[test]
fn beginning_of_several_names_is_ambiguous() {
    let names = |text| match lookup(text) {
        Lookup::Several(models) => models.iter().map(|model| model.name).collect::<Vec<_>>(),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(names("ViT-L-14/laion400m"), ["ViT-L-14/laion400m_e31", "ViT-L-14/laion400m_e32"]);
    assert_eq!(names("ViT-g-14"), ["ViT-g-14/laion2b_s12b_b42k", "ViT-g-14/laion2b_s34b_b88k"]);
    assert_eq!(names("ViT-B-32/commonpool").len(), 12);
    // Only whole parts of a tag count.
    for text in ["ViT-L-14/l", "ViT-L-14/", "ViT-L-14/laion2b_s", "ViT-L-15", "vit-l-14", ""] {
        assert_eq!(lookup(text), Lookup::Unknown, "{text}");
    }
}

#[test]
fn unsupported_architectures_are_recognized() {
    for text in [
        "coca_ViT-B-32/laion2b_s13b_b90k",
        "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
        "nllb-clip-base-siglip/v1",
        "ViT-L-14-CLIPA/datacomp1b",
        "ViTamin-L/datacomp1b",
        "MobileCLIP2-S4/dfndr2b",
    ] {
        assert!(is_unsupported(text), "{text}");
    }
    for text in [
        "ViT-B-16-SigLIP2/webli",
        "timm/ViT-B-16-SigLIP",
        "RN50/openai",
        "convnext_base_w",
        "openai/clip",
    ] {
        assert!(!is_unsupported(text), "{text}");
    }
}

#[test]
fn nearest_names_are_suggested() {
    assert_eq!(nearest("ViT-L14/openai")[0], "ViT-L-14/openai");
    assert_eq!(nearest("vit-l-14")[0], "ViT-L-14");
    assert_eq!(nearest("ViT-B-32/laion2b_s34b_b79")[0], "ViT-B-32/laion2b_s34b_b79k");
    // An architecture's own models come before the same tag of another.
    assert!(nearest("ViT-H-14/openai").iter().all(|name| name.starts_with("ViT-H-14/")));
    for far in ["", "none", "clip", &"ViT-B-32/".repeat(99)] {
        assert_eq!(nearest(far), [""; 0], "{far}");
    }
}

#[test]
fn distance_is_levenshtein() {
    for (a, b, expected) in
        [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("é", "e", 2)]
    {
        assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
    }
}
