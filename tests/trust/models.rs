//! The files of CLIP and MiniLM checkpoints.

use std::fs;
use std::path::Path;

use interrogate::clip::{Checkpoint, Config, preprocess};
use interrogate::encoder::{Counter, TextEncoder};
use interrogate::sentence::MiniLm;
use interrogate::weights::Weights;

use crate::mutation::{Reader, never};
use crate::{copy, repository};

/// The result with the error as its message.
fn with_message<T>(result: interrogate::Result<T>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Tokens of a text by the tokenizer of a checkpoint.
fn tokens(folder: &Path) -> Result<usize, String> {
    let counter = with_message(with_message(Checkpoint::open(folder))?.counter())?;
    with_message(counter.count("a cat, 8k, café"))
}

#[test]
fn damaged_model_config_is_handled() {
    let folder = copy("clip/gelu");
    let read = |path: &Path| -> Result<String, String> {
        with_message(Config::open(path))?;
        // Opening compares the sizes with the weights.
        with_message(Checkpoint::open(path.parent().unwrap())).map(|c| format!("{:?}", c.config()))
    };
    Reader::new(folder.path().join("config.json"), &read).mutate(usize::MAX, never);
}

#[test]
fn damaged_preprocessor_config_is_handled() {
    let folder = copy("clip/gelu");
    let read = |path: &Path| with_message(preprocess::open(path)).map(|steps| format!("{steps:?}"));
    let path = folder.path().join("preprocessor_config.json");
    Reader::new(path, &read).mutate(usize::MAX, never);
}

#[test]
fn damaged_vocabulary_and_merges_are_handled() {
    let folder = copy("clip/quick");
    let read = |_: &Path| tokens(folder.path());
    Reader::new(folder.path().join("merges.txt"), &read).mutate(usize::MAX, never);
    Reader::new(folder.path().join("vocab.json"), &read).mutate(200, never);
}

#[test]
fn damaged_tokenizer_is_handled() {
    let folder = copy("clip/gelu");
    let read = |_: &Path| tokens(folder.path());
    // The first part has the pre-tokenizer; the rest is mostly vocabulary.
    Reader::new(folder.path().join("tokenizer.json"), &read).every(3).mutate(2200, never);
}

/// A tokenizer.json of `normalizer` and `model`.
fn tokenizer(normalizer: &str, model: &str) -> Vec<u8> {
    format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":{normalizer},"pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{model}}}"#
    )
    .into_bytes()
}

const WORDS: &str = r#"{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}"#;

/// Normalizers of some 12 kB that expand one letter to gigabytes, and similar ones.
#[test]
fn components_that_multiply_a_text_are_refused() {
    let folder = copy("clip/gelu");
    let read = |_: &Path| tokens(folder.path());
    let reader = Reader::new(folder.path().join("tokenizer.json"), &read);
    let replace = |content: &str| {
        let pattern = r#"{"Regex":"a"}"#;
        format!(r#"{{"type":"Replace","pattern":{pattern},"content":"{content}"}}"#)
    };
    let chain = |parts: Vec<String>| {
        format!(r#"{{"type":"Sequence","normalizers":[{}]}}"#, parts.join(","))
    };
    let nested = (0..9).fold(replace("aaaa"), |inner, _| chain(vec![inner, replace("aaaa")]));
    let ahead = r#"{"type":"Replace","pattern":{"Regex":"(?=a)"},"content":"a"}"#.to_owned();
    let large =
        r#"{"type":"Replace","pattern":{"Regex":"\\w{1000}{1000}"},"content":"a"}"#.to_owned();
    for normalizer in [
        chain(vec![replace("aaaaaaaa"); 10]),
        chain(vec![replace("aa"); 100]),
        chain(vec![r#"{"type":"NFC"}"#.to_owned(); 100]),
        nested,
        replace(&"a".repeat(12_000)),
        r#"{"type":"Prepend","prepend":"aaaa"}"#.to_owned(),
        ahead,
        large,
    ] {
        reader.refuses(&tokenizer(&normalizer, WORDS));
    }
    let dropout = r#"{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}"#;
    reader.refuses(&tokenizer("null", dropout));
}

/// 62 MB of numbers in place of every list and object.
#[test]
fn tokenizer_of_unexpected_content_takes_bounded_memory() {
    let folder = copy("clip/gelu");
    let read = |_: &Path| tokens(folder.path());
    let reader = Reader::new(folder.path().join("tokenizer.json"), &read);
    let numbers = format!("[{}1]", "1,".repeat(31 << 20));
    let model = |fields: &str| tokenizer("null", &format!(r#"{{"type":"BPE",{fields}}}"#));
    for bytes in [
        numbers.clone().into_bytes(),
        tokenizer(&numbers, WORDS),
        tokenizer("null", &numbers),
        model(&format!(r#""vocab":{numbers},"merges":[]"#)),
        model(&format!(r#""vocab":{{"a":0}},"merges":{numbers}"#)),
        model(&format!(r#""vocab":{{"a":0}},"merges":[{numbers}]"#)),
        model(&format!(r#""vocab":{{"a":0}},"merges":[],"more":{numbers}"#)),
        tokenizer(&format!("null,\"more\":{numbers}"), WORDS),
        tokenizer(&format!("null,\"padding\":{numbers}"), WORDS),
    ] {
        reader.refuses(&bytes);
    }
    // As many entries as 20 MB hold: words, pieces, merges, added tokens.
    let many = |one: &dyn Fn(usize) -> String| (0..900_000).map(one).collect::<Vec<_>>().join(",");
    let words = many(&|n| format!(r#""w{n}":{n}"#));
    reader.refuses(&model(&format!(r#""vocab":{{{words}}},"merges":[]"#)));
    let pieces = many(&|n| format!(r#"["w{n}",0.5]"#));
    let unigram = format!(r#"{{"type":"Unigram","unk_id":0,"vocab":[{pieces}]}}"#);
    reader.refuses(&tokenizer("null", &unigram));
    let merges = many(&|n| format!(r#""w {n}""#));
    reader.refuses(&model(&format!(r#""vocab":{{"a":0}},"merges":[{merges}]"#)));
    let added = many(&|n| format!(r#"{{"id":{n},"content":"w{n}"}}"#));
    reader.refuses(&tokenizer(&format!("null,\"added_tokens\":[{added}]"), WORDS));

    let folder = copy("clip/quick");
    let read = |_: &Path| tokens(folder.path());
    let reader = Reader::new(folder.path().join("vocab.json"), &read);
    reader.refuses(numbers.as_bytes());
    reader.refuses(format!("{{\"a\":{numbers}}}").as_bytes());
    reader.refuses(format!("{{{words}}}").as_bytes());
    let reader = Reader::new(folder.path().join("merges.txt"), &read);
    let vocab = repository().join("tests/fixtures/clip/quick/vocab.json");
    fs::copy(vocab, folder.path().join("vocab.json")).unwrap();
    reader.refuses("a b\n".repeat(8 << 20).as_bytes());
}

/// The largest vocabularies within the limits.
#[test]
fn large_vocabulary_takes_bounded_memory() {
    let folder = copy("clip/gelu");
    let read = |_: &Path| tokens(folder.path());
    let reader = Reader::new(folder.path().join("tokenizer.json"), &read);
    let words: Vec<String> = (0..131_072).map(|n| format!(r#""{n:031}":{n}"#)).collect();
    let model = format!(r#"{{"type":"BPE","vocab":{{{}}},"merges":[]}}"#, words.join(","));
    // It has more tokens than the tower.
    reader.refuses(&tokenizer("null", &model));
    let pieces: Vec<String> =
        (0..16_000).map(|n| format!(r#"["{:032x}",-1]"#, n * 7_919)).collect();
    let model = format!(r#"{{"type":"Unigram","unk_id":0,"vocab":[{}]}}"#, pieces.join(","));
    reader.refuses(&tokenizer("null", &model));
}

/// Long configurations, and sizes far beyond those of the fixture's weights.
#[test]
fn sizes_in_a_config_allocate_nothing() {
    let folder = copy("clip/gelu");
    let read = |path: &Path| -> Result<String, String> {
        let checkpoint = with_message(Checkpoint::open(path.parent().unwrap()))?;
        with_message(checkpoint.text_encoder())?;
        with_message(checkpoint.image_encoder()).map(|_| String::new())
    };
    let path = folder.path().join("config.json");
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let reader = Reader::new(&path, &read);
    for (section, key) in [
        ("text_config", "vocab_size"),
        ("text_config", "hidden_size"),
        ("text_config", "intermediate_size"),
        ("text_config", "num_hidden_layers"),
        ("text_config", "max_position_embeddings"),
        ("vision_config", "hidden_size"),
        ("vision_config", "intermediate_size"),
        ("vision_config", "num_hidden_layers"),
        ("vision_config", "image_size"),
    ] {
        for value in [256, 1000, 1 << 14, 1 << 20, 1 << 31, u64::MAX] {
            let mut changed = whole.clone();
            changed[section][key] = value.into();
            reader.refuses(changed.to_string().as_bytes());
        }
    }
    reader.refuses(format!("[{}1]", "1,".repeat(31 << 20)).as_bytes());
    let steps = folder.path().join("preprocessor_config.json");
    let read = |path: &Path| with_message(preprocess::open(path)).map(|steps| format!("{steps:?}"));
    let numbers = format!("[{}1]", "1,".repeat(500 << 10));
    let reader = Reader::new(steps, &read);
    reader.refuses(format!(r#"{{"size":{numbers}}}"#).as_bytes());
    reader.refuses(format!(r#"{{"image_processor":{{"size":{numbers}}}}}"#).as_bytes());
}

/// MiniLM, whose config the tensor engine parses.
#[test]
fn damaged_sentence_model_is_handled() {
    let folder = copy("sentence");
    let read = |_: &Path| {
        let model = with_message(MiniLm::open(folder.path()))?;
        with_message(model.tokenize(&["a cat, 8k, café"])).map(|tokens| tokens.total())
    };
    Reader::new(folder.path().join("config.json"), &read).every(3).mutate(usize::MAX, never);
}

/// Reads all weights of a small file.
fn weights(path: &Path) -> Result<Vec<(String, Vec<usize>)>, String> {
    let weights = with_message(Weights::open(path))?;
    let names: Vec<String> = weights.names().cloned().collect();
    let mut all = Vec::new();
    for name in names {
        let shape = weights.shape(&name).unwrap().to_vec();
        // OpenAI's scalar markers are integers, not weights.
        if !shape.is_empty() {
            with_message(weights.values(&name, &shape))?;
        }
        all.push((name, shape));
    }
    Ok(all)
}

#[test]
fn damaged_weights_are_handled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F16","shape":[3],"data_offsets":[16,22]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    fs::write(&path, [&length[..], header.as_bytes(), &[1; 22]].concat()).unwrap();
    Reader::new(path, &weights).mutate(usize::MAX, never);
}

/// Headers that could take far more memory than their size.
#[test]
fn weights_header_takes_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path().join("model.safetensors"), &weights);
    let file =
        |header: &str| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let one = |n: usize| format!(r#""{n}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
    let many: Vec<String> = (0..60_000).map(one).collect();
    let many = format!("{{{}}}", many.join(","));
    assert!(many.len() < 4 << 20 && many.len() > 3 << 20, "{}", many.len());
    reader.refuses(&file(&many)); // it opens, but no weight has this type
    let deep = format!(
        r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#,
        "1,".repeat((4 << 20) / 2 - 50)
    );
    reader.refuses(&file(&deep));
    reader.refuses(&file(&format!("{{{}", "[".repeat(1 << 20))));
    let longer = vec![b' '; (4 << 20) + 1];
    assert!(reader.refuses(&file(&String::from_utf8(longer).unwrap())).contains("at most 4194304"));
}

/// OpenAI's archive truncated and changed in its first headers and in its directory, at
/// the end of the file.
#[test]
fn damaged_archive_is_handled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.pt");
    let whole = fs::read(repository().join("tests/fixtures/openai/tiny.pt")).unwrap();
    let reader = Reader::new(path, &weights);
    let right = reader.accepts(&whole);
    let directory = whole.windows(4).position(|mark| mark == b"PK\x01\x02").unwrap();
    let offsets = (0..600).chain(directory..whole.len());
    for (step, at) in offsets.enumerate().filter(|(step, _)| step % 29 == 0) {
        reader.refuses(&whole[..at]);
        let mut changed = whole.clone();
        changed[at] ^= 1 << (step / 29 % 8);
        let _ = reader.try_read(&changed);
    }
    assert_eq!(reader.accepts(&whole), right);
}
