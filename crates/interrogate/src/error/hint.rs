//! What a person can do about an error, in words for a `hint:` line.

use super::Error;

impl Error {
    /// What to try next, one sentence without a full stop; `None` where the
    /// message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => {
                    "check the spelling; relative paths start at the working folder"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "you lack the permission; choose another folder or change its mode"
                }
                std::io::ErrorKind::StorageFull => {
                    "the disk is full; free some space and run the same command again"
                }
                _ => return None,
            },
            Error::WeightMissing { .. }
            | Error::WeightSurplus { .. }
            | Error::WeightShape { .. } => {
                "config.json and the weights are not of one checkpoint, or it is of another architecture; download the folder again"
            }
            Error::Tokenizer { .. } => {
                "download the checkpoint's tokenizer.json, or vocab.json and merges.txt, again"
            }
            Error::Dim { .. } => {
                "use the model that the index was built with, or build the index again"
            }
            Error::Block { .. } => {
                "the rows are damaged or of another model; build the index again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
