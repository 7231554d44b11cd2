//! `setup`, `config` and `models`, against a stub of the hub on loopback.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::run::{Folder, RunOutput, repository};
use crate::stub_hub::{StubFile, StubHub};

/// A known model of the table, with a license.
const NAME: &str = "ViT-B-32/laion2b_s34b_b79k";
const REPO: &str = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K";
const CAPTIONER: &str = "Salesforce/blip-image-captioning-base";

/// A hub whose repositories `REPO` and `CAPTIONER` have the files of two small seeded models.
fn hub() -> StubHub {
    let hub = StubHub::start([]);
    for (repo, fixture) in [(REPO, "clip/quick"), (CAPTIONER, "caption/blip")] {
        let files = fs::read_dir(repository().join("tests/fixtures").join(fixture)).unwrap();
        for file in files.map(|file| file.unwrap()) {
            let name = file.file_name().into_string().unwrap();
            let bytes = fs::read(file.path()).unwrap();
            let large = name == "model.safetensors";
            let file = StubFile { bytes, large, ..StubFile::default() };
            hub.add(&format!("{repo}/main/{name}"), file);
        }
    }
    hub
}

fn command(folder: &Folder, hub: &StubHub, args: &[&str]) -> Command {
    let mut command = folder.command(args);
    command.env("HF_ENDPOINT", hub.endpoint());
    command
}

fn run(folder: &Folder, hub: &StubHub, args: &[&str]) -> RunOutput {
    RunOutput::of(command(folder, hub, args))
}

fn config_file(folder: &Folder) -> std::path::PathBuf {
    folder.path("user/config/interrogate/config.toml")
}

#[test]
fn setup_makes_a_model_the_default_of_every_command() {
    let (folder, hub) = (Folder::new(), hub());
    let output = run(&folder, &hub, &["setup", NAME, "--yes"]).expect(0);
    for line in [
        &format!("{REPO}: download, at most 605.1 MB, license mit\n"),
        "fetching model.safetensors, 264.9 kB\n",
        &format!("index: indexes/{}\n", REPO.replace('/', "--")),
        &format!("default model: {REPO}\n"),
        &format!("configuration: {}\n", config_file(&folder).display()),
    ] {
        assert!(output.stderr().contains(line), "{line}: {}", output.stderr());
    }
    // Later commands need no hub and no option.
    hub.requests();
    drop(hub);
    let named = folder.run(&["rank", "photos/cat.jpg", "--model", REPO]).expect(0);
    let default = folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    assert_eq!(default.stdout(), named.stdout());
    assert!(!default.stderr().contains("starter"), "{}", default.stderr());
    for args in [
        &["prompt", "photos/cat.jpg"][..],
        &["analyze", "photos/cat.jpg"],
        &["similarity", "photos/cat.jpg", "a cat"],
        &["embed", "images", "photos/cat.jpg"],
        &["embed", "texts", "a cat"],
    ] {
        let default = folder.run(args).expect(0);
        let named = folder.run(&[args, &["--model", REPO]].concat()).expect(0);
        assert_eq!(default.stdout(), named.stdout(), "{args:?}");
    }
    let info = folder.run(&["info"]).expect(0);
    assert!(info.stdout().contains(&format!("model {REPO}, ")), "{}", info.stdout());
    // An option comes before the configuration, also an index of another model.
    folder.run(&["rank", "photos/cat.jpg", "--model", "starter"]).expect(0);
    let starter = folder.run(&["rank", "photos/cat.jpg", "--index", "indexes/starter"]).expect(0);
    assert!(starter.stderr().contains("starter") && starter.stdout() != default.stdout());
    // The second setup has nothing to ask or to download.
    let again = folder.run(&["setup", NAME]).expect(0);
    assert!(!again.stderr().contains("download"), "{}", again.stderr());
}

#[test]
fn setup_asks_before_it_downloads() {
    let (folder, hub) = (Folder::new(), hub());
    let output = run(&folder, &hub, &["setup", NAME, "--caption-model", "blip-base"]).expect(2);
    let stderr = output.stderr();
    let expected =
        format!("no terminal to ask on: {REPO}: download, at most 605.1 MB, license mit");
    assert!(stderr.contains(&expected), "{stderr}");
    let captioner = format!("{CAPTIONER}: download, size not known, license not verified");
    assert!(stderr.contains(&captioner) && stderr.contains("hint: pass --yes"), "{stderr}");
    assert_eq!(hub.requests(), [""; 0]);
    assert!(!config_file(&folder).exists() && !folder.path("hf").exists());
}

/// `script` gives the program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn answer_on_a_terminal_decides() {
    let (folder, hub) = (Folder::new(), hub());
    let program = env!("CARGO_BIN_EXE_interrogate");
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no script (util-linux)");
        return;
    }
    for (answer, code, downloaded) in [("n", 2, false), ("", 2, false), ("y", 0, true)] {
        let mut command = Command::new("sh");
        crate::user_folders::isolate(&mut command, &folder.path(""));
        let line = format!(
            "(sleep 1; echo '{answer}'; sleep 1) | script -qec '{program} setup {NAME}' /dev/null"
        );
        command.current_dir(folder.path("")).args(["-c", &line]);
        let output = command.env("HF_ENDPOINT", hub.endpoint()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("Download? [y/N] "), "{printed}");
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert_eq!(!hub.requests().is_empty(), downloaded, "{printed}");
    }
}

#[test]
fn config_prints_the_file_and_its_values() {
    let folder = Folder::new();
    let path = config_file(&folder).display().to_string();
    let text = folder.run(&["config"]).expect(0);
    let expected = format!(
        "{path} (no such file; `interrogate setup` writes it)\n  model: not set\n  caption-model: not set\n"
    );
    assert_eq!(text.stdout(), expected);
    folder.run(&["setup", "starter"]).expect(0);
    let text = folder.run(&["config"]).expect(0);
    assert_eq!(text.stdout(), format!("{path}\n  model: starter\n  caption-model: not set\n"));
    let rows = folder.run(&["config", "--format", "jsonl"]).expect(0).rows();
    assert_eq!((&rows[0]["model"], &rows[0]["exists"]), (&"starter".into(), &true.into()));
    assert_eq!((&rows[0]["path"], &rows[0]["caption-model"]), (&path.into(), &Value::Null));
}

#[test]
fn folder_is_remembered_by_its_absolute_path() {
    let folder = Folder::new();
    let quick = repository().join("tests/fixtures/clip/quick").canonicalize().unwrap();
    let mut command = folder.command(&["setup", "quick", "--dicts"]);
    command.arg(folder.path("dicts")).current_dir(quick.parent().unwrap());
    RunOutput::of(command).expect(0);
    let rows = folder.run(&["config", "--format", "jsonl"]).expect(0).rows();
    assert_eq!(rows[0]["model"], quick.to_str().unwrap());
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    assert!(folder.path("user/data/interrogate/indexes/quick/manifest.json").is_file());
}

#[test]
fn caption_model_is_remembered_and_can_be_left_out() {
    let (folder, hub) = (Folder::new(), hub());
    let setup = ["setup", "--caption-model", "blip-base", "-y", "-q"];
    let output = run(&folder, &hub, &setup).expect(0);
    assert_eq!((output.stdout(), output.stderr()), ("", ""));
    drop(hub);
    let caption = |more: &[&str]| {
        let args = ["caption", "photos/cat.jpg", "--max-length", "6", "--format", "jsonl"];
        folder.run(&[&args[..], more].concat()).expect(0).rows()[0]["caption"].clone()
    };
    assert_eq!(caption(&[]), caption(&["--caption-model", "blip-base"]));
    let caption = caption(&[]);
    let prompt = |more: &[&str]| {
        let args = ["prompt", "photos/cat.jpg", "--format", "jsonl"];
        folder.run(&[&args[..], more].concat()).expect(0).rows()[0]["caption"].clone()
    };
    // Options of captions need no --caption-model.
    assert_eq!(prompt(&["--max-length", "6"]), caption);
    assert_eq!(prompt(&["--no-caption"]), Value::Null);
    assert_eq!(prompt(&["--caption", "mine"]), "mine");
    folder.run(&["prompt", "photos", "--average"]).expect(0);
    // A results file records the default: with another one, it is not continued.
    let args = ["prompt", "photos/cat.jpg", "-o", "out.jsonl", "--max-length", "6"];
    folder.run(&args).expect(0);
    folder.run(&[&args[..], &["--resume"]].concat()).expect(0);
    let blip = repository().join("tests/fixtures/caption/blip2-opt");
    folder.run(&["setup", "--caption-model", blip.to_str().unwrap()]).expect(0);
    let output = folder.run(&[&args[..], &["--resume"]].concat()).expect(2);
    assert!(output.stderr().contains("--caption-model was \"Salesforce/"), "{}", output.stderr());
}

#[test]
fn options_of_captions_need_a_caption_model() {
    let folder = Folder::new();
    for args in [
        &["prompt", "photos", "--num-beams", "2"][..],
        &["prompt", "photos", "--seed", "2"],
        &["prompt", "photos", "--two-pass"],
        &["caption", "photos", "--num-beams", "2"],
    ] {
        let output = folder.run(args).expect(2);
        assert!(output.stderr().contains("--caption-model <MODEL>"), "{}", output.stderr());
    }
}

#[test]
fn models_lists_what_is_known_cached_and_indexed() {
    let (folder, hub) = (Folder::new(), hub());
    let rows = folder.run(&["models", "--format", "jsonl"]).expect(0).rows();
    assert_eq!(rows.len(), 153);
    assert!(rows.iter().all(|row| row["cached"] == (row["name"] == "starter")));
    assert!(rows.iter().all(|row| row["index"].is_null()));
    run(&folder, &hub, &["setup", NAME, "--yes"]).expect(0);
    let quick = repository().join("tests/fixtures/clip/quick");
    folder.run(&["rank", "photos/cat.jpg", "--model", quick.to_str().unwrap()]).expect(0);
    let rows = folder.run(&["models", "--local", "--format", "jsonl"]).expect(0).rows();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, [NAME, quick.to_str().unwrap(), "starter"]);
    let expected = serde_json::json!({ "name": NAME, "repo": REPO, "license": "mit", "dim": 512,
        "image_size": 224, "parameters": 151_277_312, "bytes": 605_109_248, "cached": true,
        "index": format!("indexes/{}", REPO.replace('/', "--")), "default": true });
    assert_eq!(rows[0], expected);
    assert_eq!((&rows[1]["repo"], &rows[1]["cached"]), (&Value::Null, &true.into()));
    let text = folder.run(&["models"]).expect(0);
    let line = text.stdout().lines().find(|line| line.starts_with(NAME)).unwrap();
    assert!(line.ends_with("605.1 MB  cached, indexed, default"), "{line}");
}

#[test]
fn captioners_are_listed_with_their_repositories() {
    let (folder, hub) = (Folder::new(), hub());
    let rows = folder.run(&["models", "--captioners", "--format", "jsonl"]).expect(0).rows();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let expected = ["blip2-6.7b", "blip2-flan-t5-xxl", "git-large-coco"];
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
    let git = rows.iter().find(|row| row["name"] == "git-large-coco").unwrap();
    let expected = serde_json::json!({ "name": "git-large-coco",
        "repo": "microsoft/git-large-coco", "cached": false, "default": false });
    assert_eq!(git, &expected);
    assert_eq!(folder.run(&["models", "--captioners", "--local"]).expect(0).stdout(), "");

    run(&folder, &hub, &["setup", "--caption-model", "blip-base", "--yes"]).expect(0);
    let text = folder.run(&["models", "--captioners", "--local"]).expect(0);
    let text = text.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(text, format!("blip-base {CAPTIONER} cached, default"));
}

#[test]
fn doctor_says_what_is_taken_from_where() {
    let folder = Folder::new();
    let row = |kind: &str| {
        let rows = folder.run(&["doctor", "--format", "jsonl"]).expect(0).rows();
        rows.into_iter().find(|row| row["kind"] == kind).unwrap()
    };
    assert_eq!(row("configuration")["state"], "missing");
    assert_eq!(row("folders of indexes")["detail"], "indexes");
    let cache = format!("{} (does not exist yet)", folder.path("hf/hub").display());
    assert_eq!(row("cache of models")["detail"], cache);
    folder.write("user/config/interrogate/config.toml", "model = \"starter\"");
    let detail = format!("model starter, in {}", config_file(&folder).display());
    assert_eq!(row("configuration")["detail"], detail);
    folder.write("user/config/interrogate/config.toml", "mode = \"starter\"");
    let broken = row("configuration");
    assert_eq!(broken["state"], "broken");
    assert!(broken["hint"].as_str().unwrap().contains("did you mean model?"), "{broken}");
    assert!(folder.run(&["doctor"]).expect(0).stdout().contains("\ncache of models\n"));
}

#[test]
fn invalid_configuration_is_refused_by_the_commands_that_use_it() {
    let folder = Folder::new();
    let large = " ".repeat(70_000);
    for (text, message, hint) in [
        ("\nmodle = 'starter'", "config.toml:2: unknown key \"modle\"", "did you mean model?"),
        ("model = ", "config.toml:1: invalid TOML: ", "interrogate setup"),
        (&large, "config.toml: size: expected at most 65536 bytes, found 70000", "remove "),
    ] {
        folder.write("user/config/interrogate/config.toml", text);
        for args in [
            &["prompt", "photos"][..],
            &["rank", "photos"],
            &["similarity", "photos/cat.jpg", "a cat"],
            &["embed", "texts", "a cat"],
            &["info"],
            &["config"],
            &["models"],
            &["setup", "starter"],
        ] {
            let output = folder.run(args).expect(2);
            let stderr = output.stderr();
            assert!(stderr.contains(message) && stderr.contains(hint), "{args:?}: {stderr}");
        }
        folder.run(&["prompt", "--help"]).expect(0);
        folder.run(&["completions", "bash"]).expect(0);
        assert_eq!(fs::read_to_string(config_file(&folder)).unwrap(), text, "setup keeps it");
    }
}

#[test]
fn default_model_that_is_gone_is_named_with_its_file() {
    let folder = Folder::new();
    let text = "model = \"/gone/clip\"\ncaption-model = \"/gone/blip\"\n";
    folder.write("user/config/interrogate/config.toml", text);
    let path = config_file(&folder).display().to_string();
    for (args, key, next) in [
        (&["rank", "photos"][..], "model", "interrogate setup MODEL"),
        (&["caption", "photos"], "caption-model", "interrogate setup --caption-model MODEL"),
    ] {
        let output = folder.run(args).expect(2);
        let hint = format!("hint: it is the default {key} in {path}; set another: {next}\n");
        assert!(output.stderr().contains("/gone/"), "{}", output.stderr());
        assert!(output.stderr().contains(&hint), "{}", output.stderr());
    }
    // An option that names the same model has the same fault; another one works.
    folder.run(&["rank", "photos", "--model", "starter"]).expect(0);
}

#[test]
fn unusable_models_are_refused_before_anything_is_written() {
    let (folder, hub) = (Folder::new(), hub());
    for (model, message, hint) in [
        (
            "ViT-L-14/laion400m",
            "is ambiguous: ViT-L-14/laion400m_e31, ",
            "such as ViT-L-14/laion400m_e31",
        ),
        ("ViT-L14/openai", "no model is named", "did you mean ViT-L-14/openai"),
        ("nobody", "no model is named", "`interrogate models` lists"),
        ("coca_ViT-B-32/laion2b_s13b_b90k", "unsupported architecture", "ViT-L-14/openai"),
    ] {
        let output = run(&folder, &hub, &["setup", model, "--yes"]).expect(2);
        let stderr = output.stderr();
        assert!(stderr.contains(message) && stderr.contains(hint), "{model}: {stderr}");
    }
    // An ambiguous captioner is not an unknown one.
    let args = ["setup", "--caption-model", "ViT-L-14/laion400m", "--yes"];
    assert!(run(&folder, &hub, &args).expect(2).stderr().contains("is ambiguous"));
    let args = ["setup", "--caption-model", "blip-huge", "--yes"];
    assert!(run(&folder, &hub, &args).expect(2).stderr().contains("unknown captioner"));
    for (fixture, found) in [("clip/quick", "a CLIP"), ("photos", "another model or none")] {
        let path = repository().join("tests/fixtures").join(fixture);
        let args = ["setup", "starter", "--caption-model", path.to_str().unwrap()];
        let output = run(&folder, &hub, &args).expect(2);
        let expected =
            format!("model: expected a captioner (BLIP, BLIP-2, GIT or Florence-2), found {found}");
        assert!(output.stderr().contains(&expected), "{}", output.stderr());
    }
    assert_eq!(hub.requests(), [""; 0]);
    let config = format!("{REPO}/main/config.json");
    for (status, code, message, hint) in [
        (401, "RepoNotFound", "no such repository on ", "set HF_TOKEN"),
        (403, "GatedRepo", "access must be requested from its owner", "request access on http"),
        (401, "Other", "the hub refuses with status 401", "needs a token (HF_TOKEN)"),
    ] {
        hub.change(&config, |file| {
            (file.statuses, file.reason) = (vec![status], Some(("X-Error-Code", code)));
        });
        let output = run(&folder, &hub, &["setup", NAME, "--yes"]).expect(2);
        let stderr = output.stderr();
        assert!(stderr.contains(message) && stderr.contains(hint), "{code}: {stderr}");
    }
    assert!(!config_file(&folder).exists());
    assert_eq!(fs::read_dir(folder.path("indexes")).unwrap().count(), 0);
}

#[test]
fn cache_that_cannot_be_written_is_named_with_what_to_do() {
    let (folder, hub) = (Folder::new(), hub());
    folder.write("hf", "a file where a folder would be");
    let output = run(&folder, &hub, &["setup", NAME, "--yes"]).expect(2);
    assert!(output.stderr().contains("hint: set HF_HOME to a folder"), "{}", output.stderr());
}

/// Ctrl-C in a download and in a build: the next setup continues.
#[cfg(target_os = "linux")]
#[test]
fn interrupted_setup_is_continued_by_the_next_one() {
    use std::process::Stdio;
    use std::thread::sleep;
    use std::time::Duration;

    crate::default_signals::restore();
    let (folder, hub) = (Folder::new(), hub());
    fs::remove_dir_all(folder.path("dicts")).unwrap(); // the embedded ones take seconds
    let weights = format!("{REPO}/main/model.safetensors");
    hub.change(&weights, |file| file.cut_after = vec![100_000, 0, 0, 0, 0, 0]);
    let partial = folder.path(&format!("hf/hub/models--{}/blobs", REPO.replace('/', "--")));
    let is_partial = || {
        let files = fs::read_dir(&partial).into_iter().flatten().flatten();
        files.into_iter().any(|file| {
            let name = file.file_name().into_string().unwrap();
            // The name of a large file is its SHA-256.
            let is_large = name.strip_suffix(".incomplete").is_some_and(|sum| sum.len() == 64);
            is_large && file.metadata().is_ok_and(|file| file.len() > 0)
        })
    };
    let journal = folder.path(&format!("indexes/{}/build.journal", REPO.replace('/', "--")));
    let is_building = || fs::metadata(&journal).is_ok_and(|file| file.len() > 0);
    let interrupt = |reached: &dyn Fn() -> bool| {
        let mut command = command(&folder, &hub, &["setup", NAME, "--yes"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        while !reached() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before the signal");
            sleep(Duration::from_millis(1));
        }
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{stderr}");
        assert!(!config_file(&folder).exists());
        stderr
    };
    let stderr = interrupt(&is_partial);
    assert!(stderr.contains("Ctrl-C loses nothing"), "{stderr}");
    hub.change(&weights, |file| file.cut_after.clear());
    hub.requests();
    interrupt(&is_building);
    let resumed = hub.requests();
    assert!(resumed.iter().any(|line| line.contains(" bytes=")), "{resumed:?}");
    let output = run(&folder, &hub, &["setup", NAME, "--yes"]).expect(0);
    assert!(!output.stderr().contains("fetching"), "{}", output.stderr());
    assert!(output.stderr().contains("default model: "), "{}", output.stderr());
    assert_eq!(hub.requests(), [""; 0]);
}
