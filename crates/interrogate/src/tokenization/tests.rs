//! Tokenizer files that are read, and files that are refused.

use super::*;

const SMALL: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
    "normalizer":NORMALIZER,"pre_tokenizer":null,"post_processor":PROCESSOR,
    "model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"decoder":DECODER}"#;

fn file(normalizer: &str, decoder: &str) -> String {
    let file = SMALL.replace("NORMALIZER", normalizer).replace("DECODER", decoder);
    file.replace("PROCESSOR", "null")
}

#[test]
fn a_tokenizer_is_read() {
    let read = read(
        file(
            "null",
            r#"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"#,
        )
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(read.encode("a", false).unwrap().get_ids(), [0]);
}

#[test]
fn a_truncated_file_is_an_error() {
    let whole = file(r#"{"type":"NFC"}"#, r#"{"type":"WordPiece","prefix":"","cleanup":true}"#);
    (0..whole.len()).for_each(|cut| assert!(read(&whole.as_bytes()[..cut]).is_err(), "{cut}"));
}

#[test]
fn an_invalid_precompiled_charsmap_is_an_error() {
    for table in ["\"\"", "\"AAAA\"", "\"no base 64!\"", "7", "null"] {
        let one = format!(r#"{{"type":"Precompiled","precompiled_charsmap":{table}}}"#);
        let some = format!(r#"{{"type":"Sequence","normalizers":[{{"type":"NFC"}},{one}]}}"#);
        // Whether an empty table is valid depends on the library.
        let _ = read(file(&one, "null").as_bytes());
        assert!(read(file(&some, "null").as_bytes()).is_err() || table == "\"AAAA\"", "{table}");
    }
}

#[test]
fn a_template_with_unknown_names_is_an_error() {
    let piece = |kind: &str, id: &str| format!(r#"{{"{kind}":{{"id":"{id}","type_id":0}}}}"#);
    let (text, other) = (piece("Sequence", "A"), piece("Sequence", "B"));
    let [known, unknown] = ["w", "v"].map(|id| piece("SpecialToken", id));
    for (single, expected) in [
        (format!("{known},{text}"), Ok(vec![7, 0])),
        (format!("{unknown},{text}"), Err("post_processor: unknown special token \"v\"")),
        (other, Err("post_processor: sequence \"B\" in a template for one text")),
    ] {
        let template = format!(
            r#"{{"type":"TemplateProcessing","single":[{single}],"pair":[{text},{unknown}],
            "special_tokens":{{"w":{{"id":"w","ids":[7],"tokens":["w"]}}}}}}"#
        );
        let some = format!(r#"{{"type":"Sequence","processors":[{template}]}}"#);
        for processor in [template, some] {
            let file = SMALL.replace("NORMALIZER", "null").replace("DECODER", "null");
            let tokenizer = read(file.replace("PROCESSOR", &processor).as_bytes());
            let ids = tokenizer.map(|read| read.encode("a", true).unwrap().get_ids().to_vec());
            assert_eq!(
                ids.map_err(|error| error.to_string()),
                expected.clone().map_err(str::to_owned)
            );
        }
    }
}

#[test]
fn a_panic_is_an_error() {
    let error = guarded(|| -> Result<(), Error> { panic!("as the library does") });
    assert_eq!(error.unwrap_err().to_string(), "the tokenizers library panicked");
}

/// The files of transformers 5.24 for the tokenizers of CLIP, BERT, OPT and T5, and that of
/// the converter of version 4 for T5.
#[test]
fn the_components_of_supported_models_are_allowed() {
    let metaspace =
        r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"#;
    let bytes =
        r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let clip = r#"{"type":"Sequence","normalizers":[{"type":"NFC"},
        {"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},{"type":"Lowercase"}]}"#;
    let pieces = r"<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    let clip_pieces = format!(
        r#"{{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":"{pieces}"}},
        "behavior":"Removed","invert":true}},{bytes}]}}"#
    );
    let t5 = r#"{"type":"Sequence","normalizers":[{"type":"Strip","strip_left":false,"strip_right":true},
        {"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}"#;
    let t5_pieces = format!(
        r#"{{"type":"Sequence","pretokenizers":[{{"type":"WhitespaceSplit"}},{metaspace}]}}"#
    );
    let bert = r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
        "strip_accents":null,"lowercase":true}"#;
    let template = r#"{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},
        {"SpecialToken":{"id":"a","type_id":0}}],"pair":[],
        "special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}}"#;
    let roberta = r#"{"type":"RobertaProcessing","sep":["a",0],"cls":["a",0],"trim_offsets":false,
        "add_prefix_space":false}"#;
    let bpe = r#"{"type":"BPE","dropout":null,"unk_token":"a","continuing_subword_prefix":"",
        "end_of_word_suffix":"</w>","fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
        "vocab":{"a":0,"b":1,"ab":2,"a</w>":3},"merges":[["a","b"]]}"#;
    // The form of files from before 2021.
    let old = r#"{"dropout":null,"unk_token":"a","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}"#;
    let words = r###"{"type":"WordPiece","unk_token":"a","continuing_subword_prefix":"##",
        "max_input_chars_per_word":100,"vocab":{"a":0,"##a":1}}"###;
    let unigram =
        r#"{"type":"Unigram","unk_id":0,"vocab":[["a",0.0],["▁a",-1.5]],"byte_fallback":false}"#;
    let piece = r###"{"type":"WordPiece","prefix":"##","cleanup":true}"###;
    for (normalizer, pre_tokenizer, processor, model, decoder) in [
        (clip, &clip_pieces[..], roberta, bpe, bytes),
        ("null", bytes, bytes, old, bytes),
        ("null", bytes, template, bpe, bytes),
        (bert, r#"{"type":"BertPreTokenizer"}"#, template, words, piece),
        (t5, metaspace, template, unigram, metaspace),
        ("null", &t5_pieces, template, unigram, metaspace),
    ] {
        let file = format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{{"id":0,
            "content":"a","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,
            "special":true}}],"normalizer":{normalizer},"pre_tokenizer":{pre_tokenizer},
            "post_processor":{processor},"decoder":{decoder},"model":{model}}}"#
        );
        let tokenizer = read(file.as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
        assert!(encode(Path::new("x"), &tokenizer, "a a").is_ok());
    }
}

#[test]
fn refused_components_and_models_are_named() {
    let message =
        |normalizer: &str| read(file(normalizer, "null").as_bytes()).unwrap_err().to_string();
    let replace = |content: &str| {
        format!(r#"{{"type":"Replace","pattern":{{"String":"a"}},"content":"{content}"}}"#)
    };
    let found = message(r#"{"type":"Prepend","prepend":"a"}"#);
    assert!(found.starts_with("normalizer: unsupported component Prepend, not one of "), "{found}");
    assert_eq!(message(r#"{"prepend":"a"}"#), "normalizer: a component without a type");
    assert_eq!(
        message(&replace(&"b".repeat(160))),
        "normalizer: a text may grow by more than 160 times"
    );
    let chain = |one: &str, count: usize| {
        format!(r#"{{"type":"Sequence","normalizers":[{}]}}"#, vec![one; count].join(","))
    };
    assert!(read(file(&chain(&replace("bbb"), 3), "null").as_bytes()).is_ok());
    assert_eq!(
        message(&chain(&replace("bbb"), 4)),
        "normalizer: a text may grow by more than 160 times"
    );
    let found = message(&chain(r#"{"type":"NFC"}"#, 17));
    assert_eq!(found, "normalizer: more than 16 components");
    let found = message(r#"{"type":"Replace","pattern":{"Regex":"a(?=b)"},"content":""}"#);
    assert!(found.starts_with("normalizer: an unsupported pattern: "), "{found}");
    let model = |model: &str| {
        let file = file("null", "null");
        let (head, _) = file.split_once(r#"{"type":"WordLevel""#).unwrap();
        read(format!(r#"{head}{model},"decoder":null}}"#).as_bytes()).unwrap_err().to_string()
    };
    let found = model(r#"{"type":"BPE","dropout":0.5,"vocab":{"a":0},"merges":[]}"#);
    assert_eq!(found, "model: dropout 0.5 makes tokens random");
    let found = model(r#"{"type":"Trie","vocab":{"a":0}}"#);
    assert!(found.starts_with("model: unsupported type Trie, not one of BPE, "), "{found}");
    assert!(model(r#"{"type":"BPE","vocab":{"a":[]},"merges":[]}"#).contains("expected u32"));
    assert!(model(r#"{"type":"BPE","vocab":{"a":0},"merges":[],"b":1}"#).contains("unknown field"));
}

#[test]
fn the_length_of_a_text_is_limited() {
    let tokenizer = read(file("null", "null").as_bytes()).unwrap();
    let encode = |length: usize| encode(Path::new("t.json"), &tokenizer, &"a".repeat(length));
    assert_eq!(encode(1 << 16).unwrap(), [0]);
    let error = encode((1 << 16) + 1).unwrap_err().to_string();
    assert_eq!(error, "t.json: text: expected at most 65536 bytes, found 65537");
}
