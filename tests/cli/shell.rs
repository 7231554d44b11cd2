use std::fs;

use serde_json::Value;

use crate::run::{Folder, repository};

#[test]
fn completion_scripts_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = folder.run(&["completions", shell]).expect(0);
        for word in ["prompt", "doctor", "skip-existing"] {
            assert!(output.stdout().contains(word), "{shell}: {word}");
        }
    }
    folder.run(&["completions", "cmd"]).expect(2);
    // bash parses it.
    folder.write("script", folder.run(&["completions", "bash"]).expect(0).stdout());
    let bash = std::process::Command::new("bash").arg("-n").arg(folder.path("script")).status();
    assert!(bash.is_ok_and(|status| status.success()));
}

#[test]
fn man_pages_exist_for_every_command() {
    let folder = Folder::new();
    let output = folder.run(&["man"]).expect(0);
    assert!(output.stdout().starts_with(".ie"), "{}", &output.stdout()[..80]);
    assert!(output.stdout().contains(".TH interrogate 1"));
    folder.run(&["man", "--out", "pages"]).expect(0);
    for name in ["interrogate", "interrogate-prompt", "interrogate-embed-images"] {
        let page = fs::read_to_string(folder.path(&format!("pages/{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{name}");
    }
    folder.write("file", "");
    let output = folder.run(&["man", "--out", "file"]).expect(2);
    assert!(output.stderr().contains("error: cannot create file: "), "{}", output.stderr());
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {rows:?}"))
}

#[test]
fn doctor_lists_what_is_present_and_missing() {
    let folder = Folder::new();
    let doctor = || folder.run(&["doctor", "--format", "jsonl"]).expect(0).rows();
    let rows = doctor();
    assert_eq!(row(&rows, "starter")["state"], "ready");
    for missing in ["CLIP", "captioner", "sentence encoder", "indexes"] {
        assert_eq!(row(&rows, missing)["state"], "missing");
        assert!(row(&rows, missing)["hint"].is_string(), "{missing}");
    }
    assert_eq!(row(&rows, "flavors")["detail"], "4 labels in dicts/flavors.txt");
    assert!(row(&rows, "threads")["detail"].as_str().unwrap().parse::<usize>().unwrap() > 0);

    // A folder under models/, another in the cache, a broken one, an index.
    for (fixture, to) in [
        ("clip/quick", "models/quick"),
        ("caption/blip", "hf/hub/models--me--blip/snapshots/0123"),
        ("clip/quick", "models/broken"),
    ] {
        for file in fs::read_dir(repository().join("tests/fixtures").join(fixture)).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            if file.path().is_file() {
                folder.write(&format!("{to}/{name}"), fs::read(file.path()).unwrap());
            }
        }
    }
    fs::remove_file(folder.path("models/broken/model.safetensors")).unwrap();
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    let rows = doctor();
    assert_eq!(row(&rows, "models/quick")["state"], "ready");
    assert_eq!(row(&rows, "me/blip")["kind"], "captioners");
    assert_eq!(row(&rows, "me/blip")["state"], "ready");
    let broken = row(&rows, "models/broken");
    assert_eq!(broken["state"], "broken");
    assert!(broken["detail"].as_str().unwrap().contains("model.safetensors"), "{broken}");
    let index = row(&rows, "indexes/starter")["detail"].clone();
    assert_eq!(index, "of the model starter, 8 labels in 3 tables, coded");
    assert!(rows.iter().all(|row| row["name"] != "CLIP"));

    // What transformers 5 writes: processor_config.json alone.
    let blip = "hf/hub/models--me--blip/snapshots/0123";
    let steps = fs::read_to_string(folder.path(&format!("{blip}/preprocessor_config.json")));
    fs::remove_file(folder.path(&format!("{blip}/preprocessor_config.json"))).unwrap();
    assert_eq!(row(&doctor(), "me/blip")["state"], "broken");
    let steps = format!("{{\"image_processor\": {}}}", steps.unwrap());
    folder.write(&format!("{blip}/processor_config.json"), steps);
    assert_eq!(row(&doctor(), "me/blip")["state"], "ready");

    let text = folder.run(&["doctor"]).expect(0);
    assert!(text.stdout().starts_with("models\n  starter: compiled in; "), "{}", text.stdout());
    assert!(text.stdout().contains("\n  models/broken: broken: "), "{}", text.stdout());
    assert!(text.stdout().contains("\nmachine\n  threads: "), "{}", text.stdout());
}
