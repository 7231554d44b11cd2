//! Checks models: the starter, folders under models/, and Hugging Face's cache.

use std::fs;
use std::path::{Path, PathBuf};

use build_index::terminal::library_hint;
use interrogate::clip::{Checkpoint, preprocess};
use interrogate::models::HAS_STARTER;
use interrogate::{Error, Result, input, limits};
use serde::Deserialize;

use super::Finding;
use crate::folders;
use crate::indexes::subfolders;

/// The folder of the models.
const MODELS: &str = "models";

const CLIP: &str = "models";
const CAPTIONERS: &str = "captioners";
const SENTENCES: &str = "sentence encoders";

/// Returns the models by kind, and a finding for each kind without a model.
pub(super) fn check() -> Vec<Finding> {
    let cache = folders::models();
    let mut found = vec![starter()];
    found.extend(subfolders(Path::new(MODELS)).iter().filter_map(|folder| {
        kind_of(folder).map(|kind| finding(kind, folder.to_string_lossy().into(), folder))
    }));
    for (repo, snapshot) in cached(&cache) {
        if let Some(kind) = kind_of(&snapshot) {
            found.push(finding(kind, repo, &snapshot));
        }
    }
    for (kind, what, name, how) in [
        (CLIP, "CLIP", "openai/clip-vit-large-patch14", "interrogate setup"),
        (CAPTIONERS, "captioner", "Salesforce/blip2-opt-2.7b", "interrogate setup --caption-model"),
        (
            SENTENCES,
            "sentence encoder",
            "sentence-transformers/all-MiniLM-L6-v2",
            "interrogate embed prompts TEXT --embedding-model",
        ),
    ] {
        if !found.iter().any(|one| one.kind == kind && one.name != "starter") {
            let detail = format!("none under {MODELS}/ and none in {}", cache.display());
            let hint = format!("put its files into {MODELS}/{}, or run: {how} {name}", last(name));
            found.push(Finding::missing(kind, what, detail, hint));
        }
    }
    found.sort_by_key(|one| [CLIP, CAPTIONERS, SENTENCES].iter().position(|k| *k == one.kind));
    found
}

/// The part after the last slash.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn starter() -> Finding {
    if HAS_STARTER {
        let detail =
            "compiled in; a small ImageNet classifier joined to a sentence encoder, not CLIP";
        Finding::ready(CLIP, "starter", detail)
    } else {
        let hint = "build from the repository, with the feature starter";
        Finding::missing(CLIP, "starter", "left out of this build", hint)
    }
}

/// Returns the kind of the model in `folder`, from its config.json; `None` for other
/// models and without the file.
fn kind_of(folder: &Path) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Config {
        model_type: Option<String>,
    }
    let text = input::read(&folder.join("config.json"), limits::SMALL_FILE).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    match config.model_type?.as_str() {
        "clip" => Some(CLIP),
        "blip" | "blip-2" | "florence2" | "git" => Some(CAPTIONERS),
        "bert" => Some(SENTENCES),
        _ => None,
    }
}

fn finding(kind: &'static str, name: String, folder: &Path) -> Finding {
    match check_kind(kind, folder) {
        Ok(()) => Finding::ready(kind, name, format!("in {}", folder.display())),
        Err(error) => Finding::broken(kind, name, &error, library_hint(&error)),
    }
}

/// Checks that `folder` holds a captioner, from its configuration and the names of its files.
pub(super) fn check_captioner(folder: &Path) -> Result<()> {
    match kind_of(folder) {
        Some(CAPTIONERS) => check_kind(CAPTIONERS, folder),
        kind => {
            let found = match kind {
                Some(CLIP) => "a CLIP",
                Some(_) => "a sentence encoder",
                None => "another model or none",
            };
            Err(Error::mismatch(
                folder,
                "model",
                "a captioner (BLIP, BLIP-2, GIT or Florence-2)",
                found,
            ))
        }
    }
}

fn check_kind(kind: &'static str, folder: &Path) -> Result<()> {
    match kind {
        CLIP => Checkpoint::open(folder).map(drop),
        CAPTIONERS => preprocess::find(folder).and_then(|_| {
            let weights = [
                "model.safetensors",
                "model.safetensors.index.json",
                "pytorch_model.bin",
                "pytorch_model.bin.index.json",
            ];
            check_files(folder, &weights)
        }),
        _ => check_files(folder, &["model.safetensors"]),
    }
}

/// Checks that `folder` has a tokenizer and one of the files `weights`, without reading
/// them.
fn check_files(folder: &Path, weights: &[&str]) -> Result<()> {
    let path = folder.join("tokenizer.json");
    fs::metadata(&path).map_err(Error::io("open", path))?;
    if weights.iter().any(|name| folder.join(name).is_file()) {
        Ok(())
    } else {
        Err(Error::mismatch(folder, "weights", "model.safetensors", "none"))
    }
}

/// Returns the repositories in Hugging Face's cache, each with the snapshot that refs/main
/// names, or else the last one by name.
fn cached(cache: &Path) -> Vec<(String, PathBuf)> {
    let repo = |folder: PathBuf| {
        let name = folder.file_name()?.to_str()?.strip_prefix("models--")?.replace("--", "/");
        let main = input::read_text(&folder.join("refs/main"), limits::SMALL_FILE).ok();
        let named = main.map(|commit| folder.join("snapshots").join(commit.trim()));
        let named = named.filter(|snapshot| snapshot.is_dir());
        let snapshot = named.or_else(|| subfolders(&folder.join("snapshots")).pop())?;
        Some((name, snapshot))
    };
    subfolders(cache).into_iter().filter_map(repo).collect()
}
