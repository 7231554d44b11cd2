//! Names of models.

use std::path::PathBuf;

use super::words::first_names;

/// No model has the given name, or this build lacks it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The name is not a known model's, a folder, a file or a hub id. The hint lists what
    /// is valid.
    #[error("no model is named {name:?}")]
    Unknown {
        /// The given name.
        name: String,
        /// Known names that differ little, nearest first.
        nearest: Vec<&'static str>,
    },
    /// Several models have this name, or a model and a path.
    #[error("the model name {name:?} is ambiguous: {}", first_names(candidates))]
    Ambiguous {
        /// The given name.
        name: String,
        /// Names that are not ambiguous.
        candidates: Vec<String>,
    },
    /// The name is one of open_clip's, but its architecture is not supported.
    #[error("{name}: unsupported architecture")]
    Unsupported {
        /// The given name.
        name: String,
    },
    /// No captioner has the given name. The hint lists the known ones.
    #[error("unknown captioner {name:?}")]
    CaptionerUnknown {
        /// The given name.
        name: String,
        /// The short names of captioners.
        known: Vec<&'static str>,
    },
    /// No tagger has the given name. The hint lists the known ones.
    #[error("unknown tagger {name:?}")]
    TaggerUnknown {
        /// The given name.
        name: String,
        /// The short names of taggers.
        known: Vec<&'static str>,
    },
    /// The starter is not compiled in, and no folder of its files was given: the cargo feature
    /// `starter` is off, or the crate is from a registry, whose package has no weights.
    #[error("the starter model is not compiled in, and no folder of its files was given")]
    StarterMissing,
    /// A file in a folder of the starter is missing or has other content.
    #[error("{}: expected {expected}, found {found}", path.display())]
    StarterFile {
        /// The file.
        path: PathBuf,
        /// Its SHA-256 or another property.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl ModelError {
    pub(super) fn hint(&self) -> String {
        match self {
            ModelError::Unknown { nearest, .. } => {
                let forms = "a model is starter, a folder or file that exists, a hub id owner/name or owner/name@revision, or a name of open_clip such as ViT-L-14/openai";
                match nearest[..] {
                    [] => forms.to_owned(),
                    _ => format!("did you mean {}? {forms}", nearest.join(" or ")),
                }
            }
            ModelError::Ambiguous { .. } => "name one of them".to_owned(),
            ModelError::Unsupported { .. } => {
                "name one that `interrogate models` lists, such as ViT-L-14/openai".to_owned()
            }
            ModelError::CaptionerUnknown { known, .. } => format!(
                "a captioner is a folder that exists, a hub id owner/name, or one of {}",
                known.join(", ")
            ),
            ModelError::TaggerUnknown { known, .. } => format!(
                "a tagger is a folder that exists, a hub id owner/name, or one of {}",
                known.join(", ")
            ),
            ModelError::StarterMissing => {
                "set Options::starter to the folder of its files, build from the repository with the feature starter, or name another model"
                    .to_owned()
            }
            ModelError::StarterFile { .. } => {
                "copy the files of crates/interrogate/weights of this version again; the starter's folder needs its .safetensors files and tokenizer.json"
                    .to_owned()
            }
        }
    }
}
