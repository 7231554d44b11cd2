//! Captioners and text generation.

use std::path::PathBuf;

use super::words::gib;

/// A caption cannot be generated.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CaptionError {
    /// The folder holds a model of another kind than BLIP, BLIP-2, GIT and Florence-2.
    #[error("{}: model_type is {found:?}, expected \"blip\", \"blip-2\", \"git\" or \"florence2\"", path.display())]
    ModelType {
        /// Its config.json.
        path: PathBuf,
        /// The `model_type` there.
        found: String,
    },
    /// The weights exceed the free memory.
    #[error("{}: needs {} of memory, {} are free", path.display(), gib(*needed), gib(*available))]
    MemoryTooSmall {
        /// The model's folder.
        path: PathBuf,
        /// Bytes of the weights in the requested precision.
        needed: u64,
        /// Bytes that the system can give without swapping.
        available: u64,
    },
    /// An option of text generation is out of its range.
    #[error("{option} is {found}, expected {expected}")]
    Generation {
        /// The option's name.
        option: &'static str,
        /// The valid range.
        expected: String,
        /// The given value.
        found: String,
    },
    /// The language model's logits are not numbers: its weights are broken, or
    /// overflow.
    #[error("the language model's scores for image {image} are not numbers")]
    Logits {
        /// The image in the batch, from 0.
        image: usize,
    },
}

impl CaptionError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            CaptionError::ModelType { .. } => {
                "name a folder of BLIP, BLIP-2, GIT or Florence-2, or a short name: `interrogate models --captioners` lists them, such as blip-base"
            }
            CaptionError::MemoryTooSmall { .. } => {
                "close other programs, use a smaller precision (f16 or q8), or use a smaller model: blip-base needs 1 GiB in f32"
            }
            CaptionError::Generation { option, .. } => match *option {
                "num_beams" => "one beam is greedy search, 3 to 6 are usual",
                "max_new_tokens" => {
                    "lengths count generated tokens: lower max_new_tokens, or shorten the prompt's prefix"
                }
                "min_new_tokens" => "lower min_new_tokens or raise max_new_tokens",
                "task" => "leave out the task; florence2-base and florence2-large have tasks",
                "prompt" => {
                    "leave out the prefix; florence2-base has tasks: caption, detailed, more-detailed"
                }
                "sampling" => "leave out temperature, top-p and seed, or search with one beam",
                _ => "leave the option out for its default",
            },
            CaptionError::Logits { .. } => {
                "values of f16 end at 65,504: load the model in bf16 or f32; if those fail too, download its weights again"
            }
        }
    }
}
