//! Which files are downloaded, and their limits.

use super::*;
use crate::error::HubError;
use crate::limits;

#[test]
fn sharded_weights_and_split_tokenizer_are_downloaded() {
    let index = r#"{"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}"#;
    let hub = StubHub::start([
        ("a/b/main/config.json", StubFile::small("{}")),
        ("a/b/main/preprocessor_config.json", StubFile::small("{}")),
        ("a/b/main/vocab.json", StubFile::small("{}")),
        ("a/b/main/merges.txt", StubFile::small("#version: 0.2")),
        ("a/b/main/model.safetensors.index.json", StubFile::small(index)),
        ("a/b/main/model-00001-of-00002.safetensors", StubFile::large(vec![1; 999])),
        ("a/b/main/model-00002-of-00002.safetensors", StubFile::large(vec![2; 999])),
    ]);
    let cache = empty_cache(&hub);
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join("model-00002-of-00002.safetensors")).unwrap(), [2; 999]);
    hub.requests();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
    // Only the missing shard is fetched again.
    std::fs::remove_file(folder.join("model-00001-of-00002.safetensors")).unwrap();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert!(hub.requests().iter().all(|line| line.starts_with("HEAD")));
}

#[test]
fn shard_outside_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join(SAFETENSORS.index);
    for name in ["../../x.safetensors", "/x.safetensors", "x.bin", ""] {
        std::fs::write(&index, format!(r#"{{"weight_map": {{"w": "{name}"}}}}"#)).unwrap();
        let error = shards(&index, SAFETENSORS).unwrap_err().to_string();
        assert!(
            error.contains("shard: expected the name of a .safetensors file, found"),
            "{error}"
        );
    }
}

#[test]
fn known_pull_request_is_tried_for_safetensors() {
    let repo = "openai/clip-vit-base-patch32";
    let hub = StubHub::start([
        ("openai/clip-vit-base-patch32/main/config.json", StubFile::small("{}")),
        ("openai/clip-vit-base-patch32/refs/pr/15/config.json", StubFile::small("{}")),
    ]);
    let cache = empty_cache(&hub);
    // The stub gives both revisions the same commit, so the weights are requested at the same
    // URL; the config shows that both revisions are tried.
    let error = fetch(repo, None, &cache.options, &mut |_| {}).unwrap_err();
    let text = format!("{repo} has no model.safetensors (revisions: main, refs/pr/15)");
    assert_eq!(error.to_string(), text);
    let path = "HEAD /openai/clip-vit-base-patch32/resolve/refs%2Fpr%2F15/config.json";
    assert!(hub.requests().iter().any(|line| line == path));
}

#[test]
fn progress_tells_if_there_is_a_checksum() {
    let hub = hub();
    let cache = empty_cache(&hub);
    hub.change("a/b/main/tokenizer.json", |file| file.without_etag = true);
    let mut checksums = std::collections::BTreeMap::new();
    let mut progress = |at: Progress<'_>| {
        checksums.insert(at.file.to_owned(), at.has_checksum);
    };
    let folder = fetch("a/b", None, &cache.options, &mut progress).unwrap();
    assert_eq!(std::fs::read(folder.join(TOKENIZER)).unwrap(), b"{\"b\": 2}");
    let marked: Vec<&str> =
        checksums.iter().filter(|(_, has)| !**has).map(|(file, _)| file.as_str()).collect();
    assert_eq!(marked, [TOKENIZER]);
    let unverified = |(name, _): &(String, u64)| name.starts_with("unverified-");
    assert_eq!(cache.blobs().iter().filter(|blob| unverified(blob)).count(), 1);
    hub.requests();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
}

#[test]
fn file_over_the_limit_is_not_downloaded() {
    for (file, limit, without_etag) in [
        ("a/b/main/config.json", limits::SMALL_FILE, false),
        ("a/b/main/tokenizer.json", limits::SMALL_FILE, true),
        (WEIGHTS_OF, limits::DOWNLOAD, false),
    ] {
        let hub = hub();
        let cache = empty_cache(&hub);
        hub.change(file, |file| {
            (file.reported_size, file.without_etag) = (Some(limit + 1), without_etag);
        });
        let message = cache.fetch().unwrap_err().to_string();
        let end = format!(": size: expected at most {limit} bytes, found {}", limit + 1);
        assert!(message.ends_with(&end), "{message}");
        assert!(!hub.requests().iter().any(|line| {
            line.starts_with("GET") && line.contains(file.rsplit('/').next().unwrap())
        }));
    }
    // The limit is lower for weights without a SHA-256.
    let hub = hub();
    let cache = empty_cache(&hub);
    let size = limits::DOWNLOAD_UNVERIFIED + 1;
    hub.change(WEIGHTS_OF, |file| (file.large, file.reported_size) = (false, Some(size)));
    let message = cache.fetch().unwrap_err().to_string();
    assert!(message.ends_with(&format!("at most {} bytes, found {size}", size - 1)), "{message}");
}

/// transformers 5 writes one file for all processors.
#[test]
fn processor_config_replaces_preprocessor_config() {
    let hub = StubHub::start([
        ("a/b/main/config.json", StubFile::small("{}")),
        ("a/b/main/processor_config.json", StubFile::small("{\"image_processor\": {}}")),
        ("a/b/main/tokenizer.json", StubFile::small("{\"b\": 2}")),
        (WEIGHTS_OF, StubFile::large(vec![1; 9])),
        ("c/d/main/config.json", StubFile::small("{}")),
        ("c/d/main/tokenizer.json", StubFile::small("{}")),
        ("c/d/main/model.safetensors", StubFile::large(vec![1; 9])),
    ]);
    let cache = empty_cache(&hub);
    let folder = cache.fetch().unwrap();
    assert!(folder.join(PROCESSOR).is_file() && !folder.join(PREPROCESSOR).exists());
    hub.requests();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
    let error = fetch("c/d", None, &cache.options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.ends_with("/preprocessor_config.json does not exist"), "{error}");
}

#[test]
fn both_preprocessing_files_are_downloaded_if_both_exist() {
    let hub = StubHub::start([
        ("a/b/main/config.json", StubFile::small("{}")),
        ("a/b/main/processor_config.json", StubFile::small("{\"num_query_tokens\": 32}")),
        ("a/b/main/preprocessor_config.json", StubFile::small("{\"size\": 224}")),
        ("a/b/main/tokenizer.json", StubFile::small("{\"b\": 2}")),
        (WEIGHTS_OF, StubFile::large(vec![1; 9])),
    ]);
    let cache = empty_cache(&hub);
    let folder = cache.fetch().unwrap();
    assert_eq!(crate::clip::preprocess::find(&folder).unwrap(), folder.join(PREPROCESSOR));
}

#[test]
fn sentence_encoder_has_its_length_and_pooling_files() {
    let hub = StubHub::start([
        ("a/b/main/config.json", StubFile::small("{}")),
        ("a/b/main/sentence_bert_config.json", StubFile::small("{\"max_seq_length\": 128}")),
        ("a/b/main/1_Pooling/config.json", StubFile::small("{\"pooling_mode\": \"mean\"}")),
        ("a/b/main/tokenizer.json", StubFile::small("{\"b\": 2}")),
        (WEIGHTS_OF, StubFile::large(vec![1; 9])),
        ("c/d/main/config.json", StubFile::small("{}")),
        ("c/d/main/tokenizer.json", StubFile::small("{}")),
        ("c/d/main/pytorch_model.bin", StubFile::large(vec![1; 9])),
    ]);
    let cache = empty_cache(&hub);
    let fetch = |repo| fetch_sentences(repo, None, &cache.options, &mut |_| {});
    let folder = fetch("a/b").unwrap();
    let pooling = std::fs::read_to_string(folder.join("1_Pooling/config.json")).unwrap();
    assert_eq!(pooling, "{\"pooling_mode\": \"mean\"}");
    assert!(folder.join("sentence_bert_config.json").is_file());
    hub.requests();
    assert_eq!(fetch("a/b").unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
    // Sentence encoders support only safetensors.
    assert!(matches!(fetch("c/d").unwrap_err(), Error::Hub(HubError::WeightsMissing { .. })));
}

#[test]
fn pickles_are_downloaded_if_there_are_no_safetensors() {
    let index = r#"{"weight_map": {"x": "pytorch_model-00001-of-00002.bin", "y": "pytorch_model-00002-of-00002.bin"}}"#;
    let plain = |name| (name, StubFile::small("{}"));
    let hub = StubHub::start([
        plain("a/b/main/config.json"),
        plain("a/b/main/preprocessor_config.json"),
        plain("a/b/main/tokenizer.json"),
        ("a/b/main/pytorch_model.bin.index.json", StubFile::small(index)),
        ("a/b/main/pytorch_model-00001-of-00002.bin", StubFile::large(vec![1; 999])),
        ("a/b/main/pytorch_model-00002-of-00002.bin", StubFile::large(vec![2; 999])),
        plain("c/d/main/config.json"),
        plain("c/d/main/preprocessor_config.json"),
        plain("c/d/main/tokenizer.json"),
        ("c/d/main/pytorch_model.bin", StubFile::large(vec![3; 999])),
    ]);
    let cache = empty_cache(&hub);
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join("pytorch_model-00002-of-00002.bin")).unwrap(), [2; 999]);
    let other = fetch("c/d", None, &cache.options, &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(other.join("pytorch_model.bin")).unwrap(), [3; 999]);
    hub.requests();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(hub.requests(), [""; 0]);
    // Safetensors are preferred.
    let hub = self::hub();
    hub.add("a/b/main/pytorch_model.bin", StubFile::large(vec![1; 9]));
    let cache = empty_cache(&hub);
    assert!(!cache.fetch().unwrap().join("pytorch_model.bin").exists());
    // Shards of another format are refused.
    let index = folder.join("pytorch_model.bin.index.json");
    assert!(shards(&index, PICKLES).is_ok() && shards(&index, SAFETENSORS).is_err());
}
