//! Which files a checkpoint is made of, and where they stand.

use std::path::{Path, PathBuf};

use super::preprocess;
use super::tokenizer::{TokenizerFiles, openai};
use crate::{Error, Result};

/// Weights by the names that are looked for, the first that is there: of transformers, of
/// open_clip, and indexes of weights in several files.
const WEIGHTS: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// A checkpoint's weights, and the folder of what else belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The file, or the index of several.
    pub(super) weights: PathBuf,
    folder: PathBuf,
}

impl Files {
    /// The files that `path` stands for: a file of weights and what is beside it,
    /// or a folder.
    pub(super) fn find(path: &Path) -> Result<Self> {
        if path.is_file() {
            let folder = path.parent().unwrap_or(path).to_owned();
            return Ok(Files { weights: path.to_owned(), folder });
        }
        let archives = archives(path)?; // says why where it is no folder
        let only = || match &archives[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        let known = WEIGHTS.iter().find_map(|name| named(path, name).ok());
        let weights = match known.or_else(only) {
            Some(weights) => weights,
            None => named(path, WEIGHTS[0])?, // says that it is missing
        };
        Ok(Files { weights, folder: path.to_owned() })
    }

    /// The file `name`.
    ///
    /// # Errors
    /// [`Error::FileMissing`].
    pub(super) fn named(&self, name: &'static str) -> Result<PathBuf> {
        named(&self.folder, name)
    }

    /// The file that says the steps before the image tower.
    ///
    /// # Errors
    /// Those of [`preprocess::find`].
    pub(super) fn preprocessor(&self) -> Result<PathBuf> {
        preprocess::find(&self.folder)
    }

    /// The tokenizer, as transformers keeps one.
    ///
    /// # Errors
    /// [`Error::FileMissing`].
    pub(super) fn tokenizer(&self) -> Result<TokenizerFiles> {
        match self.named("tokenizer.json") {
            Ok(path) => Ok(TokenizerFiles::Json(path)),
            Err(missing) => match (self.named("vocab.json"), self.named("merges.txt")) {
                (Ok(vocab), Ok(merges)) => Ok(TokenizerFiles::VocabMerges(vocab, merges)),
                (Ok(_), Err(half)) | (Err(half), Ok(_)) => Err(half),
                _ => Err(missing),
            },
        }
    }

    /// The tokenizer of `vocab` tokens that stands beside weights in OpenAI's
    /// layout, or OpenAI's own.
    ///
    /// # Errors
    /// [`Error::FileMissing`] where half of one is there,
    /// [`Error::TokenizerMissing`] where it is of another vocabulary.
    pub(super) fn shared_tokenizer(&self, vocab: usize) -> Result<TokenizerFiles> {
        let half = ["vocab.json", "merges.txt"].into_iter().any(|name| self.named(name).is_ok());
        match (self.tokenizer(), self.named(openai::FILE)) {
            (Ok(files), _) => Ok(files),
            (Err(missing), _) if half => Err(missing),
            (_, Ok(packed)) => Ok(TokenizerFiles::Gzip(packed)),
            _ if vocab == openai::TOKENS => Ok(TokenizerFiles::Embedded),
            _ => Err(Error::TokenizerMissing { path: self.weights.clone(), vocab }),
        }
    }
}

/// The file `name` in `folder`.
fn named(folder: &Path, name: &'static str) -> Result<PathBuf> {
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::FileMissing { folder: folder.to_owned(), name }),
    }
}

/// The archives in `folder` that are called as OpenAI's, sorted.
fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("open", folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "pt")).collect();
    paths.sort();
    Ok(paths)
}
