//! Configurations of several families and versions.

use serde_json::json;

use super::*;

fn open(file: Value) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, file.to_string()).unwrap();
    Config::open(&path)
}

fn message(file: Value) -> String {
    let message = open(file).unwrap_err().to_string();
    message.rsplit_once('/').unwrap().1.to_owned()
}

#[test]
fn missing_fields_have_the_defaults_of_transformers() {
    let config = open(json!({ "model_type": "clip" })).unwrap();
    assert_eq!(config.projection_dim, 512);
    assert_eq!(config.text, TextConfig::default());
    assert_eq!(config.vision, VisionConfig::Vit(VitConfig::default()));
    let config = open(json!({ "model_type": "clip", "projection_dim": 768,
        "text_config": { "hidden_size": 768, "num_attention_heads": 12, "vocab_size": 99 },
        "vision_config": { "patch_size": 14 } }));
    let config = config.unwrap();
    assert_eq!((config.text.hidden_size, config.text.intermediate_size), (768, 2048));
    assert_eq!(config.vision.positions(), 257);
}

#[test]
fn the_older_dict_takes_precedence_over_the_newer_section() {
    let file = json!({ "model_type": "clip", "text_config": { "hidden_size": 64 },
        "text_config_dict": { "hidden_size": 256 }, "vision_config_dict": null,
        "vision_config": { "hidden_size": 192 } });
    let config = open(file).unwrap();
    let VisionConfig::Vit(vision) = config.vision else { panic!("{config:?}") };
    assert_eq!((config.text.hidden_size, vision.hidden_size), (256, 192));
}

#[test]
fn another_architecture_is_refused() {
    let expected = "config.json: model_type: expected clip, metaclip_2 or siglip, found ";
    let bert = json!({ "model_type": "bert", "architectures": ["BertModel"] });
    assert_eq!(message(bert), format!("{expected}bert"));
    let nameless = json!({ "architectures": ["SiglipModel"] });
    assert_eq!(message(nameless), format!("{expected}SiglipModel"));
    assert_eq!(message(json!({})), format!("{expected}none"));
}

#[test]
fn invalid_sizes_are_refused() {
    for (section, field, value, expected) in [
        ("text_config", "hidden_size", json!(0), "1 to 16384"),
        ("text_config", "num_attention_heads", json!(7), "a divisor of 512"),
        ("text_config", "num_attention_heads", json!(0), "a divisor of 512"),
        ("text_config", "num_hidden_layers", json!(u64::MAX), "1 to 256"),
        ("text_config", "max_position_embeddings", json!(1), "2 to 16384"),
        ("vision_config", "patch_size", json!(0), "1 to 224"),
        ("vision_config", "patch_size", json!(225), "1 to 224"),
        ("vision_config", "image_size", json!(u64::MAX), "1 to 1024"),
        ("text_config", "intermediate_size", json!(1 << 20), "1 to 8192"),
        ("vision_config", "intermediate_size", json!(1 << 20), "1 to 12288"),
        ("vision_config", "num_channels", json!(1), "3"),
        ("vision_config", "num_attention_heads", json!(5), "a divisor of 768"),
    ] {
        let file = json!({ "model_type": "clip", section: { field: value } });
        let expected =
            format!("config.json: {section}.{field}: expected {expected}, found {value}");
        assert_eq!(message(file), expected);
    }
}

#[test]
fn an_unsupported_activation_or_epsilon_is_refused() {
    let file = json!({ "model_type": "clip", "vision_config": { "hidden_act": "silu" } });
    let expected =
        "config.json: hidden_act: expected gelu, gelu_new, quick_gelu or relu, found silu";
    assert_eq!(message(file), expected);
    let file = json!({ "model_type": "clip", "text_config": { "layer_norm_eps": 0.0 } });
    let expected = "config.json: layer_norm_eps: expected above 0 and below 1, found 0";
    assert_eq!(message(file), expected);
}

#[test]
fn too_many_attention_scores_are_refused() {
    let expected = "at most 33554432 attention scores, found ";
    let file = json!({ "model_type": "clip", "vision_config": { "patch_size": 1 } });
    assert!(message(file).contains(expected));
    let positions = json!({ "max_position_embeddings": 4096 });
    let file = json!({ "model_type": "clip", "text_config": positions });
    assert!(message(file).contains(expected));
    let file = json!({ "model_type": "clip", "projection_dim": 16_384 });
    assert!(message(file).ends_with("projection_dim: expected 1 to 8192, found 16384"));
}

#[test]
fn image_size_may_be_a_pair() {
    let file = json!({ "model_type": "clip", "vision_config": { "image_size": [224, 224] } });
    assert_eq!(open(file).unwrap().vision.image_size(), 224);
}

#[test]
fn a_field_of_another_type_is_refused() {
    let file = json!({ "model_type": "clip", "text_config": { "hidden_size": -1 } });
    assert_eq!(message(file), "config.json is not the JSON expected here");
}

#[test]
fn siglip_has_its_own_defaults() {
    let config = open(json!({ "model_type": "siglip" })).unwrap();
    let text = &config.text;
    assert_eq!(
        (config.projection_dim, text.vocab_size, text.num_attention_heads),
        (768, 32_000, 12)
    );
    assert_eq!((text.max_position_embeddings, text.layer_norm_eps), (64, 1e-6));
    assert_eq!(
        text.parts,
        TextParts { attention: TextAttention::Padded, head: Head::BiasedProjection }
    );
    let VisionConfig::Vit(vision) = &config.vision else { panic!("{config:?}") };
    assert_eq!((vision.parts, vision.positions()), (VitParts::SIGLIP, 196));
    assert_eq!(vision.hidden_act, "gelu_pytorch_tanh");
}

/// google/siglip2-giant-opt-patch16-256, whose towers have different widths.
#[test]
fn siglip_projects_texts_to_the_width_of_images() {
    let file = json!({ "architectures": ["SiglipModel"], "initializer_factor": 1.0,
        "model_type": "siglip", "torch_dtype": "float32", "transformers_version": "4.49.0.dev0",
        "text_config": { "hidden_size": 1152, "intermediate_size": 4304,
            "model_type": "siglip_text_model", "num_attention_heads": 16,
            "num_hidden_layers": 27, "projection_size": 1536, "vocab_size": 256000 },
        "vision_config": { "hidden_size": 1536, "image_size": 256, "intermediate_size": 6144,
            "model_type": "siglip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 40 } });
    let config = open(file).unwrap();
    assert_eq!((config.projection_dim, config.text.hidden_size), (1536, 1152));
    let narrow = json!({ "model_type": "siglip", "text_config": { "projection_size": 512 } });
    assert_eq!(message(narrow), "config.json: projection_dim: expected 768, found 512");
}

#[test]
fn naflex_and_towers_without_a_head_are_refused() {
    let expected = "config.json: model_type: expected clip, metaclip_2 or siglip, \
                    found siglip2, whose images have no fixed resolution (NaFlex)";
    assert_eq!(message(json!({ "model_type": "siglip2" })), expected);
    let headless = json!({ "model_type": "siglip", "vision_config": { "vision_use_head": false } });
    let expected = "config.json: vision_config.vision_use_head: expected true, found false";
    assert_eq!(message(headless), expected);
}

/// CLIP's end-of-text token, which all published files have, is not SigLIP's.
#[test]
fn end_of_text_token_of_siglip_is_ignored() {
    let text = json!({ "eos_token_id": 49407, "bos_token_id": 49406 });
    let config = open(json!({ "model_type": "siglip", "text_config": text })).unwrap();
    assert_eq!(config.text.eos_token_id, None);
}
