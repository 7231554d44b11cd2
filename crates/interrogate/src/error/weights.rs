//! Files of weights: safetensors and PyTorch archives.

use std::path::PathBuf;

use super::words::{count, first_names};

/// A file of weights is invalid or does not fit its configuration.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A weight of the architecture is missing: the checkpoint is incomplete or of
    /// another architecture.
    #[error("{}: no weight named {name}", path.display())]
    Missing {
        /// The file of weights.
        path: PathBuf,
        /// The weight's name in the checkpoint.
        name: String,
    },
    /// The file has weights that the architecture does not.
    #[error("{}: {} more than the architecture has: {}", path.display(), count(names.len(), "weight"), first_names(names))]
    Surplus {
        /// The file of weights.
        path: PathBuf,
        /// The names, sorted.
        names: Vec<String>,
    },
    /// A weight's shape disagrees with the configuration.
    #[error("{}: {name}: expected shape {expected:?}, found {found:?}", path.display())]
    Shape {
        /// The file of weights.
        path: PathBuf,
        /// The weight's name in the checkpoint.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// An archive's pickle is damaged, or holds more than tensors, dicts and modules.
    /// None of its code ran.
    #[error("{}: data.pkl at byte {offset}: expected {expected}, found {found}", path.display())]
    Pickle {
        /// The archive.
        path: PathBuf,
        /// The byte in data.pkl.
        offset: usize,
        /// What is valid there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file is a bare pickle, as PyTorch wrote before 1.6, not an archive of tensors.
    #[error("{}: unsupported: a pickle without an archive", path.display())]
    BarePickle {
        /// The pickle.
        path: PathBuf,
    },
    /// An index of shards names a file that does not exist: the download is incomplete.
    #[error("{}: no such file, though {} names it", path.display(), index.display())]
    ShardMissing {
        /// The missing file.
        path: PathBuf,
        /// The index that names it.
        index: PathBuf,
    },
    /// The file is a Git LFS pointer; the file itself was not fetched.
    #[error("{}: a Git LFS pointer, not the file itself", path.display())]
    LfsPointer {
        /// The pointer.
        path: PathBuf,
    },
}

impl WeightsError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            WeightsError::Missing { .. }
            | WeightsError::Surplus { .. }
            | WeightsError::Shape { .. } => {
                "config.json and the weights are not of one checkpoint, or it is of another architecture; download the folder again"
            }
            WeightsError::Pickle { .. } => {
                "tensors, dicts and modules are read from an archive and none of its code runs; fetch it again, or save the model's state_dict() with torch.save"
            }
            WeightsError::BarePickle { .. } => {
                "use the checkpoint's safetensors revision, or load it and save it again with torch.save of PyTorch 1.6 or later"
            }
            WeightsError::ShardMissing { .. } => {
                "the download is incomplete; fetch the folder again"
            }
            WeightsError::LfsPointer { .. } => {
                "fetch the files themselves: git lfs install, then git lfs pull in the repository's folder"
            }
        }
    }
}
