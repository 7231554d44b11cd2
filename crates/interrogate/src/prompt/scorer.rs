//! The score of a growing prompt against an image.

use super::fit::TokenBudget;
use super::part::SEPARATOR;
use crate::Result;
use crate::encoder::{Continuations, Features, TextEncoder};
use crate::error::RowsError;

/// Scores the prompts of a chain against an image.
pub trait Scorer {
    /// Returns the score of `"{prompt}, {phrase}"` for each of `phrases`, in order; of
    /// the phrase alone if the prompt is empty.
    ///
    /// # Errors
    /// The errors of the model.
    fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>>;

    /// Returns whether `prompt` fills the model's context, so that the model would not
    /// read a token that follows.
    ///
    /// # Errors
    /// The errors of the model.
    fn is_full(&self, prompt: &str) -> Result<bool>;

    /// Returns whether the model reads `prompt` without truncation. The default is true.
    ///
    /// # Errors
    /// The errors of the model.
    fn fits(&self, _prompt: &str) -> Result<bool> {
        Ok(true)
    }

    /// Returns the maximum number of phrases after `prompt` in one call of
    /// [`score`](Self::score). A chain can be interrupted between calls. The default is
    /// no limit.
    ///
    /// # Errors
    /// The errors of the model.
    fn block(&self, _prompt: &str) -> Result<usize> {
        Ok(usize::MAX)
    }
}

/// The number of tokens of a block per thread: a fraction of a second for the text tower
/// of ViT-L/14, and enough rows for matrix products at full speed.
const BLOCK_TOKENS: usize = 512;

/// The approximate number of tokens of a phrase and the comma before it.
const PHRASE_TOKENS: usize = 6;

/// A [`Scorer`] over a text encoder: the cosine of an image's features with the embedding
/// of each prompt.
///
/// With CLIP, the KV cache of the prompt is kept from step to step and the phrases form a
/// trie below it, so a step costs the phrases' own tokens ([`Continuations`]). The scores
/// are bit for bit those of the whole strings.
pub struct ChainScorer<'a> {
    encoder: &'a dyn TextEncoder,
    continuations: Option<Box<dyn Continuations + 'a>>,
    features: &'a Features,
    budget: Option<TokenBudget<'a>>,
}

impl<'a> ChainScorer<'a> {
    /// Creates a scorer of `encoder`'s texts against `features` of the same model.
    pub fn new(encoder: &'a dyn TextEncoder, features: &'a Features) -> Self {
        ChainScorer { encoder, continuations: encoder.continuations(), features, budget: None }
    }

    /// Sets the token limit of prompts, for [`fits`](Scorer::fits) and
    /// [`is_full`](Scorer::is_full).
    #[must_use]
    pub fn within(self, budget: TokenBudget<'a>) -> Self {
        ChainScorer { budget: Some(budget), ..self }
    }
}

impl Scorer for ChainScorer<'_> {
    /// # Errors
    /// [`RowsError::Dim`] if the features are of another width, and the errors of
    /// [`TextEncoder::encode`].
    fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>> {
        let (expected, found) = (self.encoder.dim(), self.features.dim());
        if expected != found {
            return Err(crate::Error::Rows(RowsError::Dim {
                what: "the features",
                expected,
                found,
            }));
        }
        let separator = if prompt.is_empty() { "" } else { SEPARATOR };
        let joined = |before: &str| -> Vec<String> {
            phrases.iter().map(|phrase| [before, separator, phrase].concat()).collect()
        };
        let texts = joined(if self.continuations.is_some() { "" } else { prompt });
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows = match &mut self.continuations {
            Some(continuations) => continuations.embed(prompt, &texts)?,
            None => self.encoder.encode(&texts)?,
        };
        Ok(rows.rows().map(|row| dot(row, self.features.as_slice())).collect())
    }

    fn fits(&self, prompt: &str) -> Result<bool> {
        self.budget.map_or(Ok(true), |budget| budget.fits(prompt))
    }

    /// Counts the tokens to compute: the phrases' own with a KV cache, those of whole
    /// prompts without.
    fn block(&self, prompt: &str) -> Result<usize> {
        let before = match self.continuations {
            Some(_) => 0,
            None => self.encoder.tokenize(&[prompt])?.total(),
        };
        Ok(BLOCK_TOKENS * rayon::current_num_threads() / (before + PHRASE_TOKENS))
    }

    fn is_full(&self, prompt: &str) -> Result<bool> {
        if let Some(budget) = self.budget {
            return budget.is_full(prompt);
        }
        let tokens = self.encoder.tokenize(&[prompt])?;
        Ok(tokens.total() >= self.encoder.context_length())
    }
}

/// Returns the dot product, summed in f64 in order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32
}
