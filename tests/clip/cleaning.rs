//! Text cleaning follows the checkpoint's layout.
//!
//! crates/interrogate/src/clip/cleaning/golden.rs compares the tokens with open_clip's.

use interrogate::clip::{ClipText, TextCleaning};
use interrogate::encoder::Counter;
use interrogate::models::{Model, ModelSource, Options};

use super::openai::{copy_files, file, layouts, open_error};
use super::*;

/// Labels before and after ftfy's repair.
const PAIRS: [(&str, &str); 4] = [
    ("photorealism \u{201d}", "photorealism \""),
    ("roger deakin\u{2019}s cinematography", "roger deakin's cinematography"),
    ("caf\u{c3}\u{a9} &amp;amp; \u{fb01}re", "café & fire"),
    ("&lt;b", "<b"),
];

fn same_row(text: &ClipText, (label, repaired): (&str, &str)) -> bool {
    let rows = text.encode(&[label, repaired]).unwrap();
    let (a, b) = rows.as_slice().split_at(rows.dim());
    a == b
}

#[test]
fn text_cleaning_follows_the_layout() {
    for (_folder, path) in layouts() {
        let open =
            |cleaning| Checkpoint::open(&path).unwrap().cleaning(cleaning).text_encoder().unwrap();
        for pair in PAIRS {
            for cleaning in [TextCleaning::Auto, TextCleaning::OpenAi] {
                assert!(same_row(&open(cleaning), pair), "{path:?}: {pair:?}");
            }
            assert!(!same_row(&open(TextCleaning::Transformers), pair), "{path:?}: {pair:?}");
        }
    }
    // OpenAI's cleaning replaces the checkpoint's own.
    for name in ["quick", "gelu"] {
        let with = |cleaning| open(name).cleaning(cleaning).text_encoder().unwrap();
        for pair in PAIRS {
            assert!(!same_row(&with(TextCleaning::Auto), pair), "{name}: {pair:?}");
            assert!(!same_row(&with(TextCleaning::Transformers), pair), "{name}: {pair:?}");
            assert!(same_row(&with(TextCleaning::OpenAi), pair), "{name}: {pair:?}");
        }
    }
}

#[test]
fn token_budget_counts_cleaned_text() {
    let (_folder, path) = layouts().swap_remove(0);
    for (label, repaired) in PAIRS {
        let counts = |cleaning| {
            let counter = Checkpoint::open(&path).unwrap().cleaning(cleaning).counter().unwrap();
            [label, repaired].map(|text| counter.count(text).unwrap())
        };
        let [label, repaired] = counts(TextCleaning::Auto);
        assert_eq!(label, repaired);
        assert!(counts(TextCleaning::Transformers)[0] > repaired);
    }
}

/// Each cleaning has its own fingerprint; that of transformers' cleaning is the one from
/// before there was a choice.
#[test]
fn fingerprint_includes_the_text_cleaning() {
    let fingerprint =
        |checkpoint: Checkpoint, cleaning| checkpoint.cleaning(cleaning).fingerprint().unwrap();
    let (_folder, path) = layouts().swap_remove(2);
    let own = |cleaning| fingerprint(Checkpoint::open(&path).unwrap(), cleaning);
    assert_eq!(own(TextCleaning::Auto), own(TextCleaning::OpenAi));
    assert_ne!(own(TextCleaning::Auto), own(TextCleaning::Transformers));
    let plain = |cleaning| fingerprint(open("quick"), cleaning);
    assert_eq!(plain(TextCleaning::Auto), plain(TextCleaning::Transformers));
    assert_ne!(plain(TextCleaning::Auto), plain(TextCleaning::OpenAi));
    assert_eq!(plain(TextCleaning::Auto), QUICK);
    let found = open("quick").cleaning_of(&plain(TextCleaning::OpenAi)).unwrap();
    assert_eq!(found, Some(TextCleaning::OpenAi));
    assert_eq!(open("quick").cleaning_of(&own(TextCleaning::Auto)).unwrap(), None);
}

/// The fingerprint by version 0.1 of this library, and by Python's hashlib from the files
/// (defined in crates/interrogate/src/clip/fingerprint.rs).
const QUICK: &str = "95a3647de0e27fa18e660f841f504afa9cb8eca0fa7d94f189a13ce485f6958a";

#[test]
fn open_clip_config_selects_the_cleaning() {
    let names =
        ["open_clip_model.safetensors", "open_clip_config.json", "vocab.json", "merges.txt"];
    let results = ["lower", "whitespace", "canonicalize"].map(|form| {
        let folder = copy_files(&names);
        edit(&folder, "open_clip_config.json", |file| {
            file["model_cfg"]["text_cfg"]["tokenizer_kwargs"] =
                serde_json::json!({ "clean": form });
        });
        let text = Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap();
        let same = |a, b| same_row(&text, (a, b));
        (same("A,b  c", "a,b c"), same("a,_b", "a b"), same("A  b", "A b"))
    });
    assert_eq!(results, [(true, false, true), (false, false, true), (true, true, true)]);
    let message = |kwargs: Value| {
        open_error(&names, |folder| {
            edit(folder, "open_clip_config.json", |file| {
                file["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = kwargs;
            });
        })
        .0
    };
    assert_eq!(
        message(serde_json::json!({ "clean": "none" })),
        "open_clip_config.json: tokenizer_kwargs.clean: expected lower, whitespace or \
         canonicalize, found none"
    );
    assert_eq!(
        message(serde_json::json!({ "reduction_mask": "syntax" })),
        "open_clip_config.json: tokenizer_kwargs: expected supported keys, \
         found reduction_mask: \"syntax\""
    );
}

#[test]
fn cleaning_refuses_another_tokenizer() {
    let folder = copy("gelu");
    edit(&folder, "tokenizer.json", |file| {
        file["model"]["end_of_word_suffix"] = Value::Null;
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap().cleaning(TextCleaning::OpenAi);
    let message = relative_message(&folder, &checkpoint.text_encoder().unwrap_err());
    let expected = "tokenizer.json: model: expected BPE with the suffix </w>, which OpenAI's \
                    text cleaning needs, found another model";
    assert_eq!(message, expected);
}

#[test]
fn model_applies_the_chosen_cleaning() {
    let source = ModelSource::File(file("tiny.pt"));
    let open = || Model::open(source.clone(), &Options::new("none"), &mut |_| {}).unwrap();
    let other = open().with_cleaning(TextCleaning::Transformers).unwrap();
    assert_ne!(open().fingerprint().unwrap(), other.fingerprint().unwrap());
    let count = |model: &Model| model.counter().unwrap().count(PAIRS[2].0).unwrap();
    assert!(count(&open()) < count(&other));
}
