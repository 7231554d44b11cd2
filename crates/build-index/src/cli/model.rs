//! The model that `--model` names.

use build_index::Result;
use interrogate::Error;
use interrogate::encoder::TextEncoder;

/// What a build needs of a model.
pub(crate) struct Model {
    /// What people call it.
    pub(crate) id: String,
    /// The name of its index's folder.
    pub(crate) slug: String,
    /// What tells it from others of that name.
    pub(crate) fingerprint: String,
    /// Its text half.
    pub(crate) encoder: Box<dyn TextEncoder>,
}

/// Opens the model `name`.
pub(crate) fn open(name: &str) -> Result<Model> {
    Err(Error::mismatch(name, "model", "a model that this release opens", "none"))?
}
