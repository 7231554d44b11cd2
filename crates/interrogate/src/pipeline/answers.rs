//! What a run gives back.

use std::path::PathBuf;

use super::ZERO_SHOT;
use crate::Error;

/// The answers for some images.
#[derive(Debug)]
pub struct Executed {
    /// The images' names without folder and ending, in the order of the answers.
    pub ids: Vec<String>,
    /// An answer each.
    pub answers: Answers,
    /// Images that could not be decoded, and why.
    pub failed: Vec<(PathBuf, Error)>,
}

/// The answers of one task, one an image, in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Captions or prompts.
    Prompts(Vec<String>),
    /// Sentence embeddings of unit length.
    Embeddings {
        /// What was embedded.
        prompts: Vec<String>,
        /// Values in a row: 384 for MiniLM.
        dim: usize,
        /// The rows (images, dim), flat.
        values: Vec<f32>,
    },
    /// The probability of each label of [`ZERO_SHOT`], which sum to 1.
    Scores(Vec<[f32; ZERO_SHOT.len()]>),
    /// Width and height.
    Sizes(Vec<(u32, u32)>),
    /// Labels of a dictionary; no image is looked at.
    Labels(Vec<String>),
}

impl Executed {
    /// Answers that belong to no image.
    pub(super) fn of(answers: Answers) -> Self {
        Executed { ids: Vec::new(), answers, failed: Vec::new() }
    }
}
