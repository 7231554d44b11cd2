//! The models of a pipeline by name, without a configuration file.

use std::path::{Path, PathBuf};

use crate::caption::{self, Captioner};
use crate::encoder::TextEncoder;
use crate::error::{CheckpointError, PipelineError};
use crate::models::{Model, Options, Progress, captioner_folder};
use crate::nn::Compute;
use crate::sentence::{self, MiniLm};
use crate::{Device, Error, Precision, Result};

/// Opens the models of a pipeline, each when a task needs it: from a configuration file
/// ([`Config`](super::Config)) or by name ([`NamedModels`]). `hub` and `progress` are for models
/// that are downloaded.
pub trait Models {
    /// Opens CLIP.
    ///
    /// # Errors
    /// Those of [`Model::open`] and of the way in which the model is given.
    fn clip(&self, hub: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Model>;

    /// Opens the captioner.
    ///
    /// # Errors
    /// Those of [`caption::open`], of [`hub::fetch`](crate::models::hub::fetch) and of the way
    /// in which the model is given.
    fn captioner(
        &self,
        precision: Precision,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn Captioner>>;

    /// Opens the sentence encoder.
    ///
    /// # Errors
    /// Those of [`MiniLm::from_name`] and of the way in which the model is given.
    fn sentences(
        &self,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn TextEncoder>>;

    /// Returns the folder of dictionaries.
    fn dicts(&self) -> &Path;
}

/// The models of a pipeline by path, hub id or short name. A model that no task needs can be
/// `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedModels {
    /// CLIP, as a [`ModelSource`](crate::models::ModelSource) is written.
    pub clip: Option<String>,
    /// The captioner, as for [`captioner_folder`].
    pub captioner: Option<String>,
    /// The sentence encoder, as for [`MiniLm::from_name`], or a folder that contains the folder
    /// `all-MiniLM-L6-v2`.
    pub sentences: Option<String>,
    /// The folder of dictionaries.
    pub dicts: PathBuf,
}

/// Returns the name of a model.
fn named<'n>(name: Option<&'n String>, model: &'static str) -> Result<&'n str> {
    let missing = || Error::Pipeline(PipelineError::ModelMissing { model });
    name.map(String::as_str).ok_or_else(missing)
}

/// Fails with [`PipelineError::ModelMissing`] if the name of the model is `None`.
impl Models for NamedModels {
    fn clip(&self, hub: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Model> {
        Model::open(named(self.clip.as_ref(), "CLIP")?.parse()?, hub, progress)
    }

    fn captioner(
        &self,
        precision: Precision,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn Captioner>> {
        let name = named(self.captioner.as_ref(), "a captioner")?;
        caption::open_on(&captioner_folder(name, hub, progress)?, precision, device)
    }

    fn sentences(
        &self,
        device: Device,
        hub: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn TextEncoder>> {
        let name = named(self.sentences.as_ref(), "a sentence encoder")?;
        let compute = Compute { device, ..Compute::default() };
        let folder = Path::new(name);
        let sentences = if name != "starter" && folder.is_dir() {
            let folders = [folder.to_owned(), folder.join(sentence::NAME)];
            MiniLm::open_with(sentence_folder(&folders)?, &compute)?
        } else {
            MiniLm::from_name(name, &compute, hub, progress)?
        };
        Ok(Box::new(sentences))
    }

    fn dicts(&self) -> &Path {
        &self.dicts
    }
}

/// Returns the first of `folders`, at least one, that contains a sentence encoder.
///
/// # Errors
/// [`CheckpointError::FileMissing`].
pub(super) fn sentence_folder(folders: &[PathBuf]) -> Result<&PathBuf> {
    let missing = || CheckpointError::FileMissing {
        folder: folders.first().cloned().unwrap_or_default(),
        name: "config.json",
    };
    let found = folders.iter().find(|folder| folder.join("config.json").is_file());
    found.ok_or_else(|| Error::Checkpoint(missing()))
}
