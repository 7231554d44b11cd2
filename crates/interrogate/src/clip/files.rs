//! The files of a checkpoint.

use std::path::{Path, PathBuf};

use super::preprocess;
use super::tokenizer::{TokenizerFiles, openai};
use crate::error::CheckpointError;
use crate::{Error, Result};

/// The names of files of weights, by precedence: of transformers, of open_clip, and of
/// indexes of several files.
const WEIGHTS: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// A checkpoint's weights, and the folder of its other files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The file, or the index of several files.
    pub(super) weights: PathBuf,
    folder: PathBuf,
}

impl Files {
    /// Finds the files of the checkpoint at `path`: a folder, or a file of weights with the
    /// other files beside it.
    ///
    /// # Errors
    /// [`CheckpointError::FileMissing`] if the folder has no weights, [`Error::Io`] if it cannot be
    /// opened.
    pub(super) fn find(path: &Path) -> Result<Self> {
        if path.is_file() {
            let folder = path.parent().unwrap_or(path).to_owned();
            return Ok(Files { weights: path.to_owned(), folder });
        }
        let archives = archives(path)?; // an error if `path` is not a folder
        let only = || match &archives[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        let known = WEIGHTS.iter().find_map(|name| find_file(path, name).ok());
        let weights = match known.or_else(only) {
            Some(weights) => weights,
            None => find_file(path, WEIGHTS[0])?, // the error names the first
        };
        Ok(Files { weights, folder: path.to_owned() })
    }

    /// Returns the path of the file `name`.
    ///
    /// # Errors
    /// [`CheckpointError::FileMissing`].
    pub(super) fn file(&self, name: &'static str) -> Result<PathBuf> {
        find_file(&self.folder, name)
    }

    /// Returns the file with the preprocessing steps.
    ///
    /// # Errors
    /// The errors of [`preprocess::find`].
    pub(super) fn preprocessor(&self) -> Result<PathBuf> {
        preprocess::find(&self.folder)
    }

    /// Returns the tokenizer's files in Hugging Face's layout.
    ///
    /// # Errors
    /// [`CheckpointError::FileMissing`].
    pub(super) fn tokenizer(&self) -> Result<TokenizerFiles> {
        match self.file("tokenizer.json") {
            Ok(path) => Ok(TokenizerFiles::Json(path)),
            Err(missing) => match (self.file("vocab.json"), self.file("merges.txt")) {
                (Ok(vocab), Ok(merges)) => Ok(TokenizerFiles::VocabMerges(vocab, merges)),
                (Ok(_), Err(half)) | (Err(half), Ok(_)) => Err(half),
                _ => Err(missing),
            },
        }
    }

    /// Returns the tokenizer's files beside weights in OpenAI's layout, or OpenAI's own
    /// tokenizer if there are none and it has `vocab` tokens.
    ///
    /// # Errors
    /// [`CheckpointError::FileMissing`] if only one of vocab.json and merges.txt exists,
    /// [`CheckpointError::TokenizerMissing`] if there is no tokenizer and `vocab` is not OpenAI's.
    pub(super) fn openai_tokenizer(&self, vocab: usize) -> Result<TokenizerFiles> {
        let half = ["vocab.json", "merges.txt"].into_iter().any(|name| self.file(name).is_ok());
        match (self.tokenizer(), self.file(openai::FILE)) {
            (Ok(files), _) => Ok(files),
            (Err(missing), _) if half => Err(missing),
            (_, Ok(gzip)) => Ok(TokenizerFiles::Gzip(gzip)),
            _ if vocab == openai::TOKENS => Ok(TokenizerFiles::Embedded),
            _ => Err(Error::Checkpoint(CheckpointError::TokenizerMissing {
                path: self.weights.clone(),
                vocab,
            })),
        }
    }
}

/// Returns the path of the file `name` in `folder`.
fn find_file(folder: &Path, name: &'static str) -> Result<PathBuf> {
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Checkpoint(CheckpointError::FileMissing { folder: folder.to_owned(), name }))
    }
}

/// Returns the `.pt` files in `folder`, the extension of OpenAI's archives, sorted.
fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("open", folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "pt")).collect();
    paths.sort();
    Ok(paths)
}
