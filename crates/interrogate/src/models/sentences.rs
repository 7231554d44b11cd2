//! Which sentence encoder a name stands for.

use super::{ModelSource, Options, Progress, hub, source};
#[cfg(not(starter))]
use crate::Error;
use crate::Result;
use crate::nn::Compute;
use crate::sentence::MiniLm;

/// The name of the encoder that the starter is built on, in f32, and the
/// repository that has it.
const ALIAS: (&str, &str) = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2");

impl MiniLm {
    /// The encoder that `name` stands for: a folder, a hub id, `all-MiniLM-L6-v2`
    /// on the hub, or `starter`, the same in f16 as it is compiled in (feature
    /// `starter`). `progress` hears of what is fetched.
    ///
    /// # Errors
    /// [`ModelUnknown`](crate::Error::ModelUnknown) for what can be none of them,
    /// [`StarterLeftOut`](crate::Error::StarterLeftOut), those of [`hub::fetch_sentences`] and of
    /// [`MiniLm::open`].
    pub fn named(
        name: &str,
        compute: &Compute,
        options: &Options,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let name = if name == ALIAS.0 { ALIAS.1 } else { name };
        match name.parse()? {
            ModelSource::Starter => starter(compute),
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

#[cfg(starter)]
fn starter(compute: &Compute) -> Result<MiniLm> {
    crate::starter::sentences(compute)
}

#[cfg(not(starter))]
fn starter(_: &Compute) -> Result<MiniLm> {
    Err(Error::StarterLeftOut)
}
