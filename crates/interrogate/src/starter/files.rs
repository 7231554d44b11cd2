//! The starter's files, compiled in or in a folder: their checksums and their fingerprint.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::embedded::{CLASSES, CLASSIFIER, FLAVORS, File, SENTENCES, TOKENIZER};
use crate::error::ModelError;
use crate::index::{Digest, Hasher};
use crate::mmap::FileBytes;
use crate::weights::Weights;
use crate::{Error, Result, input, limits};

/// All files.
const FILES: [&File; 5] = [&CLASSIFIER, &SENTENCES, &CLASSES, &TOKENIZER, &FLAVORS];

/// The checksum and name of each file that determines a score, in the format of `sha256sum`.
const SUMS: &str = include_str!("../../weights/SHA256SUMS");

/// The same for the codes of the flavors. Change it when `shortlist.py` makes other codes.
const FLAVORS_SUM: &str =
    "d6f0902b98ccbe8025a75884149dd23ecf370abbcd2065bbe98b6bbdf67fcc26  flavors.safetensors";

/// The steps of the code, as a part of the fingerprint. Change it with anything that changes
/// a feature or an embedding, so that older indexes no longer match.
const RECIPE: &str = "starter 1: shorter side 256, crop 224, (x - 127) / 128, top 10 of 1000, \
                      256 tokens, mean over tokens, less the classes' mean";

impl File {
    /// Returns the file's SHA-256 in hex.
    fn sum(&self) -> &'static str {
        let mut lines = SUMS.lines().chain([FLAVORS_SUM]).filter_map(|line| line.split_once("  "));
        lines.find(|(_, name)| *name == self.name).map_or("", |(sum, _)| sum)
    }

    /// Returns the compiled-in bytes, with a path for messages.
    fn embedded(&self) -> Result<(PathBuf, &'static [u8])> {
        let bytes = self.embedded.ok_or(ModelError::StarterMissing)?;
        Ok((PathBuf::from(format!("embedded {}", self.name)), bytes))
    }

    /// Checks the SHA-256 of the file at `path`, whose bytes are `bytes`.
    fn check(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let (expected, found) = (self.sum(), Digest::of(bytes).to_string());
        if found == expected {
            return Ok(());
        }
        let (sum, size) = (format!("SHA-256 {expected}"), bytes.len());
        Err(invalid(path.to_owned(), sum, format!("SHA-256 {found} of {size} bytes")))
    }
}

/// Where the files are: in a folder, or compiled in.
#[derive(Clone, Debug)]
pub(super) struct Files(Option<PathBuf>);

impl Files {
    /// Checks that all files of `folder` can be opened; `None` stands for the compiled-in files.
    ///
    /// # Errors
    /// [`ModelError::StarterMissing`] if there is no folder and nothing is compiled in,
    /// [`ModelError::StarterFile`] for a missing file, and those of [`input::open`].
    pub(super) fn open(folder: Option<&Path>) -> Result<Self> {
        for file in FILES {
            match folder {
                Some(folder) => drop(open(&folder.join(file.name))?),
                None if file.embedded.is_some() => {}
                None => return Err(ModelError::StarterMissing.into()),
            }
        }
        Ok(Files(folder.map(Path::to_owned)))
    }

    /// Returns a hex SHA-256 over the checksums of the files and the recipe, wherever the files
    /// are. Reads none of them, since each is compared with its checksum when it is loaded.
    pub(super) fn fingerprint() -> String {
        let mut hasher = Hasher::default();
        [SUMS, RECIPE].iter().for_each(|part| hasher.update(part.as_bytes()));
        hasher.finish().to_string()
    }

    /// Maps `file` and compares its SHA-256, or returns the compiled-in bytes; with a path for
    /// messages.
    ///
    /// # Errors
    /// [`ModelError::StarterFile`] for a missing file and for other content, and those of
    /// [`Mmap::open`](crate::mmap::Mmap::open).
    pub(super) fn load(&self, file: &File) -> Result<(PathBuf, FileBytes)> {
        let Some(path) = self.path(file)? else {
            return file.embedded().map(|(path, bytes)| (path, FileBytes::Embedded(bytes)));
        };
        let bytes = FileBytes::map(&path)?;
        file.check(&path, bytes.as_ref())?;
        Ok((path, bytes))
    }

    /// Returns the weights in `file`.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub(super) fn weights(&self, file: &File) -> Result<Weights> {
        let (path, bytes) = self.load(file)?;
        Weights::from_bytes(path, bytes)
    }

    /// Like [`load`](Self::load), but reads a file of a folder into memory: a text is copied
    /// before it is parsed, as a mapped file may change.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub(super) fn text(&self, file: &File) -> Result<(PathBuf, Cow<'static, [u8]>)> {
        let Some(path) = self.path(file)? else {
            return file.embedded().map(|(path, bytes)| (path, Cow::Borrowed(bytes)));
        };
        let bytes = input::read(&path, limits::STARTER_FILE)?;
        file.check(&path, &bytes)?;
        Ok((path, Cow::Owned(bytes)))
    }

    /// Returns the path of `file`, whose size is within the limit; `None` if it is compiled in.
    fn path(&self, file: &File) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.0 else { return Ok(None) };
        let path = folder.join(file.name);
        let size = open(&path)?.metadata().map_err(Error::io("read", &path))?.len();
        if size > limits::STARTER_FILE {
            let expected = format!("at most {} bytes", limits::STARTER_FILE);
            return Err(invalid(path, expected, size.to_string()));
        }
        Ok(Some(path))
    }
}

/// Opens a file of the starter.
fn open(path: &Path) -> Result<std::fs::File> {
    input::open(path).map_err(|error| match error {
        Error::Io { path, source, .. } if source.kind() == ErrorKind::NotFound => {
            invalid(path, "a file of the starter".to_owned(), "none".to_owned())
        }
        error => error,
    })
}

fn invalid(path: PathBuf, expected: String, found: String) -> Error {
    ModelError::StarterFile { path, expected, found }.into()
}

#[cfg(test)]
mod tests;
