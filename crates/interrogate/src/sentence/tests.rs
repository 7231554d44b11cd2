//! The sentence encoder on a tiny seeded checkpoint: compared with candle-transformers' BERT,
//! and with broken files.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::Error;
use crate::error::{CheckpointError, WeightsError};

const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "photo", "of", "##s", "blue", ",", "8"];
const DIM: usize = 8;

pub(super) fn config() -> Value {
    json!({
        "model_type": "bert", "hidden_act": "gelu", "vocab_size": WORDS.len(), "hidden_size": DIM,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
        "max_position_embeddings": 260, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "pad_token_id": 0
    })
}

pub(super) fn tokenizer() -> Value {
    let vocab: HashMap<&str, usize> =
        WORDS.iter().enumerate().map(|(id, &word)| (word, id)).collect();
    let special = |id: usize| json!({"id": WORDS[id], "ids": [id], "tokens": [WORDS[id]]});
    json!({
        "version": "1.0", "added_tokens": [],
        // The file of sentence-transformers has these two; they are ignored.
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": special(2), "[SEP]": special(3)}
        },
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    })
}

/// Pseudorandom values, the same on every machine.
fn weight(seed: usize, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
    Tensor::from_vec((0..count).map(value).collect(), shape, &Device::Cpu).unwrap()
}

pub(super) fn weights() -> HashMap<String, Tensor> {
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS.len(), DIM]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![260, DIM]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, DIM]),
        ("embeddings.LayerNorm.weight".to_owned(), vec![DIM]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![DIM]),
    ];
    for layer in 0..2 {
        for (part, shape) in [
            ("attention.self.query", vec![DIM, DIM]),
            ("attention.self.key", vec![DIM, DIM]),
            ("attention.self.value", vec![DIM, DIM]),
            ("attention.output.dense", vec![DIM, DIM]),
            ("attention.output.LayerNorm", vec![DIM]),
            ("intermediate.dense", vec![16, DIM]),
            ("output.dense", vec![DIM, 16]),
            ("output.LayerNorm", vec![DIM]),
        ] {
            shapes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![shape[0]]));
            shapes.push((format!("encoder.layer.{layer}.{part}.weight"), shape));
        }
    }
    let seeded =
        |(seed, (name, shape)): (usize, (String, Vec<usize>))| (name, weight(seed, &shape));
    shapes.into_iter().enumerate().map(seeded).collect()
}

/// Writes a checkpoint folder.
pub(super) fn folder(
    config: &Value,
    tokenizer: &Value,
    weights: &HashMap<String, Tensor>,
) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    candle_core::safetensors::save(weights, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn open() -> MiniLm {
    MiniLm::open(folder(&config(), &tokenizer(), &weights()).path()).unwrap()
}

fn refusal(config: &Value, weights: &HashMap<String, Tensor>) -> Error {
    MiniLm::open(folder(config, &tokenizer(), weights).path()).unwrap_err()
}

fn refused_config(field: &str, value: Value) -> String {
    let mut config = config();
    config[field] = value;
    refusal(&config, &weights()).to_string()
}

#[test]
fn rows_agree_with_candle_transformers() {
    let builder = VarBuilder::from_tensors(weights(), DType::F32, &Device::Cpu);
    let theirs = BertModel::load(builder, &serde_json::from_value(config()).unwrap()).unwrap();
    let texts = ["a cat", "a photo of a blue cat", "cats", "8, 8, 8", "", "a cat", "blue photos"];
    let ours = open();
    let tokens = ours.tokenize(&texts).unwrap();
    for (ids, row) in tokens.iter().zip(ours.embed(&tokens).unwrap().rows()) {
        let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let states = theirs.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        let mean = states.mean(1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let mean = Embeddings::new(DIM, mean).unwrap();
        for (ours, theirs) in row.iter().zip(mean.as_slice()) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs} of {ids}");
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    let ours = open();
    let texts: Vec<String> = (0..700).map(|i| "cat, ".repeat(i % 5) + "a photo").collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rows = ours.encode(&texts).unwrap();
    for (text, row) in texts.iter().zip(rows.rows()).take(10) {
        let alone = ours.encode(&[text]).unwrap();
        assert_eq!(alone.as_slice(), row, "{text}");
    }
}

#[test]
fn words_are_lowercased_and_truncation_and_padding_of_the_file_are_ignored() {
    let tokens = open().tokenize(&["A Photo of BLUE cats!", ""]).unwrap();
    assert_eq!(tokens.get(0).unwrap(), [2, 4, 6, 7, 9, 5, 8, 1, 3]);
    assert_eq!(tokens.get(1).unwrap(), [2, 3]);
}

#[test]
fn a_long_text_is_truncated_to_256_tokens_before_its_end_token() {
    let tokens = open().tokenize(&[&"cat ".repeat(254), &"cat ".repeat(255)]).unwrap();
    for ids in tokens.iter() {
        assert_eq!((ids.len(), ids[0], ids[254], ids[255]), (256, 2, 5, 3));
    }
}

#[test]
fn no_texts_encode_to_no_rows() {
    assert!(open().encode(&[]).unwrap().is_empty());
}

#[test]
fn an_empty_sequence_is_reported() {
    let mut tokens = Tokens::new();
    tokens.push(&[2, 3]);
    tokens.push(&[]);
    let error = open().embed(&tokens).unwrap_err().to_string();
    assert_eq!(error, "row 1 of the embeddings is zero or not finite");
}

#[test]
fn ids_and_lengths_beyond_the_checkpoint_are_errors() {
    for (ids, expected) in [
        (&[2, 99][..], "token sequence 0: expected tokens below 12, found 99"),
        (&[2; 300], "token sequence 0: expected at most 260 tokens, found 300 tokens"),
    ] {
        let mut tokens = Tokens::new();
        tokens.push(ids);
        assert_eq!(open().embed(&tokens).unwrap_err().to_string(), expected);
    }
}

#[test]
fn pooler_and_position_ids_are_accepted() {
    let mut weights = weights();
    weights.insert("pooler.dense.bias".into(), weight(1, &[DIM]));
    weights
        .insert("embeddings.position_ids".into(), Tensor::arange(0i64, 260, &Device::Cpu).unwrap());
    assert!(MiniLm::open(folder(&config(), &tokenizer(), &weights).path()).is_ok());
}

#[test]
fn missing_surplus_and_misshapen_weights_are_reported() {
    let name = "encoder.layer.1.output.dense.bias";
    let mut broken = weights();
    broken.remove(name);
    let error = refusal(&config(), &broken);
    assert!(
        matches!(&error, Error::Weights(WeightsError::Missing { name: found, .. }) if found == name),
        "{error}"
    );
    broken.insert(name.into(), weight(1, &[DIM + 1]));
    let error = refusal(&config(), &broken);
    assert!(
        matches!(&error, Error::Weights(WeightsError::Shape { found, .. }) if *found == [DIM + 1]),
        "{error}"
    );
    let mut broken = weights();
    broken.insert("lm_head.bias".into(), weight(1, &[1]));
    let error = refusal(&config(), &broken);
    assert!(
        matches!(&error, Error::Weights(WeightsError::Surplus { names, .. }) if *names == ["lm_head.bias"]),
        "{error}"
    );
}

#[test]
fn an_unsupported_configuration_is_refused_with_its_field() {
    for (field, value, message) in [
        ("model_type", json!("roberta"), "model_type: expected bert, found roberta"),
        ("hidden_act", json!("relu"), "hidden_act: expected gelu, found relu"),
        ("intermediate_size", json!(0), "intermediate_size: expected 1 to 128, found 0"),
        ("hidden_size", json!(1u64 << 40), "expected 1 to 16384, found 1099511627776"),
        ("num_attention_heads", json!(3), "expected a divisor of 8, found 3"),
        ("num_attention_heads", json!(0), "expected a divisor of 8, found 0"),
        ("max_position_embeddings", json!(128), "expected 256 or more, found 128"),
        ("type_vocab_size", json!(0), "expected 1 to 1048576, found 0"),
        ("is_decoder", json!(true), "is_decoder: expected false, found true"),
        ("num_hidden_layers", json!(1 << 20), "expected 1 to 256, found 1048576"),
        ("layer_norm_eps", json!(0.0), "layer_norm_eps: expected above 0 and below 1, found 0"),
        ("max_position_embeddings", json!(1 << 20), "expected 1 to 16384, found 1048576"),
        ("vocab_size", json!(9), "expected at most 9 tokens as in config.json, found 12"),
        ("hidden_size", json!("wide"), "config.json is not the JSON expected here"),
    ] {
        let error = refused_config(field, value);
        assert!(error.ends_with(message), "{error}");
    }
}

#[test]
fn the_files_of_sentence_transformers_are_used() {
    let folder = folder(&config(), &tokenizer(), &weights());
    let message = || MiniLm::open(folder.path()).unwrap_err().to_string();
    let sentence = folder.path().join("sentence_bert_config.json");
    std::fs::write(&sentence, r#"{"max_seq_length": 128, "do_lower_case": false}"#).unwrap();
    let model = MiniLm::open(folder.path()).unwrap();
    assert_eq!(model.context_length(), 128);
    let ids = model.tokenize(&[&"cat ".repeat(255)]).unwrap();
    assert_eq!(ids.get(0).unwrap().len(), 128);
    std::fs::write(&sentence, r#"{"max_seq_length": null}"#).unwrap();
    assert_eq!(MiniLm::open(folder.path()).unwrap().context_length(), 260);
    std::fs::write(&sentence, r#"{"max_seq_length": 261}"#).unwrap();
    assert!(message().ends_with("max_seq_length: expected 2 to 260, found 261"));
    std::fs::write(&sentence, r#"{"max_seq_length": 9, "do_lower_case": true}"#).unwrap();
    assert!(message().ends_with("do_lower_case: expected false, found true"));
    std::fs::remove_file(&sentence).unwrap();
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let pooling = folder.path().join("1_Pooling/config.json");
    let mean = r#"{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}"#;
    std::fs::write(&pooling, mean).unwrap();
    assert!(MiniLm::open(folder.path()).is_ok());
    std::fs::write(&pooling, r#"{"pooling_mode_cls_token": true}"#).unwrap();
    assert!(message().ends_with("pooling_mode_cls_token: expected false, found true"));
}

#[test]
fn missing_and_invalid_files_are_reported() {
    let folder = folder(&config(), &tokenizer(), &weights());
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, "{}").unwrap();
    let error = MiniLm::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, Error::Checkpoint(CheckpointError::Tokenizer { path: found, .. }) if *found == path),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    let error = MiniLm::open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("tokenizer.json"), "{error}");
    assert!(matches!(error, Error::Io { action: "read", .. }), "{error}");
}

/// Compares with sentence-transformers over the same f32 weights, with its padding and
/// batches: `tests/fixtures/sentence/make.py`. The largest difference found is 2e-7.
#[test]
fn rows_agree_with_sentence_transformers_within_1e_6() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sentence");
    let golden: Value =
        serde_json::from_slice(&std::fs::read(fixture.join("golden.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let theirs = Weights::open(&fixture.join("golden.safetensors")).unwrap();
    let theirs = theirs.values("embeddings", &[texts.len(), 32]).unwrap();
    let ours = MiniLm::open(&fixture).unwrap().encode(&texts).unwrap();
    let apart = ours.as_slice().iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f32::max);
    assert_eq!(ours.as_slice().len(), theirs.len());
    assert!(apart < 1e-6, "{apart}");
}
