//! Keys of a configuration that override what another key says: read as transformers
//! reads them, or refused by name.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::refusals::{copy, edit, refused};
use super::*;

/// One entry of blip2-t5/keys.json, which `make.py keys` wrote (transformers 5.24).
#[derive(Deserialize)]
struct Case {
    name: String,
    /// To text_config; null takes a key out.
    change: Map<String, Value>,
    ids: Vec<Vec<u32>>,
    /// The scores of each image's first step.
    first: Vec<Vec<f32>>,
}

#[test]
fn t5_keys_override_what_others_derive_as_in_transformers() {
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
        let begin = || model.begin(images, model.see(&pixels).unwrap(), &[1]).unwrap();
        let (mut state, prompts) = begin();
        let row = |(image, prompt): (usize, &Prompt)| Row {
            image,
            input: prompt.inputs[0],
            chain: Vec::new(),
        };
        let rows: Vec<Row> = prompts.iter().enumerate().map(row).collect();
        let step = Step { rows, first: 0, scored: (0..images as u32).collect() };
        let found = model.language.read(&mut state, &step).unwrap();
        near(&case.name, &found, &case.first.concat(), 2e-4);
        let options = Generation {
            max_new_tokens: golden.wanted.lengths.max_new_tokens,
            min_new_tokens: golden.wanted.lengths.min_new_tokens,
            ..Generation::default()
        };
        let (state, prompts) = begin();
        let found = generate(&model.language, state, &prompts, &options, &mut |_| {}).unwrap();
        let found: Vec<Vec<u32>> = found.into_iter().map(|caption| caption.tokens).collect();
        assert_eq!(found, case.ids, "{}", case.name);
    }
}

#[test]
fn keys_that_ask_for_what_is_not_built_are_refused_by_name() {
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
fn a_side_may_be_written_as_two() {
    let folder = copy("blip");
    edit(&folder.path().join("config.json"), |json| {
        json["vision_config"]["image_size"] = json!([28, 28]);
    });
    open(folder.path(), Precision::F32).unwrap();
}

#[test]
fn the_epsilon_of_a_captioner_is_the_files() {
    let pixels = Golden::of("blip").values("pixels");
    let scores = |eps: f64| {
        let folder = copy("blip");
        edit(&folder.path().join("config.json"), |json| {
            json["vision_config"]["layer_norm_eps"] = json!(eps);
        });
        let weights = Weights::open_folder(folder.path()).unwrap();
        let seen = Blip::open(folder.path(), weights, cpu()).unwrap().see(&pixels).unwrap();
        cpu().download(seen).unwrap()
    };
    assert_ne!(scores(1e-5), scores(1e-2));
}
