//! The result of a batch.

use std::path::PathBuf;

use super::ZERO_SHOT;
use crate::Error;

/// The result of one batch of images.
#[derive(Debug)]
pub struct BatchResult {
    /// The images' file names without folder and extension, in the order of the output.
    pub ids: Vec<String>,
    /// The task's output, one for each of `ids`.
    pub output: TaskOutput,
    /// Images that could not be decoded, and why.
    pub failed: Vec<(PathBuf, Error)>,
}

/// The output of a task, one value per image, in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutput {
    /// Captions or prompts.
    Prompts(Vec<String>),
    /// Sentence embeddings of unit length.
    Embeddings {
        /// The embedded texts.
        prompts: Vec<String>,
        /// Values in a row: 384 for MiniLM.
        dim: usize,
        /// The rows (images, dim), concatenated.
        values: Vec<f32>,
    },
    /// The probability of each label of [`ZERO_SHOT`]; each row sums to 1.
    Scores(Vec<[f32; ZERO_SHOT.len()]>),
    /// Width and height.
    Sizes(Vec<(u32, u32)>),
    /// The labels of a dictionary, independent of the images.
    Labels(Vec<String>),
}

impl BatchResult {
    /// An output that belongs to no image.
    pub(super) fn without_images(output: TaskOutput) -> Self {
        BatchResult { ids: Vec::new(), output, failed: Vec::new() }
    }
}
