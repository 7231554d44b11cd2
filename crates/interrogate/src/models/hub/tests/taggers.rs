//! Taggers: their files, and what is refused before the weights are downloaded.

use super::*;
use crate::error::HubError;

const TAGGER: &str = r#"{"architecture": "vit_base_patch16_224", "num_classes": 2,
    "model_args": {"class_token": false, "global_pool": "avg", "fc_norm": false}}"#;

fn tagger_hub(config: &str) -> StubHub {
    StubHub::start([
        ("a/b/main/config.json", StubFile::small(config)),
        ("a/b/main/selected_tags.csv", StubFile::small("name,category\na,0\nb,4\n")),
        (WEIGHTS_OF, StubFile::large(weights())),
    ])
}

#[test]
fn tagger_has_tags_and_no_tokenizer() {
    let hub = tagger_hub(TAGGER);
    let cache = empty_cache(&hub);
    let fetch = || fetch_tagger("a/b", None, &cache.options, &mut |_| {});
    let folder = fetch().unwrap();
    for file in ["config.json", "selected_tags.csv", "model.safetensors"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    hub.requests();
    assert_eq!(fetch().unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
}

#[test]
fn unsupported_tagger_is_refused_before_its_weights_are_downloaded() {
    let hub = tagger_hub(r#"{"architecture": "swinv2_base_window8_256", "num_classes": 2}"#);
    let cache = empty_cache(&hub);
    let error = fetch_tagger("a/b", None, &cache.options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("architecture: expected one of eva02_large_patch14_448"), "{error}");
    let weights = |line: &String| line.starts_with("GET") && line.contains(".safetensors");
    assert!(!hub.requests().iter().any(weights));
}

#[test]
fn missing_tags_are_reported() {
    let hub = StubHub::start([
        ("a/b/main/config.json", StubFile::small(TAGGER)),
        (WEIGHTS_OF, StubFile::large(weights())),
    ]);
    let cache = empty_cache(&hub);
    let error = fetch_tagger("a/b", None, &cache.options, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, Error::Hub(HubError::NotFound { .. })), "{error:?}");
    assert!(error.to_string().contains("selected_tags.csv"), "{error}");
}
