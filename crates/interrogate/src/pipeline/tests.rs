//! Tasks, the configuration file and the images of a run.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn config() -> Value {
    json!({
        "blip_model": "blip227b", "blip_path": "models/blip", "clip_model": "ViT-B-32",
        "clip_path": "./models/ViT-B-32.pt", "dicts": "dicts", "chunk_size": 2048,
        "embedding_model": "all-MiniLM-L6-v2", "embedding_dir": "", "embedding_path": "/abs/minilm"
    })
}

fn folder_with(files: &[(&str, &Value)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    folder
}

/// The message without the folder, and the hint.
fn refusal(config: &Value) -> (String, String) {
    let folder = folder_with(&[("c.json", config)]);
    let error = Config::open(&folder.path().join("c.json"), Overrides::default()).unwrap_err();
    let message = error.to_string();
    (message.rsplit_once('/').unwrap().1.to_owned(), error.hint().unwrap_or_default())
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let folder = folder_with(&[("c.json", &config())]);
    let path = folder.path().join("c.json");
    let found = Config::open(&path, Overrides::default()).unwrap();
    assert_eq!(found.clip_path, folder.path().join("models/ViT-B-32.pt"));
    assert_eq!(found.dicts, folder.path().join("dicts"));
    assert_eq!(found.embedding_path, std::path::Path::new("/abs/minilm"));
    assert_eq!((found.embedding_dir, found.chunk_size), (PathBuf::new(), 2048));
    let elsewhere = Overrides { models: Some("/m".as_ref()), extend: None };
    let found = Config::open(&path, elsewhere).unwrap();
    assert_eq!(found.blip_path, std::path::Path::new("/m/models/blip"));
    assert_eq!(found.dicts, folder.path().join("dicts"));
}

#[test]
fn keys_of_a_second_file_replace_those_of_the_first() {
    let more = json!({ "clip_model": "ViT-L-14", "chunk_size": 7 });
    let mut part = config();
    part.as_object_mut().unwrap().remove("chunk_size");
    let folder = folder_with(&[("c.json", &part), ("more.json", &more)]);
    let extend = folder.path().join("more.json");
    let overrides = Overrides { models: None, extend: Some(&extend) };
    let found = Config::open(&folder.path().join("c.json"), overrides).unwrap();
    assert_eq!((found.clip_model.as_str(), found.chunk_size), ("ViT-L-14", 7));
    assert_eq!(found.blip_model, "blip227b");
}

#[test]
fn a_missing_or_unknown_key_is_reported_with_all_keys() {
    for key in KEYS {
        let mut config = config();
        config.as_object_mut().unwrap().remove(key);
        let (message, hint) = refusal(&config);
        assert_eq!(message, format!("c.json: no key {key:?}"));
        assert!(KEYS.iter().all(|key| hint.contains(key)), "{hint}");
    }
    let mut config = config();
    config["clip"] = "x".into();
    assert_eq!(refusal(&config).0, "c.json: an unknown key \"clip\"");
}

#[test]
fn a_value_of_the_wrong_type_is_reported() {
    for (key, value, problem) in [
        ("chunk_size", json!(0), "expected a number above 0, found 0"),
        ("chunk_size", json!("many"), "expected a number above 0, found \"many\""),
        ("clip_path", json!(3), "expected a path, found 3"),
        ("blip_model", json!(null), "expected a text, found null"),
    ] {
        let mut config = config();
        config[key] = value;
        assert_eq!(refusal(&config).0, format!("c.json: {key}: {problem}"));
    }
    assert_eq!(refusal(&json!([])).0, "c.json is not the JSON expected here");
}

#[test]
fn tasks_parse_from_their_names() {
    for task in Task::ALL {
        assert_eq!(task.to_string().parse::<Task>().unwrap(), task);
    }
    let error = "clip".parse::<Task>().unwrap_err();
    assert_eq!(error.to_string(), "no task is named \"clip\"");
    let names = "a task is clip_model, blip2, blip2-embedding, clip-interrogator, \
                 clip-interrogator-embedding, test_data, test_dict";
    assert_eq!(error.hint().unwrap(), names);
}

#[test]
fn images_are_sorted_and_have_unique_stems() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        std::fs::create_dir_all(folder.path().join("images")).unwrap();
        std::fs::write(folder.path().join("images").join(name), "").unwrap();
    };
    let message = images(folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(message.starts_with("cannot open ") && message.ends_with("images"), "{message}");
    write("notes.txt");
    let message = images(folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(message.ends_with("images: images: expected at least one, found none"), "{message}");
    ["b.PNG", "a.jpg", "c.webp", "._a.jpg"].into_iter().for_each(write);
    let mut skipped = Vec::new();
    let found = images(folder.path(), &mut |path| skipped.push(path.to_owned())).unwrap();
    assert_eq!(stems(&found).unwrap(), ["a", "b", "c"]);
    skipped.sort();
    assert_eq!(stems(&skipped).unwrap(), ["._a", "notes"]);
    write("a.png");
    let error = images(folder.path(), &mut |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("two images are called \"a\": "), "{error}");
    assert!(error.hint().unwrap().contains("rename"));
}

/// A configuration with the values of `more` and otherwise empty paths.
fn config_with(more: &Value) -> Config {
    let mut config = config();
    for key in ["blip_path", "clip_path", "embedding_dir", "embedding_path"] {
        config[key] = "".into();
    }
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    let folder = folder_with(&[("c.json", &config)]);
    Config::open(&folder.path().join("c.json"), Overrides::default()).unwrap()
}

/// No hub is reachable here: the error occurs before a request.
#[test]
fn an_unknown_model_name_is_reported_with_the_known_ones() {
    let (hub, quiet) =
        (crate::models::Options::new("none"), &mut |_: crate::models::Progress<'_>| {});
    let message = |error: Error| error.to_string().rsplit_once('/').unwrap().1.to_owned();
    let clip = config_with(&json!({ "clip_model": "ViT-B-33" })).clip(&hub, quiet).unwrap_err();
    let clip = clip.to_string();
    assert!(clip.contains("c.json: clip_model: expected a path, or one of RN101, "), "{clip}");
    assert!(clip.ends_with(", found ViT-B-33"), "{clip}");
    let blip = config_with(&json!({ "blip_model": "blip3" }));
    let blip = blip.captioner(Precision::F32, Device::Cpu, &hub, quiet).err().unwrap();
    let expected = "c.json: blip_model: expected a path, or one of blip227b, blip-base, blip-large, \
                blip2-2.7b, blip2-6.7b, blip2-flan-t5-xl, blip2-flan-t5-xxl, florence2-base, \
                florence2-large, git-large-coco, found blip3";
    assert_eq!(message(blip), expected);
}

#[test]
fn the_sentence_encoder_opens_from_either_configured_folder() {
    let (hub, quiet) =
        (crate::models::Options::new("none"), &mut |_: crate::models::Progress<'_>| {});
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let fixtures = fixtures.canonicalize().unwrap();
    let text = |path: PathBuf| Value::from(path.to_str().unwrap());
    for more in [
        json!({ "embedding_path": text(fixtures.join("sentence")) }),
        json!({ "embedding_dir": text(fixtures.clone()), "embedding_model": "sentence" }),
        json!({ "embedding_dir": text(fixtures.join("sentence")) }),
    ] {
        assert_eq!(
            config_with(&more).sentences(Device::Cpu, &hub, quiet).unwrap().dim(),
            32,
            "{more}"
        );
    }
    let gone = config_with(&json!({ "embedding_path": "/gone" }))
        .sentences(Device::Cpu, &hub, quiet)
        .err()
        .unwrap();
    assert_eq!(gone.to_string(), "/gone: no config.json in this folder");
}
