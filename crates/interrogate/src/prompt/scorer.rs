//! How well a prompt fits an image, for prompts that grow.

use super::fit::TokenBudget;
use super::part::SEPARATOR;
use crate::Result;
use crate::encoder::{Continuations, Features, TextEncoder};

/// Scores the prompts that a chain may go on with.
pub trait Scorer {
    /// The score of `"{prompt}, {phrase}"` for each of `phrases`, in their order;
    /// of the phrases alone where the prompt is empty.
    ///
    /// # Errors
    /// What the model says.
    fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>>;

    /// Whether `prompt` fills the model's context, so that nothing that follows
    /// would be seen.
    ///
    /// # Errors
    /// What the model says.
    fn is_full(&self, prompt: &str) -> Result<bool>;

    /// Whether all of `prompt` would be seen. Unless a scorer knows, it would.
    ///
    /// # Errors
    /// What the model says.
    fn fits(&self, _prompt: &str) -> Result<bool> {
        Ok(true)
    }

    /// How many phrases behind `prompt` [`score`](Self::score) is given at once, so
    /// that a chain can be interrupted in between. All of them unless a scorer knows
    /// what they cost.
    ///
    /// # Errors
    /// What the model says.
    fn block(&self, _prompt: &str) -> Result<usize> {
        Ok(usize::MAX)
    }
}

/// Tokens that a block of phrases gives each thread: a fraction of a second for the
/// text tower of ViT-L/14, and enough rows for products at full speed.
const BLOCK_TOKENS: usize = 512;

/// Tokens of a phrase and the comma before it, about.
const PHRASE_TOKENS: usize = 6;

/// Scores by a model's texts: the cosine of an image's features with each
/// prompt's embedding.
///
/// With CLIP the prompt's own keys and values are kept from step to step, and the
/// phrases hang from it as a trie: a step costs the phrases' own tokens
/// ([`Continuations`]). The scores are those of the whole strings, bit for bit.
pub struct ChainScorer<'a> {
    encoder: &'a dyn TextEncoder,
    continuations: Option<Box<dyn Continuations + 'a>>,
    features: &'a Features,
    budget: Option<TokenBudget<'a>>,
}

impl<'a> ChainScorer<'a> {
    /// Scores texts of `encoder` against `features` of the same model.
    pub fn new(encoder: &'a dyn TextEncoder, features: &'a Features) -> Self {
        ChainScorer { encoder, continuations: encoder.continuations(), features, budget: None }
    }

    /// The same for prompts that are to keep to `budget`.
    #[must_use]
    pub fn within(self, budget: TokenBudget<'a>) -> Self {
        ChainScorer { budget: Some(budget), ..self }
    }
}

impl Scorer for ChainScorer<'_> {
    /// # Errors
    /// [`crate::Error::Dim`] where the features are another model's, and those of
    /// [`TextEncoder::encode`].
    fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>> {
        let (expected, found) = (self.encoder.dim(), self.features.dim());
        if expected != found {
            return Err(crate::Error::Dim { what: "the features", expected, found });
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

    /// By the tokens that are computed: the phrases' own, or whole prompts where the
    /// model keeps nothing of the text before.
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

/// The dot product, summed in f64 in the order of the values.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32
}
