//! One model, its two towers still closed.

use std::path::{Path, PathBuf};

use super::Source;
use super::hub::{Fetch, Hub};
use crate::clip::Checkpoint;
use crate::encoder::{ImageEncoder, TextEncoder};
#[cfg(feature = "starter")]
use crate::starter::{self, Starter};
use crate::{Error, Result};

/// A model that was found and whose configuration was read; weights are loaded
/// when a tower is asked for, and only that tower's.
#[derive(Debug)]
pub struct Model {
    id: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Clip(Box<Checkpoint>),
    #[cfg(feature = "starter")]
    Starter(Starter),
}

impl Model {
    /// Opens the model at `source`. A hub id is fetched through `hub` unless it
    /// is cached; `progress` is told how that goes. The other two reach for no
    /// network.
    ///
    /// # Errors
    /// [`Error::NoStarter`] where this build has none, those of
    /// [`Hub::snapshot`], and those of [`Checkpoint::open`].
    pub fn open(source: &Source, hub: &Hub, progress: &mut dyn FnMut(Fetch)) -> Result<Self> {
        match source {
            Source::Starter => Self::starter(),
            Source::Folder(folder) => Self::clip(folder_id(folder)?, folder),
            Source::Hub { repo, revision } => {
                let folder = hub.snapshot(repo, revision.as_deref(), progress)?;
                Self::clip(source.to_string(), &folder)
            }
        }
    }

    #[cfg(feature = "starter")]
    fn starter() -> Result<Self> {
        Ok(Model { id: Source::Starter.to_string(), kind: Kind::Starter(Starter::open()) })
    }

    #[cfg(not(feature = "starter"))]
    fn starter() -> Result<Self> {
        Err(Error::NoStarter)
    }

    fn clip(id: String, folder: &Path) -> Result<Self> {
        Ok(Model { id, kind: Kind::Clip(Box::new(Checkpoint::open(folder)?)) })
    }

    /// Its name, as an index records it: of a hub model its id, of a folder the
    /// folder's own name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id as the name of a folder: `openai--clip-vit-base-patch32`.
    pub fn slug(&self) -> String {
        let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        self.id.replace('/', "--").replace(|c| !kept(c), "-")
    }

    /// What tells it from any other model: SHA-256 in hex over weights,
    /// tokenizer and preprocessing. Reads all of the weights.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        match &self.kind {
            Kind::Clip(checkpoint) => checkpoint.fingerprint(),
            #[cfg(feature = "starter")]
            Kind::Starter(starter) => Ok(starter.fingerprint()),
        }
    }

    /// Loads the tower that encodes texts.
    ///
    /// # Errors
    /// Those of [`Checkpoint::text_encoder`].
    pub fn text_encoder(&self) -> Result<Box<dyn TextEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.text_encoder()?),
            #[cfg(feature = "starter")]
            Kind::Starter(starter) => Box::new(starter.text_encoder()?),
        })
    }

    /// Loads the tower that encodes pictures.
    ///
    /// # Errors
    /// Those of [`Checkpoint::image_encoder`].
    pub fn image_encoder(&self) -> Result<Box<dyn ImageEncoder>> {
        Ok(match &self.kind {
            Kind::Clip(checkpoint) => Box::new(checkpoint.image_encoder()?),
            #[cfg(feature = "starter")]
            Kind::Starter(starter) => Box::new(starter.image_encoder()?),
        })
    }

    /// What a person who uses this model should know of it, in a sentence.
    pub fn notice(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Clip(_) => None,
            #[cfg(feature = "starter")]
            Kind::Starter(_) => Some(starter::NOTICE),
        }
    }

    /// The lowest score that a prompt should say by default, where the model
    /// cannot be trusted below one.
    pub fn min_score(&self) -> Option<f32> {
        match &self.kind {
            Kind::Clip(_) => None,
            #[cfg(feature = "starter")]
            Kind::Starter(_) => Some(starter::MIN_SCORE),
        }
    }
}

/// The folder's own name, links and dots resolved.
fn folder_id(folder: &Path) -> Result<String> {
    let path: PathBuf = folder.canonicalize().map_err(Error::io("open", folder))?;
    Ok(path.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned()))
}
