//! Invalid folders and options, and their errors.

use std::path::Path;

use tempfile::TempDir;

use super::super::{Error, GenerationConfig, Precision, open, read_json};
use super::fixture;
use crate::error::CheckpointError;

/// Copies a fixture without its golden files.
pub(super) fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap();
        if !file.to_string_lossy().starts_with("golden") {
            std::fs::copy(&path, folder.path().join(file)).unwrap();
        }
    }
    folder
}

pub(super) fn edit(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut json: serde_json::Value = read_json(path).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

/// Returns the message of `open`, without the folder's path, and the hint.
pub(super) fn refused(folder: &TempDir) -> (String, String) {
    let error = open(folder.path(), Precision::F32).err().unwrap();
    let message = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    let message = message.replace(&folder.path().display().to_string(), "FOLDER");
    (message, error.hint().unwrap_or_default())
}

#[test]
fn other_model_type_is_refused() {
    let folder = copy("blip");
    let config = folder.path().join("config.json");
    edit(&config, |json| json["model_type"] = "clip".into());
    let (message, hint) = refused(&folder);
    assert_eq!(
        message,
        r#"config.json: model_type is "clip", expected "blip", "blip-2", "git" or "florence2""#
    );
    assert!(hint.contains("blip-base"));
    std::fs::write(&config, "{").unwrap();
    assert!(matches!(open(folder.path(), Precision::F32), Err(Error::Json { .. })));
    std::fs::remove_file(&config).unwrap();
    assert_eq!(refused(&folder).0, "cannot read config.json");
}

#[test]
fn missing_shard_is_reported() {
    let folder = copy("blip2-opt");
    std::fs::remove_file(folder.path().join("model-00002-of-00003.safetensors")).unwrap();
    let (message, hint) = refused(&folder);
    assert_eq!(
        message,
        "model-00002-of-00003.safetensors: no such file, though model.safetensors.index.json names it"
    );
    assert!(hint.contains("again"));
}

#[test]
fn shard_outside_the_folder_is_refused() {
    let folder = copy("blip2-opt");
    let index = folder.path().join("model.safetensors.index.json");
    for name in ["../model.safetensors", "/etc/passwd", "..", "a/b"] {
        edit(&index, |json| json["weight_map"]["query_tokens"] = name.into());
        let message = refused(&folder).0;
        assert!(message.contains("shard: expected a file name"), "{message}");
    }
}

#[test]
fn bare_pickle_is_refused_with_a_hint() {
    let folder = copy("blip");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    assert_eq!(refused(&folder).0, "cannot open model.safetensors");
    std::fs::write(folder.path().join("pytorch_model.bin"), b"\x80\x02\x8a\x0a").unwrap();
    let (message, hint) = refused(&folder);
    assert_eq!(message, "pytorch_model.bin: unsupported: a pickle without an archive");
    assert!(hint.contains("torch.save"));
}

#[test]
fn tokenizer_with_another_vocabulary_is_refused() {
    let folder = copy("blip2-opt");
    let tokenizer = folder.path().join("tokenizer.json");
    edit(&tokenizer, |json| json["model"]["vocab"]["w96"] = 96.into());
    let (message, hint) = refused(&folder);
    assert_eq!(message, "tokenizer.json: a tokenizer of 97 tokens for a language model of 96");
    assert!(hint.contains("tokenizer.json"));
    std::fs::write(&tokenizer, "{}").unwrap();
    assert_eq!(refused(&folder).0, "tokenizer.json: not a usable tokenizer");
}

/// The tokenizer's own vocabulary need not contain its special tokens.
#[test]
fn special_token_outside_the_vocabulary_is_refused() {
    let folder = copy("blip2-opt");
    let tokenizer = folder.path().join("tokenizer.json");
    let before = std::fs::read(&tokenizer).unwrap();
    edit(&tokenizer, |json| {
        json["post_processor"]["special_tokens"]["w2"]["ids"] = serde_json::json!([u32::MAX]);
    });
    let options = GenerationConfig { prompt: "w5".to_owned(), ..GenerationConfig::default() };
    let captioner = open(folder.path(), Precision::F32).unwrap();
    let error = captioner.caption(&[], &options).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Checkpoint(CheckpointError::Vocabulary { found: 0x1_0000_0000, .. })
        ),
        "{error}"
    );

    // The padding length of the file is ignored.
    std::fs::write(&tokenizer, before).unwrap();
    edit(&tokenizer, |json| {
        json["padding"] = serde_json::json!({
            "strategy": { "Fixed": 1u64 << 40 }, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "w0",
        });
    });
    open(folder.path(), Precision::F32).unwrap().caption(&[], &options).unwrap();
}

/// Returns the error message and the hint for `options`.
fn invalid(name: &str, options: &GenerationConfig) -> (String, String) {
    let error = open(&fixture(name), Precision::F32).unwrap().caption(&[], options).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn invalid_options_are_reported_with_a_hint() {
    for name in ["blip", "blip2-opt", "blip2-t5", "git"] {
        let none = GenerationConfig { num_beams: 0, ..GenerationConfig::default() };
        let (message, hint) = invalid(name, &none);
        assert_eq!(message, "num_beams is 0, expected 1 to 48");
        assert_eq!(hint, "one beam is greedy search, 3 to 6 are usual");
        let none = GenerationConfig { max_new_tokens: 0, ..GenerationConfig::default() };
        let (message, hint) = invalid(name, &none);
        assert!(message.starts_with("max_new_tokens is 0, expected 1 to "), "{message}");
        assert!(hint.contains("max_new_tokens"), "{hint}");
    }
}

/// The fixtures have 64 positions.
#[test]
fn prompt_that_leaves_too_few_positions_is_reported() {
    for (name, queries) in [("blip", 0), ("blip2-opt", 4), ("git", 0)] {
        let model = open(&fixture(name), Precision::F32).unwrap();
        let picture = crate::picture::Picture::from_rgb(1, 1, vec![9; 3]).unwrap();
        let caption = |words: usize| {
            let prompt = vec!["w7"; words].join(" ");
            let options = GenerationConfig { prompt, ..GenerationConfig::default() };
            model.caption(std::slice::from_ref(&picture), &options)
        };
        let error = caption(64).unwrap_err();
        let message = error.to_string();
        let start = "max_new_tokens is 20, expected a prompt shorter than ";
        assert!(message.starts_with(start), "{message}");
        assert!(error.hint().unwrap().contains("shorten the prompt"));
        let message = caption(50 - queries).unwrap_err().to_string();
        assert!(message.starts_with("max_new_tokens is 20, expected 1 to 1"), "{message}");
        assert_eq!(caption(3).unwrap().len(), 1);
    }
}

#[test]
fn inconsistent_sizes_are_refused() {
    for (name, at, value, message) in [
        ("blip", "/vision_config/num_attention_heads", 5, "expected a divisor of 32, found 5"),
        ("blip", "/vision_config/patch_size", 0, "expected a divisor of 28, found 0"),
        ("blip", "/text_config/hidden_size", 0, "expected 1 to 16384, found 0"),
        ("blip", "/text_config/sep_token_id", 96, "expected below 96, found 96"),
        ("blip2-opt", "/qformer_config/cross_attention_frequency", 0, "1 to 256, found 0"),
        ("blip2-opt", "/text_config/word_embed_proj_dim", 16, "expected 32, found 16"),
        ("blip2-opt", "/image_token_index", 96, "expected below 96, found 96"),
        ("blip2-t5", "/text_config/relative_attention_num_buckets", 2, "at least 4, found 2"),
        ("blip2-t5", "/text_config/relative_attention_max_distance", 4, "above 4, found 4"),
        ("blip", "/vision_config/image_size", 1 << 20, "expected 1 to 1024, found 1048576"),
        ("blip", "/vision_config/num_hidden_layers", 1 << 40, "1 to 256, found 1099511627776"),
        ("blip", "/vision_config/intermediate_size", 513, "expected 1 to 512, found 513"),
        ("blip", "/text_config/max_position_embeddings", 1 << 20, "1 to 16384, found 1048576"),
        ("blip2-opt", "/num_query_tokens", 1 << 20, "expected 1 to 1024, found 1048576"),
        ("blip2-opt", "/text_config/max_position_embeddings", 1 << 20, "found 1048576"),
        ("blip2-opt", "/text_config/num_hidden_layers", 1 << 20, "1 to 256, found 1048576"),
        ("git", "/num_attention_heads", 5, "expected a divisor of 24, found 5"),
        ("git", "/intermediate_size", 385, "expected 1 to 384, found 385"),
        ("git", "/num_hidden_layers", 257, "expected 1 to 256, found 257"),
        ("git", "/max_position_embeddings", 1 << 20, "1 to 16384, found 1048576"),
        ("git", "/eos_token_id", 96, "expected below 96, found 96"),
        ("git", "/num_image_with_embedding", 6, "null, a model of single images, found 6"),
        ("git", "/vision_config/image_size", 1 << 20, "expected 1 to 1024, found 1048576"),
        ("blip2-t5", "/text_config/d_ff", 2049, "expected 1 to 2048, found 2049"),
        ("blip2-t5", "/text_config/num_layers", 257, "expected 1 to 256, found 257"),
        ("blip2-t5", "/text_config/d_kv", 1_u64 << 40, "1 to 16384, found 1099511627776"),
    ] {
        let folder = copy(name);
        edit(&folder.path().join("config.json"), |json| {
            *json.pointer_mut(at).unwrap() = serde_json::Value::from(value);
        });
        let found = refused(&folder).0;
        assert!(found.starts_with("config.json: ") && found.ends_with(message), "{found}");
    }
}

#[test]
fn unsupported_language_models_are_refused() {
    for (name, at, value, message) in [
        ("blip2-opt", "model_type", "gpt2".into(), "expected opt or t5, found gpt2"),
        ("blip2-opt", "do_layer_norm_before", false.into(), "expected true, found false"),
        ("blip2-t5", "dense_act_fn", "silu".into(), "gated- before it or not, found silu"),
        ("blip2-t5", "feed_forward_proj", "glu-relu".into(), "or not, found glu-relu"),
    ] {
        let folder = copy(name);
        edit(&folder.path().join("config.json"), |json: &mut serde_json::Value| {
            json["text_config"][at] = value;
        });
        let found = refused(&folder).0;
        assert!(found.ends_with(message), "{found}");
    }
}

#[test]
fn extra_and_missing_weights_are_refused() {
    let folder = copy("blip2-opt");
    let config = folder.path().join("config.json");
    edit(&config, |json| json["text_config"]["num_hidden_layers"] = 1.into());
    assert!(refused(&folder).0.starts_with("model.safetensors.index.json: 16 weights more than the architecture has: language_model.model.decoder.layers.1.fc1.bias"));
    edit(&config, |json| json["text_config"]["num_hidden_layers"] = 3.into());
    assert_eq!(
        refused(&folder).0,
        "model.safetensors.index.json: no weight named language_model.model.decoder.layers.2.self_attn_layer_norm.weight"
    );
    let folder = copy("blip");
    let size = |json: &mut serde_json::Value| json["size"] = 384.into();
    edit(&folder.path().join("preprocessor_config.json"), size);
    assert_eq!(
        refused(&folder).0,
        "preprocessor_config.json: size: expected 28 x 28, found 384 x 384"
    );
}

#[test]
fn truncated_weights_are_refused() {
    let folder = copy("blip");
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 9, 1000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let message = refused(&folder).0;
        assert!(message.starts_with("model.safetensors: safetensors: expected a whole file"));
    }
}
