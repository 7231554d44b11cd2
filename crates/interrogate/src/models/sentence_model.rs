//! Opens a sentence encoder by name.

use super::{ModelSource, Options, Progress, hub, source};
use crate::Result;
#[cfg(doc)]
use crate::error::ModelError;
use crate::nn::Compute;
use crate::sentence::{MiniLm, NAME};
use crate::starter::Starter;

/// The alias of the f32 version of the starter's sentence encoder, and its repository.
const ALIAS: (&str, &str) = (NAME, "sentence-transformers/all-MiniLM-L6-v2");

impl MiniLm {
    /// Opens the encoder `name`: a folder, a hub id, `all-MiniLM-L6-v2` on the hub, or
    /// `starter`, the same model in f16, from [`Options::starter`] or compiled in. `progress` is
    /// called as files download.
    ///
    /// # Errors
    /// [`ModelError::Unknown`] for an invalid name,
    /// those of [`Starter::open`], [`Starter::sentences_with`],
    /// [`hub::fetch_sentences`] and [`MiniLm::open`].
    pub fn from_name(
        name: &str,
        compute: &Compute,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let name = if name == ALIAS.0 { ALIAS.1 } else { name };
        match name.parse()? {
            ModelSource::Starter => {
                Starter::open(options.starter.as_deref())?.sentences_with(compute)
            }
            ModelSource::Folder(folder) => Self::open_with(&folder, compute),
            ModelSource::Hub { repo, revision } => {
                let revision = revision.as_deref();
                let folder = hub::fetch_sentences(&repo, revision, options, progress)?;
                Self::open_with(&folder, compute)
            }
            ModelSource::File(_) => Err(source::unknown(name)),
        }
    }
}
