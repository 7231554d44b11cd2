//! The input of a mode, and the prefix, suffix and token limit around its parts.

use super::ModeOutput;
use crate::error::PromptError;
use crate::prompt::fit::TokenBudget;
use crate::prompt::part::{Part, join};
use crate::prompt::{Pick, Progress, Scorer};
use crate::{Error, Result};

/// The input from which a mode writes the prompt of one image.
pub struct ModeInput<'s, 'a> {
    /// The image's caption.
    pub caption: Option<&'s str>,
    /// The results of the mode's [rankings](super::PromptOptions::rankings), in order.
    pub picks: &'s [Pick<'a>],
    /// The labels of the table `negative`.
    pub negative: &'s [&'a str],
    /// The start of every prompt.
    pub before: &'s [Part],
    /// The end of every prompt.
    pub after: &'s [Part],
    /// The token limit, if there is one.
    pub budget: Option<TokenBudget<'s>>,
    /// Scores texts against the image, for the modes that need it.
    pub scorer: Option<&'s mut dyn Scorer>,
    /// Called with the progress of a chain; may interrupt it.
    pub progress: &'s mut Progress<'s>,
}

impl ModeInput<'_, '_> {
    /// Puts `parts` between prefix and suffix, within the token limit.
    pub(super) fn fit(&self, parts: Vec<Part>, compat: bool) -> Result<ModeOutput> {
        match self.budget {
            None => Ok(self.surround(&parts)),
            Some(budget) if !compat => {
                Ok(ModeOutput::unscored(budget.fit(self.before, parts, self.after)?))
            }
            Some(budget) => {
                let ModeOutput { mut parts, text, .. } = self.surround(&parts);
                let text = budget.fit_compat(&text)?;
                while join(&parts).len() > text.len() {
                    parts.pop();
                }
                Ok(ModeOutput { text, ..ModeOutput::unscored(parts) })
            }
        }
    }

    /// Puts `parts` between prefix and suffix, without a limit.
    pub(super) fn surround(&self, parts: &[Part]) -> ModeOutput {
        ModeOutput::unscored([self.before, parts, self.after].concat())
    }

    /// Returns the start of a chain: the prefix and `parts`, cut so that the suffix fits
    /// too, but without it. With `compat` nothing is cut.
    pub(super) fn chain_start(&self, parts: Vec<Part>, compat: bool) -> Result<Vec<Part>> {
        let mut parts =
            if compat { self.surround(&parts).parts } else { self.fit(parts, compat)?.parts };
        parts.truncate(parts.len().saturating_sub(self.after.len()));
        Ok(parts)
    }

    /// Returns the prompt of a finished chain: its `parts`, which begin with the prefix,
    /// and the suffix.
    pub(super) fn chain_output(&self, parts: &[Part], compat: bool) -> Result<ModeOutput> {
        let own = parts.get(self.before.len()..).unwrap_or_default();
        if compat { Ok(self.surround(own)) } else { self.fit(own.to_vec(), compat) }
    }

    /// Returns the scorer.
    ///
    /// # Errors
    /// [`PromptError::ScorerMissing`].
    pub(super) fn scorer(&mut self) -> Result<&mut dyn Scorer> {
        match &mut self.scorer {
            Some(scorer) => Ok(&mut **scorer),
            None => Err(Error::Prompt(PromptError::ScorerMissing)),
        }
    }
}
