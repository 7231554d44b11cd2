//! Models: the starter, folders under models/, and what Hugging Face's cache
//! holds.

use std::fs;
use std::path::{Path, PathBuf};

use interrogate::clip::{Checkpoint, preprocess};
use interrogate::models::{HAS_STARTER, Options};
use interrogate::{Error, Result, input, limits};
use serde::Deserialize;

use super::Finding;
use crate::opening::folders;

/// Where folders of models are looked for.
const MODELS: &str = "models";

const CLIP: &str = "models";
const CAPTIONERS: &str = "captioners";
const SENTENCES: &str = "sentence encoders";

/// What is found, by what it is for.
pub(super) fn look() -> Vec<Finding> {
    let cache = Options::from_vars(|name| std::env::var(name).ok()).cache;
    let mut found = vec![starter()];
    found.extend(folders(Path::new(MODELS)).iter().filter_map(|folder| {
        kind_of(folder).map(|kind| finding(kind, folder.to_string_lossy().into(), folder))
    }));
    for (repo, snapshot) in cached(&cache) {
        if let Some(kind) = kind_of(&snapshot) {
            found.push(finding(kind, repo, &snapshot));
        }
    }
    for (kind, what, name) in [
        (CLIP, "CLIP", "openai/clip-vit-large-patch14"),
        (CAPTIONERS, "captioner", "Salesforce/blip2-opt-2.7b"),
        (SENTENCES, "sentence encoder", "sentence-transformers/all-MiniLM-L6-v2"),
    ] {
        if !found.iter().any(|one| one.kind == kind && one.name != "starter") {
            let detail = format!("none under {MODELS}/ and none in {}", cache.display());
            let hint = format!("put its files into {MODELS}/{}, or fetch {name}", last(name));
            found.push(Finding::missing(kind, what, detail, hint));
        }
    }
    found.sort_by_key(|one| [CLIP, CAPTIONERS, SENTENCES].iter().position(|k| *k == one.kind));
    found
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn starter() -> Finding {
    match HAS_STARTER {
        true => {
            let detail =
                "compiled in; a small ImageNet classifier joined to a sentence encoder, not CLIP";
            Finding::ready(CLIP, "starter", detail)
        }
        false => {
            let hint = "build from the repository, with the feature starter";
            Finding::missing(CLIP, "starter", "left out of this build", hint)
        }
    }
}

/// What the config.json of `folder` says it is for; `None` where it is of
/// another kind, or there is none.
fn kind_of(folder: &Path) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Config {
        model_type: Option<String>,
    }
    let text = input::read(&folder.join("config.json"), limits::SMALL_FILE).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    match config.model_type?.as_str() {
        "clip" => Some(CLIP),
        "blip" | "blip-2" => Some(CAPTIONERS),
        "bert" => Some(SENTENCES),
        _ => None,
    }
}

fn finding(kind: &'static str, name: String, folder: &Path) -> Finding {
    let opened = match kind {
        CLIP => Checkpoint::open(folder).map(drop),
        CAPTIONERS => preprocess::find(folder).and_then(|_| {
            let weights = [
                "model.safetensors",
                "model.safetensors.index.json",
                "pytorch_model.bin",
                "pytorch_model.bin.index.json",
            ];
            files(folder, &weights)
        }),
        _ => files(folder, &["model.safetensors"]),
    };
    match opened {
        Ok(()) => Finding::ready(kind, name, format!("in {}", folder.display())),
        Err(error) => Finding::broken(kind, name, &error, error.hint()),
    }
}

/// Whether a model of another kind has its tokenizer, and its weights under one of these
/// names; they are not looked into.
fn files(folder: &Path, weights: &[&str]) -> Result<()> {
    let path = folder.join("tokenizer.json");
    fs::metadata(&path).map_err(Error::io("open", path))?;
    match weights.iter().any(|name| folder.join(name).is_file()) {
        true => Ok(()),
        false => Err(Error::mismatch(folder, "weights", "model.safetensors", "none")),
    }
}

/// The repositories in Hugging Face's cache, each with the newest of its
/// snapshots by what refs/main says, else by name.
fn cached(cache: &Path) -> Vec<(String, PathBuf)> {
    let repo = |folder: PathBuf| {
        let name = folder.file_name()?.to_str()?.strip_prefix("models--")?.replace("--", "/");
        let main = input::read_text(&folder.join("refs/main"), limits::SMALL_FILE).ok();
        let named = main.map(|commit| folder.join("snapshots").join(commit.trim()));
        let named = named.filter(|snapshot| snapshot.is_dir());
        let snapshot = named.or_else(|| folders(&folder.join("snapshots")).pop())?;
        Some((name, snapshot))
    };
    folders(cache).into_iter().filter_map(repo).collect()
}
