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
            // ---- caption ----
            Error::CaptionModel { .. } => {
                "name a folder of BLIP or BLIP-2: blip-base, blip-large, blip2-2.7b or blip2-flan-t5-xl"
            }
            Error::ShardMissing { .. } => "the download is not complete; fetch the folder again",
            Error::Pickled { .. } => {
                "take the checkpoint's safetensors revision, or load it with transformers and save_pretrained it"
            }
            Error::Vocabulary { .. } => {
                "take tokenizer.json from the folder that the weights are from"
            }
            Error::MemoryTooSmall { .. } => {
                "close other programs, ask for f16 weights, or take a smaller model: blip-base needs 1 GiB"
            }
            Error::Scores { .. } => "load the model in f32, or download its weights again",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
