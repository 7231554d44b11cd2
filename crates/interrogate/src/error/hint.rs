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
            Error::ModelName { .. } => {
                "a model is starter, a checkpoint's folder, a hub id such as openai/clip-vit-base-patch32, or an open_clip name such as ViT-L-14/openai"
            }
            Error::NoStarter => {
                "build with the feature starter, or name a checkpoint's folder or a hub id"
            }
            // ---- index ----
            Error::IndexMissing { .. } => "build one: build-index dicts -o indexes",
            Error::IndexUnfinished { .. } => {
                "run the same build-index command again; it goes on where it stopped"
            }
            Error::IndexVersion { .. } => {
                "build the index again with this release, or read it with the one that wrote it"
            }
            Error::IndexModel { .. } => {
                "name the model that the index was built with, or build an index for this one"
            }
            Error::IndexDamaged { .. } => {
                "build the index again: build-index checks the rows it keeps and encodes the rest"
            }
            Error::TableMissing { tables, .. } => {
                return Some(format!("its tables are {}", tables.join(", ")));
            }

            Error::FileMissing { .. } => {
                "a checkpoint's folder holds config.json, preprocessor_config.json, model.safetensors (or its index and shards), and tokenizer.json (or vocab.json and merges.txt); download what is missing"
            }
            Error::TokenSequence { .. } => "tokenize with the encoder that embeds",

            Error::Block { .. } => {
                "the rows are damaged or of another model; build the index again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
