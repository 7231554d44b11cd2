//! Repositories with the files of open_clip, alone or next to those of other libraries.

use super::*;
use crate::models::{Model, ModelSource};

const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
    std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
}

fn small(name: &str) -> StubFile {
    StubFile { bytes: fixture(name), ..StubFile::default() }
}

/// A hub with the tiny OpenCLIP model as a/b.
fn open_clip_hub() -> StubHub {
    StubHub::start([
        ("a/b/main/open_clip_config.json", small("openai/open_clip_config.json")),
        ("a/b/main/vocab.json", small("openai/vocab.json")),
        ("a/b/main/merges.txt", small("openai/merges.txt")),
        (
            "a/b/main/open_clip_model.safetensors",
            StubFile::large(fixture("openai/open_clip_model.safetensors")),
        ),
    ])
}

/// timm's own configuration and image tower, which are not CLIP's.
fn add_timm_files(hub: &StubHub) {
    hub.add("a/b/main/config.json", StubFile::small(r#"{"architecture": "vit_base"}"#));
    hub.add("a/b/main/model.safetensors", StubFile::large(vec![1; 9]));
}

/// Adds the tiny model in Hugging Face's layout.
fn add_hugging_face_files(hub: &StubHub, weights: &str, bytes: Vec<u8>) {
    for name in ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt"] {
        hub.add(&format!("a/b/main/{name}"), small(&format!("clip/quick/{name}")));
    }
    hub.add(&format!("a/b/main/{weights}"), StubFile::large(bytes));
}

fn fetch_ab(cache: &TestCache) -> Result<PathBuf> {
    fetch_clip("a/b", None, &cache.options, &mut |_| {})
}

fn file_name(path: &std::path::Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn open(cache: &TestCache) -> Result<Model> {
    let source = ModelSource::Hub { repo: "a/b".into(), revision: None };
    Model::open(source, &cache.options, &mut |_| {})
}

#[test]
fn open_clip_repository_is_downloaded_and_opened() {
    let hub = open_clip_hub();
    let cache = empty_cache(&hub);
    assert_eq!(cached_clip("a/b", None, &cache.options), None);
    let path = fetch_ab(&cache).unwrap();
    assert_eq!(path, cache.snapshot().join("open_clip_model.safetensors"));
    hub.requests();
    assert_eq!(fetch_ab(&cache).unwrap(), path);
    assert_eq!(cached_clip("a/b", None, &cache.options), Some(path));
    let model = open(&cache).unwrap();
    assert_eq!(model.image_encoder().unwrap().dim(), 16);
    assert_eq!(hub.requests(), [""; 0]);
    // A missing tokenizer is fetched again.
    std::fs::remove_file(cache.snapshot().join("merges.txt")).unwrap();
    assert_eq!(cached_clip("a/b", None, &cache.options), None);
    fetch_ab(&cache).unwrap();
    assert_eq!(open(&cache).unwrap().fingerprint().unwrap(), model.fingerprint().unwrap());
}

#[test]
fn open_clip_pickle_is_used_without_safetensors() {
    let hub = open_clip_hub();
    let cache = empty_cache(&hub);
    let weights = "a/b/main/open_clip_model.safetensors";
    hub.change(weights, |file| file.statuses = vec![404; 9]);
    let error = fetch_ab(&cache).unwrap_err().to_string();
    let names = "model.safetensors or pytorch_model.bin or open_clip_model.safetensors or \
                 open_clip_pytorch_model.bin";
    assert_eq!(error, format!("a/b has no {names} (revisions: main)"));
    hub.add("a/b/main/open_clip_pytorch_model.bin", StubFile::large(fixture("openai/tiny.bin")));
    assert_eq!(file_name(&fetch_ab(&cache).unwrap()), "open_clip_pytorch_model.bin");
    assert_eq!(open(&cache).unwrap().text_encoder().unwrap().dim(), 16);
}

#[test]
fn timm_files_next_to_those_of_open_clip_are_ignored() {
    let hub = open_clip_hub();
    add_timm_files(&hub);
    let cache = empty_cache(&hub);
    assert_eq!(file_name(&fetch_ab(&cache).unwrap()), "open_clip_model.safetensors");
    assert!(!cache.snapshot().join("model.safetensors").exists());
    // timm itself may have downloaded its weights into the same snapshot.
    std::fs::write(cache.snapshot().join("model.safetensors"), [1; 9]).unwrap();
    let model = open(&cache).unwrap();
    assert_eq!(model.image_encoder().unwrap().dim(), 16);
    // Without the files of open_clip, the message says what config.json lacks.
    let hub = StubHub::start([]);
    add_timm_files(&hub);
    let error = open(&empty_cache(&hub)).unwrap_err().to_string();
    assert!(
        error.ends_with("config.json: model_type: expected clip, metaclip_2 or siglip, found none"),
        "{error}"
    );
}

#[test]
fn hugging_faces_files_are_preferred_if_complete() {
    let weights = fixture("clip/quick/model.safetensors");
    let hub = open_clip_hub();
    add_hugging_face_files(&hub, "model.safetensors", weights.clone());
    let cache = empty_cache(&hub);
    let folder = fetch_ab(&cache).unwrap();
    assert_eq!(folder, cache.snapshot());
    assert!(!folder.join(OPEN_CLIP_CONFIG).exists());
    open(&cache).unwrap().text_encoder().unwrap();
    // Sharded weights, too.
    let hub = open_clip_hub();
    let index = r#"{"weight_map": {"x": "pytorch_model-00001-of-00001.bin"}}"#;
    add_hugging_face_files(&hub, "pytorch_model-00001-of-00001.bin", vec![1; 9]);
    hub.add("a/b/main/pytorch_model.bin.index.json", StubFile::small(index));
    let cache = empty_cache(&hub);
    assert_eq!(fetch_ab(&cache).unwrap(), cache.snapshot());
    assert!(cache.snapshot().join("pytorch_model-00001-of-00001.bin").exists());
    // Without preprocessing they are incomplete, and open_clip's are used.
    let hub = open_clip_hub();
    add_hugging_face_files(&hub, "model.safetensors", weights);
    hub.change("a/b/main/preprocessor_config.json", |file| file.statuses = vec![404; 9]);
    let cache = empty_cache(&hub);
    assert_eq!(file_name(&fetch_ab(&cache).unwrap()), "open_clip_model.safetensors");
    assert_eq!(open(&cache).unwrap().text_encoder().unwrap().dim(), 16);
}

#[test]
fn shards_of_open_clip_are_downloaded() {
    let index = r#"{"weight_map": {"x": "open_clip_model-00001-of-00001.safetensors"}}"#;
    let hub = open_clip_hub();
    hub.change("a/b/main/open_clip_model.safetensors", |file| file.statuses = vec![404; 9]);
    hub.add("a/b/main/open_clip_model.safetensors.index.json", StubFile::small(index));
    let shard = StubFile::large(fixture("openai/open_clip_model.safetensors"));
    hub.add("a/b/main/open_clip_model-00001-of-00001.safetensors", shard);
    let cache = empty_cache(&hub);
    let path = fetch_ab(&cache).unwrap();
    assert_eq!(file_name(&path), "open_clip_model.safetensors.index.json");
    hub.requests();
    assert_eq!(fetch_ab(&cache).unwrap(), path);
    assert_eq!(hub.requests(), [""; 0]);
}

#[test]
fn unsupported_model_is_refused_before_its_weights_are_downloaded() {
    let siglip = r#"{"model_cfg": {"vision_cfg": {"timm_model_name": "vit_base"}}}"#;
    for (name, config, expected) in [
        (
            "a/b/main/open_clip_config.json",
            siglip,
            "timm_model_name: expected vit_*_siglip_* or eva*_clip_*, found vit_base",
        ),
        (
            "a/b/main/config.json",
            r#"{"model_type": "siglip2"}"#,
            "found siglip2, whose images have no fixed resolution (NaFlex)",
        ),
        ("a/b/main/open_clip_config.json", "no JSON", "is not the JSON expected here"),
    ] {
        let hub = open_clip_hub();
        hub.add("a/b/main/model.safetensors", StubFile::large(vec![1; 9]));
        hub.add(name, StubFile::small(config));
        let cache = empty_cache(&hub);
        let error = fetch_ab(&cache).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
        let weights = |line: &String| line.starts_with("GET") && line.contains(".safetensors");
        assert!(!hub.requests().iter().any(weights));
    }
}

/// OpenAI's vocabulary needs no tokenizer: it is compiled in.
#[test]
fn openais_tokenizer_is_not_downloaded() {
    let hub = open_clip_hub();
    let config = String::from_utf8(fixture("openai/open_clip_config.json")).unwrap();
    let config = config.replace("602", "49408");
    hub.change("a/b/main/open_clip_config.json", |file| file.bytes = config.into());
    let cache = empty_cache(&hub);
    fetch_ab(&cache).unwrap();
    assert!(!cache.snapshot().join("vocab.json").exists());
    assert!(!hub.requests().iter().any(|line| line.contains("tokenizer.json")));
    hub.requests();
    fetch_ab(&cache).unwrap();
    assert_eq!(hub.requests(), [""; 0]);
}
