use serde_json::{Value, json};

use crate::run::{Folder, RunOutput, repository};

pub(crate) fn fixture(name: &str) -> String {
    repository().join("tests/fixtures").join(name).to_str().unwrap().to_owned()
}

/// Creates a folder with images, dictionaries, OpenAI's archive, a captioner and a
/// configuration file.
pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    for name in ["cat.jpg", "rocket.jpg"] {
        let photo = std::fs::read(repository().join("tests/fixtures/photos").join(name)).unwrap();
        folder.write(&format!("data/images/{name}"), photo);
    }
    for name in ["tiny.pt", "vocab.json", "merges.txt"] {
        let bytes = std::fs::read(fixture(&format!("openai/{name}"))).unwrap();
        folder.write(&format!("setup/models/{name}"), bytes);
    }
    let config = json!({
        "blip_model": "blip227b", "blip_path": fixture("caption/blip2-opt"),
        "clip_model": "ViT-B-32", "clip_path": "./models/tiny.pt",
        "dicts": "../dicts", "chunk_size": 2048,
        "embedding_model": "starter", "embedding_dir": "", "embedding_path": ""
    });
    folder.write("setup/config.json", config.to_string());
    folder
}

fn execute(folder: &Folder, task: &str, more: &[&str]) -> RunOutput {
    let args = ["execute", "--model", task, "--data-path", "data", "--extend-path"];
    folder.run(&[&args[..], &["setup/config.json"], more].concat())
}

pub(crate) fn rows(folder: &Folder, task: &str, more: &[&str]) -> Vec<Value> {
    execute(folder, task, &[&["--format", "jsonl"], more].concat()).expect(0).rows()
}

pub(crate) fn texts(rows: &[Value], key: &str) -> Vec<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

const CLIP: &str = "setup/models/tiny.pt";

#[test]
fn captions_and_prompts_equal_those_of_caption_and_prompt() {
    let (folder, blip) = (folder(), fixture("caption/blip2-opt"));
    let captioner = ["--caption-model", &blip, "--caption-precision", "f16", "--format", "jsonl"];
    let captions = rows(&folder, "blip2", &[]);
    assert_eq!(texts(&captions, "id"), ["cat", "rocket"]);
    let theirs = folder.run(&[&["caption", "data/images"], &captioner[..]].concat()).expect(0);
    assert_eq!(texts(&captions, "prompt"), texts(&theirs.rows(), "caption"));

    let prompts = rows(&folder, "clip-interrogator", &["--max-flavors", "2"]);
    let source = ["--model", CLIP, "--index", "setup/indexes/tiny", "--max-flavors", "2"];
    let theirs = folder.run(&[&["prompt", "data/images"], &captioner[..], &source].concat());
    assert_eq!(texts(&prompts, "prompt"), texts(&theirs.expect(0).rows(), "prompt"));
    // Neither the batch size nor a second run changes a row.
    let alone = ["--max-flavors", "2", "--batch-size", "1"];
    assert_eq!(rows(&folder, "clip-interrogator", &alone), prompts);
}

#[test]
fn template_formats_the_prompt() {
    let folder = folder();
    let form = |template: &str| {
        let more = ["--template", template];
        texts(&rows(&folder, "clip-interrogator", &more), "prompt")
    };
    let (readme, code) = (
        form("{caption}, {medium}, {movement}, {flavors}"),
        form("{caption}, {medium}, {flavors}"),
    );
    let own = form("<{movement}|{flavor}>");
    for ((readme, code), own) in readme.iter().zip(&code).zip(&own) {
        let movement = own[1..].split('|').next().unwrap();
        assert!(["cubism", "minimalism"].contains(&movement), "{own}");
        assert_eq!(&readme.replacen(&format!("{movement}, "), "", 1), code);
        let flavor = own.trim_end_matches('>').rsplit('|').next().unwrap();
        assert!(code.contains(&format!(", {flavor}, ")), "{code}: {flavor}");
    }
    let output = execute(&folder, "clip-interrogator", &["--template", "{mood}"]).expect(2);
    let expected =
        "error: a template has no field \"mood\"\nhint: its fields are caption, flavor, ";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn embedding_of_each_prompt_has_384_values() {
    let folder = folder();
    for (task, plain) in
        [("blip2-embedding", "blip2"), ("clip-interrogator-embedding", "clip-interrogator")]
    {
        let (embedded, prompts) = (rows(&folder, task, &[]), rows(&folder, plain, &[]));
        assert_eq!(texts(&embedded, "prompt"), texts(&prompts, "prompt"));
        let prompts = texts(&prompts, "prompt");
        let args = [&["embed", "prompts"][..], &[&prompts[0], &prompts[1]]].concat();
        for (ours, theirs) in embedded.iter().zip(folder.run(&args).expect(0).rows()) {
            assert_eq!(ours["embedding"].as_array().unwrap().len(), 384);
            assert_eq!(ours["embedding"], theirs["embedding"]);
        }
    }
}

#[test]
fn zero_shot_is_the_softmax_of_scaled_cosines() {
    let folder = folder();
    let labels = ["a diagram", "a dog", "a cat"];
    let embed = |args: &[&str]| {
        let args = [&["embed"], args, &["--model", CLIP]].concat();
        let values = |row: &Value| -> Vec<f64> {
            row["features"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        folder.run(&args).expect(0).rows().iter().map(values).collect::<Vec<_>>()
    };
    let images = embed(&["images", "data/images"]);
    let texts = embed(&[&["texts"][..], &labels].concat());
    for (row, image) in rows(&folder, "clip_model", &[]).iter().zip(images) {
        let cosine = |text: &Vec<f64>| image.iter().zip(text).map(|(a, b)| a * b).sum::<f64>();
        let powers: Vec<f64> = texts.iter().map(|text| (100.0 * cosine(text)).exp()).collect();
        for (label, power) in labels.iter().zip(&powers) {
            let found = row["scores"][label].as_f64().unwrap();
            let expected = power / powers.iter().sum::<f64>();
            assert!((found - expected).abs() < 1e-4, "{label}: {found} {expected}");
        }
    }
}

#[test]
fn data_and_dictionary_tests_need_no_model() {
    let folder = folder();
    std::fs::remove_file(folder.path(CLIP)).unwrap();
    let sizes = execute(&folder, "test_data", &[]).expect(0);
    let lines: Vec<&str> = sizes.stdout().lines().collect();
    assert!(lines[0].starts_with("cat: ") && lines[1].starts_with("rocket: "), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(" x ")), "{lines:?}");
    let mediums = execute(&folder, "test_dict", &[]).expect(0);
    assert_eq!(mediums.stdout(), "an oil painting\na photo of a cat\n");
    let rows = rows(&folder, "test_dict", &[]);
    assert_eq!(rows[0], json!({ "label": "an oil painting" }));
}

#[test]
fn one_invalid_image_is_reported_and_the_rest_continue() {
    let folder = folder();
    folder.write("data/images/bad.png", "no image");
    let output = execute(&folder, "test_data", &["--format", "jsonl"]).expect(1);
    let rows = output.rows();
    assert_eq!(rows.iter().filter(|row| row.get("size").is_some()).count(), 2);
    assert!(output.stderr().contains("bad.png"), "{}", output.stderr());
}

#[test]
fn invalid_options_fail_before_a_model_is_opened() {
    let folder = folder();
    let output = execute(&folder, "clip", &[]).expect(2);
    let expected = "error: no task is named \"clip\"\nhint: a task is clip_model, blip2, ";
    assert!(output.stderr().starts_with(expected), "{}", output.stderr());
    folder.write("data/images/cat.png", "");
    let output = execute(&folder, "blip2", &[]).expect(2);
    assert!(
        output.stderr().starts_with("error: two images are called \"cat\": "),
        "{}",
        output.stderr()
    );
    folder.write("setup/config.json", "{\"clip_mode\": 1}");
    let output = execute(&folder, "test_dict", &[]).expect(2);
    let expected = "error: setup/config.json: an unknown key \"clip_mode\"\nhint: its keys are ";
    assert!(output.stderr().starts_with(expected), "{}", output.stderr());
    folder.write("setup/config.json", "{\"dicts\": \"../dicts\"}");
    let output = execute(&folder, "test_dict", &[]).expect(2);
    assert!(output.stderr().starts_with("error: setup/config.json: no key \"blip_model\""));
}

#[test]
fn files_that_are_not_images_are_counted() {
    let folder = folder();
    for name in ["._cat.jpg", ".DS_Store", "notes.txt", "more/a.jpg"] {
        folder.write(&format!("data/images/{name}"), "x");
    }
    let output = execute(&folder, "test_data", &[]).expect(0);
    assert_eq!(output.stdout().lines().count(), 2);
    let expected = "skipped 1 file: 1 .txt; 2 hidden; 1 folder\n";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}
