//! A model, opened: its name, its fingerprint and its two encoders.

use std::path::{Path, PathBuf};

use super::{ModelSource, Options, Progress, hub};
use crate::{Error, Result};

/// A model whose files are at hand; its weights are read when an encoder is
/// asked for.
#[derive(Debug)]
pub struct Model {
    source: ModelSource,
    files: Files,
}

/// Where the files are.
#[derive(Debug)]
enum Files {
    /// A folder in Hugging Face layout.
    Folder(PathBuf),
}

impl Model {
    /// Finds the model's files, and fetches those that a hub has and the cache
    /// has not; `progress` hears of every piece that arrives. Killed at any
    /// point it leaves a cache from which the next call goes on.
    ///
    /// # Errors
    /// Those of [`hub::fetch`]; [`Error::StarterLeftOut`] without the feature
    /// `starter`; those of the model's own configuration.
    pub fn open(
        source: ModelSource,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let files = match &source {
            ModelSource::Starter => return Err(Error::StarterLeftOut),
            ModelSource::Folder(folder) => Files::Folder(folder.clone()),
            ModelSource::Hub { repo, revision } => {
                Files::Folder(hub::fetch(repo, revision.as_deref(), options, progress)?)
            }
        };
        Ok(Model { source, files })
    }

    /// What the model is called: text that opens it again.
    pub fn id(&self) -> String {
        self.source.to_string()
    }

    /// A name for a folder of its own: [`ModelSource::slug`].
    pub fn slug(&self) -> String {
        self.source.slug()
    }

    /// Where its files lie; `None` where they are compiled in.
    pub fn folder(&self) -> Option<&Path> {
        match &self.files {
            Files::Folder(folder) => Some(folder),
        }
    }
}
