//! Configuration keys that override other keys: read like transformers, or refused.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::refusals::{copy, edit, refused};
use super::*;

/// An entry of blip2-t5/keys.json, which `make.py keys` writes (transformers 5.24).
#[derive(Deserialize)]
struct Case {
    name: String,
    /// Changes to text_config; null removes a key.
    change: Map<String, Value>,
    ids: Vec<Vec<u32>>,
    /// The logits of each image's first step.
    first: Vec<Vec<f32>>,
}

#[test]
fn t5_keys_take_precedence_as_in_transformers() {
    let golden = Golden::of("blip2-t5");
    let cases: Vec<Case> = read_json(&fixture("blip2-t5").join("keys.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let folder = copy("blip2-t5");
        edit(&folder.path().join("config.json"), |json| {
            let text = json["text_config"].as_object_mut().unwrap();
            for (key, value) in case.change {
                if value.is_null() {
                    text.remove(&key)
                } else {
                    text.insert(key, value)
                };
            }
        });
        let weights = Weights::open_folder(folder.path()).unwrap();
        let model = Blip2::open(folder.path(), weights, cpu()).unwrap();
        let pixels = golden.values("pixels");
        let images = golden.arrays["pixels"].dim(0).unwrap();
        let begin = || model.begin(images, model.encode_images(&pixels).unwrap(), &[1]).unwrap();
        let (mut state, prompts) = begin();
        let row = |(image, prompt): (usize, &Prompt)| Row {
            image,
            input: prompt.inputs[0],
            cache_rows: Vec::new(),
        };
        let rows: Vec<Row> = prompts.iter().enumerate().map(row).collect();
        let step = Step { rows, first: 0, scored: (0..images as u32).collect() };
        model.language.read(&mut state, &step).unwrap();
        let found = model.language.logits(&mut state).unwrap();
        near(&case.name, &found, &case.first.concat(), 2e-4);
        let options = GenerationConfig {
            max_new_tokens: golden.expected.lengths.max_new_tokens,
            min_new_tokens: golden.expected.lengths.min_new_tokens,
            ..GenerationConfig::default()
        };
        let (state, prompts) = begin();
        let found = generate(&model.language, state, &prompts, &options, &mut |_| {}).unwrap();
        let found: Vec<Vec<u32>> = found.into_iter().map(|caption| caption.tokens).collect();
        assert_eq!(found, case.ids, "{}", case.name);
    }
}

#[test]
fn unsupported_values_are_refused() {
    for (name, at, value, message) in [
        ("blip2-t5", "/text_config/dense_act_fn", json!("silu"), "found silu"),
        ("blip2-t5", "/text_config/is_gated_act", json!(false), "no weight named"),
        ("blip2-t5", "/text_config/hidden_size", json!(64), "expected 32, found 64"),
        ("blip2-t5", "/text_config/head_dim", json!(16), "expected 8, found 16"),
        ("blip2-t5", "/text_config/num_attention_heads", json!(8), "expected 4, found 8"),
        ("blip2-t5", "/text_config/num_hidden_layers", json!(3), "expected 2, found 3"),
        ("blip2-t5", "/text_config/layer_norm_epsilon", json!(0.0), "above 0 and below 1"),
        ("blip2-opt", "/image_token_id", json!(96), "expected below 96, found 96"),
        ("blip2-opt", "/vision_config/layer_norm_eps", json!(1.5), "above 0 and below 1"),
        ("blip2-opt", "/vision_config/image_size", json!([28, 42]), "is not the JSON expected"),
        ("blip2-opt", "/qformer_config/layer_norm_eps", json!(-1.0), "above 0 and below 1"),
        (
            "blip2-opt",
            "/qformer_config/position_embedding_type",
            json!("relative_key"),
            "expected absolute, found relative_key",
        ),
        ("blip", "/text_config/layer_norm_eps", json!(0), "above 0 and below 1"),
        ("blip", "/text_config/is_decoder", json!(false), "expected true, found false"),
        (
            "blip",
            "/text_config/position_embedding_type",
            json!("relative_key_query"),
            "expected absolute, found relative_key_query",
        ),
    ] {
        let folder = copy(name);
        let (parent, key) = at.rsplit_once('/').unwrap();
        edit(&folder.path().join("config.json"), |json| {
            json.pointer_mut(parent).unwrap()[key] = value;
        });
        let found = refused(&folder).0;
        assert!(found.contains(message), "{at}: {found}");
    }
}

#[test]
fn image_size_may_be_a_pair() {
    let folder = copy("blip");
    edit(&folder.path().join("config.json"), |json| {
        json["vision_config"]["image_size"] = json!([28, 28]);
    });
    open(folder.path(), Precision::F32).unwrap();
}

#[test]
fn layer_norm_eps_is_read_from_the_config() {
    let pixels = Golden::of("blip").values("pixels");
    let states = |eps: f64| {
        let folder = copy("blip");
        edit(&folder.path().join("config.json"), |json| {
            json["vision_config"]["layer_norm_eps"] = json!(eps);
        });
        let weights = Weights::open_folder(folder.path()).unwrap();
        let states =
            Blip::open(folder.path(), weights, cpu()).unwrap().encode_images(&pixels).unwrap();
        cpu().download(states).unwrap()
    };
    assert_ne!(states(1e-5), states(1e-2));
}
