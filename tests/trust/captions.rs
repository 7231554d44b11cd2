//! The files of a captioner's checkpoint.

use std::path::Path;

use interrogate::Precision;
use interrogate::caption::open;

use crate::copy;
use crate::mutation::{Reader, never};

/// Opens the captioner whose folder contains the file.
fn read(path: &Path) -> Result<String, String> {
    let opened = open(path.parent().unwrap(), Precision::F32);
    opened.map(|it| format!("{:?}", it.preprocess())).map_err(|error| error.to_string())
}

#[test]
fn damaged_captioner_configs_are_handled() {
    for fixture in [
        "caption/blip",
        "caption/blip2-opt",
        "caption/blip2-t5",
        "caption/git",
        "caption/florence2",
        "caption/florence2-microsoft",
    ] {
        let folder = copy(fixture);
        let names = ["config.json", "preprocessor_config.json", "processor_config.json"];
        for name in names.into_iter().filter(|name| folder.path().join(name).exists()) {
            Reader::new(folder.path().join(name), &read).every(11).mutate(usize::MAX, never);
        }
    }
}

#[test]
fn damaged_shard_index_is_handled() {
    let folder = copy("caption/blip2-opt");
    let path = folder.path().join("model.safetensors.index.json");
    Reader::new(path, &read).mutate(120, never);
}

/// Sizes far beyond those of the weights, and lists instead of sizes.
#[test]
fn sizes_in_a_captioner_config_allocate_nothing() {
    for (fixture, keys) in [
        (
            "caption/blip",
            &[
                ("vision_config", "image_size"),
                ("vision_config", "num_hidden_layers"),
                ("vision_config", "intermediate_size"),
                ("text_config", "max_position_embeddings"),
                ("text_config", "num_hidden_layers"),
                ("text_config", "vocab_size"),
            ][..],
        ),
        (
            "caption/blip2-opt",
            &[
                ("vision_config", "image_size"),
                ("qformer_config", "num_hidden_layers"),
                ("qformer_config", "intermediate_size"),
                ("text_config", "max_position_embeddings"),
                ("text_config", "num_hidden_layers"),
                ("text_config", "ffn_dim"),
            ],
        ),
        (
            "caption/blip2-t5",
            &[
                ("text_config", "relative_attention_num_buckets"),
                ("text_config", "num_layers"),
                ("text_config", "num_decoder_layers"),
                ("text_config", "d_ff"),
                ("text_config", "d_kv"),
            ],
        ),
        (
            "caption/git",
            &[
                ("vision_config", "image_size"),
                ("vision_config", "num_hidden_layers"),
                ("vision_config", "intermediate_size"),
            ],
        ),
        (
            "caption/florence2-microsoft",
            &[
                ("vision_config", "window_size"),
                ("vision_config", "projection_dim"),
                ("text_config", "max_position_embeddings"),
                ("text_config", "encoder_layers"),
                ("text_config", "decoder_ffn_dim"),
                ("text_config", "vocab_size"),
            ],
        ),
    ] {
        let folder = copy(fixture);
        let path = folder.path().join("config.json");
        let whole: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let reader = Reader::new(&path, &read);
        for (section, key) in keys {
            for value in [140, 1008, 1 << 14, 1 << 20, 1 << 31, u64::MAX] {
                let mut changed = whole.clone();
                changed[section][key] = value.into();
                reader.refuses(changed.to_string().as_bytes());
            }
        }
        for value in [1000, 1 << 20, u64::MAX] {
            let mut changed = whole.clone();
            changed["num_query_tokens"] = value.into();
            if fixture.starts_with("caption/blip2") {
                reader.refuses(changed.to_string().as_bytes());
            }
        }
        let numbers = format!("[{}1]", "1,".repeat(31 << 20));
        reader.refuses(numbers.as_bytes());
        let numbers =
            format!(r#"{{"model_type":"blip-2","text_config":[{}1]}}"#, "1,".repeat(500 << 10));
        reader.refuses(numbers.as_bytes());
    }
}

#[test]
fn shard_index_takes_bounded_memory() {
    let folder = copy("caption/blip2-opt");
    let path = folder.path().join("model.safetensors.index.json");
    let reader = Reader::new(path, &read);
    let entries: Vec<String> = (0..230_000).map(|n| format!(r#""{n}":"{n}""#)).collect();
    reader.refuses(format!(r#"{{"weight_map":{{{}}}}}"#, entries.join(",")).as_bytes());
    reader.refuses(format!(r#"{{"weight_map":[{}1]}}"#, "1,".repeat(31 << 20)).as_bytes());
    reader.refuses(format!(r#"{{"metadata":[{}1]}}"#, "1,".repeat(2 << 20)).as_bytes());
}
