//! Prompt modes: the plain form, and clip-interrogator's.
//!
//! A mode is two pure functions: [`PromptOptions::rankings`] lists the rankings it needs,
//! and [`PromptOptions::write`] writes one image's prompt from their results. The caller
//! ranks in between, for many images at once, and everything here is tested without
//! weights. The formulas are those of clip-interrogator 0.6.0 (`interrogate_classic`,
//! `interrogate_fast`, `interrogate`, `interrogate_negative`); [`PromptOptions::compat`]
//! reproduces its bugs too.

mod best;
mod classic;
mod fast;
mod input;
mod mode;
mod negative;
mod output;
mod ranking;
mod seed;
#[cfg(doc)]
use crate::error::PromptError;

#[cfg(test)]
mod tests;

pub use input::ModeInput;
pub use mode::Mode;
pub use output::ModeOutput;
pub use ranking::{RankingRequest, TableEntry};

use super::part::Part;
#[cfg(doc)]
use crate::Error;
use crate::Result;

/// A mode and its settings, the same for every image.
///
/// ```
/// use interrogate::prompt::Mode;
/// use interrogate::prompt::modes::{PromptOptions, TableEntry};
///
/// let options = PromptOptions { max_flavors: 5, ..PromptOptions::new(Mode::Seed) };
/// let table = |name: &str| TableEntry { name: name.into(), top: None, explicit: false };
/// let rankings = options.rankings(&[table("flavors"), table("mediums")]);
/// let counts: Vec<_> = rankings.iter().map(|r| (r.tables[0].as_str(), r.count)).collect();
/// assert_eq!(counts, [("mediums", 1), ("flavors", 5)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PromptOptions {
    /// The mode.
    pub mode: Mode,
    /// The maximum number of flavors, or of phrases that a chain adds.
    pub max_flavors: usize,
    /// The number of phrases that a chain adds even if the score does not improve.
    pub min_flavors: usize,
    /// The number of labels that a chain chooses from.
    pub candidates: usize,
    /// The number of rows that clip-interrogator ranks at once. It changes the ranking, and is
    /// used with [`compat`](Self::compat) alone.
    pub chunk_size: usize,
    /// The lowest score of a label in the text; the picks keep labels below it. Chains use
    /// their own scores instead.
    pub min_score: Option<f32>,
    /// Whether to reproduce clip-interrogator's bugs, so that prompts can be compared: a
    /// token limit that does not count commas and that a chain's last phrase may exceed,
    /// and a negative chain whose first score has the wrong sign. (Its ranking is
    /// [`Rows::top_k_by_quota`](crate::rank::Rows::top_k_by_quota).)
    pub compat: bool,
}

impl PromptOptions {
    /// Returns the defaults of `mode`: chains add at least 8 phrases, out of 2,048
    /// candidates.
    pub fn new(mode: Mode) -> Self {
        PromptOptions {
            mode,
            max_flavors: mode.max_flavors(),
            min_flavors: 8,
            candidates: 2048,
            chunk_size: 2048,
            min_score: None,
            compat: false,
        }
    }

    /// Returns the rankings of `tables` that the mode needs, in the order in which
    /// [`write`](Self::write) expects their results.
    pub fn rankings(&self, tables: &[TableEntry]) -> Vec<RankingRequest> {
        match self.mode {
            Mode::Seed => seed::rankings(tables, self.max_flavors),
            Mode::Classic => classic::rankings(tables, self.max_flavors),
            Mode::Fast => vec![RankingRequest::merged(tables, self.max_flavors)],
            Mode::Best => best::rankings(tables, self),
            Mode::Negative => vec![negative::ranking(tables, self.candidates)],
            Mode::Caption => Vec::new(),
        }
    }

    /// Returns the parts of a caption; empty if there is no caption.
    fn caption(&self, caption: Option<&str>) -> Vec<Part> {
        let split = if self.compat { Part::caption_with_empty } else { Part::caption };
        let parts = caption.map(split).unwrap_or_default();
        if parts.iter().all(|part| part.text.is_empty()) { Vec::new() } else { parts }
    }

    /// Writes one image's prompt. It is within the token limit, except with
    /// [`compat`](Self::compat).
    ///
    /// # Errors
    /// [`PromptError::TooLong`] if the required parts do not fit, [`Error::Interrupted`] if
    /// the progress callback breaks, and the errors of the scorer.
    pub fn write(&self, input: &mut ModeInput<'_, '_>) -> Result<ModeOutput> {
        let (caption, picks, compat) = (input.caption, input.picks, self.compat);
        let output = match self.mode {
            Mode::Seed => input.fit(seed::parts(self, caption, picks), compat),
            Mode::Classic => input.fit(classic::parts(self, caption, picks), compat),
            Mode::Fast => input.fit(fast::parts(self, caption, picks), compat),
            Mode::Caption => input.fit(self.caption(caption), compat),
            Mode::Best => best::write(self, input),
            Mode::Negative => negative::write(self, input),
        }?;
        match input.budget {
            Some(budget) if !compat => budget.check(&output.text)?,
            _ => {}
        }
        Ok(output)
    }
}
