//! Names of models.

/// No model has the given name, or this build lacks it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The name is not an alias, a folder, a file or a hub id. The hint lists what
    /// is valid.
    #[error("no model is named {name:?}")]
    Unknown {
        /// The given name.
        name: String,
        /// Short names of repositories of a hub.
        aliases: Vec<&'static str>,
    },
    /// This build lacks the embedded starter model: the cargo feature `starter` is off, or
    /// the crate is from a registry, whose package has no weights.
    #[error("this build has no starter model")]
    StarterMissing,
}

impl ModelError {
    pub(super) fn hint(&self) -> String {
        match self {
            ModelError::Unknown { aliases, .. } => format!(
                "a model is starter, a folder or file that exists, a hub id owner/name or owner/name@revision, or one of {}",
                aliases.join(", ")
            ),
            ModelError::StarterMissing => {
                "build from the repository with the feature starter, or name another model"
                    .to_owned()
            }
        }
    }
}
