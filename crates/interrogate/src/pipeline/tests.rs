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

fn written(files: &[(&str, &Value)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    folder
}

fn refusal(config: &Value) -> (String, String) {
    let folder = written(&[("c.json", config)]);
    let error = Config::open(&folder.path().join("c.json"), Overrides::default()).unwrap_err();
    let said = error.to_string();
    (said.rsplit_once('/').unwrap().1.to_owned(), error.hint().unwrap_or_default())
}

#[test]
fn paths_start_at_the_files_own_folder() {
    let folder = written(&[("c.json", &config())]);
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
fn a_second_file_stands_in_place_of_the_first() {
    let more = json!({ "clip_model": "ViT-L-14", "chunk_size": 7 });
    let mut part = config();
    part.as_object_mut().unwrap().remove("chunk_size");
    let folder = written(&[("c.json", &part), ("more.json", &more)]);
    let extend = folder.path().join("more.json");
    let overrides = Overrides { models: None, extend: Some(&extend) };
    let found = Config::open(&folder.path().join("c.json"), overrides).unwrap();
    assert_eq!((found.clip_model.as_str(), found.chunk_size), ("ViT-L-14", 7));
    assert_eq!(found.blip_model, "blip227b");
}

#[test]
fn a_missing_or_unknown_key_is_named_with_those_there_are() {
    for key in KEYS {
        let mut config = config();
        config.as_object_mut().unwrap().remove(key);
        let (said, hint) = refusal(&config);
        assert_eq!(said, format!("c.json: no key {key:?}"));
        assert!(KEYS.iter().all(|key| hint.contains(key)), "{hint}");
    }
    let mut config = config();
    config["clip"] = "x".into();
    assert_eq!(refusal(&config).0, "c.json: an unknown key \"clip\"");
}

#[test]
fn a_value_of_another_kind_is_named() {
    for (key, value, told) in [
        ("chunk_size", json!(0), "expected a number above 0, found 0"),
        ("chunk_size", json!("many"), "expected a number above 0, found \"many\""),
        ("clip_path", json!(3), "expected a path, found 3"),
        ("blip_model", json!(null), "expected a text, found null"),
    ] {
        let mut config = config();
        config[key] = value;
        assert_eq!(refusal(&config).0, format!("c.json: {key}: {told}"));
    }
    assert_eq!(refusal(&json!([])).0, "c.json is not the JSON expected here");
}

#[test]
fn every_task_is_told_by_its_name_and_no_other() {
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
fn images_are_sorted_and_no_two_share_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        std::fs::create_dir_all(folder.path().join("images")).unwrap();
        std::fs::write(folder.path().join("images").join(name), "").unwrap();
    };
    let said = images(folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(said.starts_with("cannot open ") && said.ends_with("images"), "{said}");
    write("notes.txt");
    let said = images(folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(said.ends_with("images: images: expected at least one, found none"), "{said}");
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

/// A configuration whose paths are empty but for `more`.
fn named(more: &Value) -> Config {
    let mut config = config();
    for key in ["blip_path", "clip_path", "embedding_dir", "embedding_path"] {
        config[key] = "".into();
    }
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    let folder = written(&[("c.json", &config)]);
    Config::open(&folder.path().join("c.json"), Overrides::default()).unwrap()
}

/// No hub is in reach here, so that what is refused is so before one is asked.
#[test]
fn a_name_that_is_no_models_is_told_with_those_that_are() {
    let (hub, quiet) =
        (crate::models::Options::new("none"), &mut |_: crate::models::Progress<'_>| {});
    let said = |error: Error| error.to_string().rsplit_once('/').unwrap().1.to_owned();
    let clip = named(&json!({ "clip_model": "ViT-B-33" })).clip(&hub, quiet).unwrap_err();
    let clip = clip.to_string();
    assert!(clip.contains("c.json: clip_model: expected a path, or one of ViT-B-16, "), "{clip}");
    assert!(clip.ends_with(", found ViT-B-33"), "{clip}");
    let blip = named(&json!({ "blip_model": "blip3" }));
    let blip = blip.captioner(Precision::F32, Device::Cpu, &hub, quiet).err().unwrap();
    let told = "c.json: blip_model: expected a path, or one of blip227b, blip-base, blip-large, \
                blip2-2.7b, blip2-flan-t5-xl, found blip3";
    assert_eq!(said(blip), told);
}

#[test]
fn the_sentence_encoder_is_looked_for_where_the_configuration_says() {
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
        assert_eq!(named(&more).sentences(Device::Cpu, &hub, quiet).unwrap().dim(), 32, "{more}");
    }
    let gone = named(&json!({ "embedding_path": "/gone" }))
        .sentences(Device::Cpu, &hub, quiet)
        .err()
        .unwrap();
    assert_eq!(gone.to_string(), "/gone: no config.json in this folder");
}
