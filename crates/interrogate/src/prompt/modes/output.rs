//! The prompt that a mode writes.

use super::Mode;
use crate::prompt::part::{Part, join};

/// The prompt that a mode writes.
#[derive(Clone, Debug, PartialEq)]
pub struct ModeOutput {
    /// The text.
    pub text: String,
    /// The parts of the text, in order.
    pub parts: Vec<Part>,
    /// The cosine of the whole text with the image, if the mode computes it.
    pub score: Option<f32>,
    /// The candidate that [`Mode::Best`] chose: `Caption`, `Classic`, `Fast`, or `Best`
    /// for the chain.
    pub chosen: Option<Mode>,
}

impl ModeOutput {
    /// Joins `parts` to a prompt without a score.
    pub(in crate::prompt) fn unscored(parts: Vec<Part>) -> Self {
        ModeOutput { text: join(&parts), parts, score: None, chosen: None }
    }
}
