//! The arguments of the original pipeline, without a configuration file and beside one.

use serde_json::{Value, json};

use crate::execute::{fixture, folder, rows, texts};
use crate::run::{Folder, RunOutput};

/// Runs `execute` without a configuration file.
fn plain(folder: &Folder, task: &str, more: &[&str]) -> RunOutput {
    folder.run(&[&["execute", "--model", task], more].concat())
}

fn plain_rows(folder: &Folder, task: &str, more: &[&str]) -> Vec<Value> {
    let data = ["--data-path", "data", "--format", "jsonl"];
    plain(folder, task, &[&data, more].concat()).expect(0).rows()
}

#[test]
fn model_path_is_the_model_without_a_configuration_file() {
    let (folder, blip) = (folder(), fixture("caption/blip2-opt"));
    let clip = ["--model-path", "setup/models/tiny.pt"];
    assert_eq!(plain_rows(&folder, "clip_model", &clip), rows(&folder, "clip_model", &[]));
    let captions = rows(&folder, "blip2", &[]);
    // A relative path starts at the working folder.
    std::fs::create_dir(folder.path("local")).unwrap();
    for file in std::fs::read_dir(&blip).unwrap() {
        let file = file.unwrap();
        let to = folder.path("local").join(file.file_name());
        std::fs::copy(file.path(), to).unwrap();
    }
    for path in [blip.as_str(), "local"] {
        assert_eq!(plain_rows(&folder, "blip2", &["--model-path", path]), captions);
    }
}

#[test]
fn model_extend_path_is_the_sentence_encoder() {
    let (folder, blip) = (folder(), fixture("caption/blip2-opt"));
    let expected = rows(&folder, "blip2-embedding", &[]);
    let with = |extend: &str| {
        let more = ["--model-path", &blip, "--model-extend-path", extend];
        plain_rows(&folder, "blip2-embedding", &more)
    };
    assert_eq!(with("starter"), expected);
    // The folder of an encoder, and the folder above it.
    let sentences = with(&fixture("sentence"));
    assert_eq!(texts(&sentences, "prompt"), texts(&expected, "prompt"));
    assert_eq!(sentences[0]["embedding"].as_array().unwrap().len(), 32);
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = std::fs::read(format!("{}/{name}", fixture("sentence"))).unwrap();
        folder.write(&format!("encoders/all-MiniLM-L6-v2/{name}"), bytes);
    }
    assert_eq!(with("encoders"), sentences);
    // Beside a configuration file, a folder cannot be a second one.
    let more = ["--model-extend-path", "encoders"];
    assert_eq!(rows(&folder, "blip2-embedding", &more), sentences);
}

#[test]
fn folder_of_packages_as_extend_path_is_not_needed() {
    let (folder, blip) = (folder(), fixture("caption/blip2-opt"));
    let args = ["--model-path", &blip, "--model-extend-path", "starter", "--data-path", "data"];
    let args = [&args[..], &["--format", "jsonl", "--extend-path", "photos"]].concat();
    let output = plain(&folder, "blip2-embedding", &args).expect(0);
    assert_eq!(output.rows(), rows(&folder, "blip2-embedding", &[]));
    let expected = "photos: this folder of Python packages is not needed\n";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn test_tasks_need_no_configuration_file() {
    let folder = folder();
    let sizes = plain_rows(&folder, "test_data", &["--model-path", ""]);
    assert_eq!(sizes, rows(&folder, "test_data", &[]));
    let expected = "an oil painting\na photo of a cat\n";
    assert_eq!(plain(&folder, "test_dict", &[]).expect(0).stdout(), expected);
    folder.write("labels/mediums.txt", "a mosaic\n");
    for extend in [&[][..], &["--extend-path", "setup/config.json"]] {
        let args = [&["--dicts", "labels"], extend].concat();
        assert_eq!(plain(&folder, "test_dict", &args).expect(0).stdout(), "a mosaic\n");
    }
}

#[test]
fn missing_arguments_are_named_before_a_model_is_opened() {
    let folder = folder();
    let model = "pass --model-path MODEL, or --extend-path CONFIG.json";
    for (task, more, what, hint) in [
        ("clip_model", &[][..], "CLIP", model),
        ("blip2", &["--model-path", ""], "BLIP-2", model),
        ("blip2-embedding", &["--model-path", "x"], "a sentence encoder", "pass --model-extend"),
        ("clip-interrogator", &["--model-path", "x"], "a configuration file", "pass --extend-"),
        ("test_data", &[], "images", "pass --data-path DIR"),
    ] {
        let output = plain(&folder, task, more).expect(2);
        let expected = format!("error: {task} needs {what}\nhint: {hint}");
        assert!(output.stderr().starts_with(&expected), "{}", output.stderr());
    }
    for (task, model, expected) in [
        ("clip_model", "./gone.pt", "error: no model is named \"./gone.pt\"\nhint: "),
        ("blip2", "./gone", "error: unknown captioner \"./gone\"\nhint: a captioner is a folder"),
    ] {
        let output = plain(&folder, task, &["--data-path", "data", "--model-path", model]);
        let output = output.expect(2);
        assert!(output.stderr().starts_with(expected), "{}", output.stderr());
    }
}

#[test]
fn model_path_beside_a_configuration_file_is_a_start_or_the_file_of_clip() {
    let folder = folder();
    let expected = rows(&folder, "clip_model", &[]);
    // A folder: relative paths start there.
    std::fs::rename(folder.path("setup/models"), folder.path("models")).unwrap();
    let config = std::fs::read_to_string(folder.path("setup/config.json")).unwrap();
    folder.write("setup/config.json", config.replace("./models/tiny.pt", "tiny.pt"));
    assert_eq!(rows(&folder, "clip_model", &["--model-path", "models"]), expected);
    // The same where that folder also looks like a model, with a message.
    folder.write("models/config.json", "{}");
    let args = ["--data-path", "data", "--extend-path", "setup/config.json"];
    let args = [&args[..], &["--format", "jsonl", "--model-path", "models"]].concat();
    let output = plain(&folder, "clip_model", &args).expect(0);
    assert_eq!(output.rows(), expected);
    assert!(output.stderr().contains("models: relative paths start in this folder; to use"));
    // A file: CLIP, whatever the configuration says.
    let mut config: Value = serde_json::from_str(&config).unwrap();
    (config["clip_path"], config["clip_model"]) = (json!("gone.pt"), json!("starter"));
    folder.write("setup/config.json", config.to_string());
    assert_eq!(rows(&folder, "clip_model", &["--model-path", "models/tiny.pt"]), expected);
}
