//! The table is consistent, its sizes are those of the architectures, and names are found.

use std::collections::BTreeMap;

use serde_json::json;

use super::nearest::distance;
use super::*;
use crate::clip::Config;

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

/// Writes a config.json with the sizes of an architecture and reads it.
fn config(
    [image_size, layers, width, head, inner, patch_size]: [usize; 6],
    [text_width, heads, text_layers]: [usize; 3],
    dim: usize,
) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let file = json!({ "model_type": "clip", "projection_dim": dim,
        "text_config": { "hidden_size": text_width, "intermediate_size": 4 * text_width,
            "num_attention_heads": heads, "num_hidden_layers": text_layers },
        "vision_config": { "hidden_size": width, "intermediate_size": inner,
            "num_attention_heads": width / head, "num_hidden_layers": layers,
            "image_size": image_size, "patch_size": patch_size } });
    std::fs::write(&path, file.to_string()).unwrap();
    Config::open(&path).unwrap()
}

#[test]
fn table_is_sorted_and_unique() {
    assert_eq!(known().len(), 80);
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

#[test]
fn sizes_are_those_of_the_architecture_and_supported() {
    let sizes: BTreeMap<&str, Config> =
        SIZES.iter().map(|(name, image, text, dim)| (*name, config(*image, *text, *dim))).collect();
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
        "RN50x4/openai",
        "convnext_base/laion400m_s13b_b51k",
        "coca_ViT-B-32/laion2b_s13b_b90k",
        "EVA02-L-14/merged2b_s4b_b131k",
        "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
        "ViT-B-16-SigLIP2-256/webli",
        "ViT-L-14-CLIPA/datacomp1b",
        "ViT-H-14-worldwide/metaclip2_worldwide",
        "ViTamin-L/datacomp1b",
    ] {
        assert!(is_unsupported(text), "{text}");
    }
    for text in ["ViT-B-16/webli", "timm/ViT-B-16-SigLIP", "a/RN50", "openai/clip"] {
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
