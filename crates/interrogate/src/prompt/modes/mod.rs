//! Ways to a prompt: the plain form, and clip-interrogator's.
//!
//! A [`Mode`] says which rankings it wants ([`PromptOptions::rankings`]) and writes one
//! image's prompt from them ([`PromptOptions::write`]). Between the two stand the tables,
//! which are somebody else's, so that many images go through them together and all
//! of this is tested without weights. The formulas are those of clip-interrogator
//! 0.6.0 (`interrogate_classic`, `interrogate_fast`, `interrogate`,
//! `interrogate_negative`); [`PromptOptions::compat`] copies even its errors.

mod best;
mod classic;
mod fast;
mod negative;
mod ranking;
mod seed;
#[cfg(test)]
mod tests;

pub use ranking::{RankingRequest, TableEntry};

use super::fit::TokenBudget;
use super::part::{Part, join};
use super::{Pick, Progress, Scorer};
use crate::{Error, Result};

/// A way to a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Caption, one medium, one movement, three flavors.
    #[default]
    Seed,
    /// Caption, medium and artist, trending site, movement, three flavors.
    Classic,
    /// Caption, and the 32 best labels of all tables.
    Fast,
    /// The best of the caption, classic with 32 flavors, fast, and a chain that
    /// grows from the caption as long as it fits the image better.
    Best,
    /// What the image is not: a chain of what fits it least.
    Negative,
    /// The caption alone.
    Caption,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 6] =
        [Mode::Seed, Mode::Classic, Mode::Fast, Mode::Best, Mode::Negative, Mode::Caption];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Seed => "seed",
            Mode::Classic => "classic",
            Mode::Fast => "fast",
            Mode::Best => "best",
            Mode::Negative => "negative",
            Mode::Caption => "caption",
        }
    }

    /// Whether it scores texts that stand in no table, which takes the model's text
    /// tower.
    pub fn scores_texts(self) -> bool {
        matches!(self, Mode::Best | Mode::Negative)
    }

    /// How many flavors it takes unless told.
    pub fn max_flavors(self) -> usize {
        match self {
            Mode::Seed | Mode::Classic => 3,
            Mode::Fast | Mode::Best | Mode::Negative => 32,
            Mode::Caption => 0,
        }
    }
}

/// What is asked for, the same for every image.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptOptions {
    /// The way to the prompt.
    pub mode: Mode,
    /// Flavors at most, phrases of a chain included.
    pub max_flavors: usize,
    /// Phrases that a chain takes whether or not they fit better.
    pub min_flavors: usize,
    /// Labels that a chain chooses from.
    pub candidates: usize,
    /// Labels of a table that score lower stay out of the text; the picks keep
    /// them. A chain decides by its own scores.
    pub min_score: Option<f32>,
    /// Whether to err where clip-interrogator does, so that prompts compare: a
    /// budget that forgets commas and lets a chain's last phrase go beyond it, and
    /// a negative chain whose first score has the wrong sign. (Its ranking is
    /// [`Rows::top_k_by_quota`](crate::rank::Rows::top_k_by_quota).)
    pub compat: bool,
}

impl PromptOptions {
    /// `mode` as it is unless told otherwise: 8 phrases of a chain at least, of
    /// 2,048 candidates.
    pub fn new(mode: Mode) -> Self {
        PromptOptions {
            mode,
            max_flavors: mode.max_flavors(),
            min_flavors: 8,
            candidates: 2048,
            min_score: None,
            compat: false,
        }
    }

    /// The rankings that it wants of `tables`, in the order in which [`write`] takes
    /// them.
    ///
    /// [`write`]: Self::write
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

    /// The parts of a caption; none where there is no caption.
    fn caption(&self, caption: Option<&str>) -> Vec<Part> {
        let split = if self.compat { Part::caption_with_empty } else { Part::caption };
        let parts = caption.map(split).unwrap_or_default();
        if parts.iter().all(|part| part.text.is_empty()) { Vec::new() } else { parts }
    }

    /// One image's prompt. Whatever the mode, it keeps to the budget, but for
    /// [`compat`](Self::compat).
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] where what must be in it does not fit,
    /// [`Error::Interrupted`] where the progress breaks, those of the scorer.
    pub fn write(&self, input: &mut ModeInput<'_, '_>) -> Result<ModeOutput> {
        let written = match self.mode {
            Mode::Seed => input.fitted(seed::parts(self, input), self),
            Mode::Classic => input.fitted(classic::parts(self, input.caption, input.picks), self),
            Mode::Fast => input.fitted(fast::parts(self, input.caption, input.picks), self),
            Mode::Caption => input.fitted(self.caption(input.caption), self),
            Mode::Best => best::write(self, input),
            Mode::Negative => negative::write(self, input),
        }?;
        match input.budget {
            Some(budget) if !self.compat => budget.check(&written.text)?,
            _ => {}
        }
        Ok(written)
    }
}

/// One image, as far as a mode looks at it.
pub struct ModeInput<'s, 'a> {
    /// Its caption.
    pub caption: Option<&'s str>,
    /// The rankings that were asked for, in that order.
    pub picks: &'s [Pick<'a>],
    /// The labels of the table `negative`.
    pub negative: &'s [&'a str],
    /// What every prompt begins with.
    pub before: &'s [Part],
    /// What every prompt ends with.
    pub after: &'s [Part],
    /// What the prompt must keep to, if it must.
    pub budget: Option<TokenBudget<'s>>,
    /// Scores texts against the image: for those modes that do.
    pub scorer: Option<&'s mut dyn Scorer>,
    /// Hears how far a chain has come, and may interrupt it.
    pub progress: &'s mut Progress<'s>,
}

/// A prompt as a mode wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModeOutput {
    /// The text.
    pub text: String,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// The whole text's cosine with the image, where the mode asks for it.
    pub score: Option<f32>,
    /// What a [`Mode::Best`] prompt was chosen from: `Caption`, `Classic`, `Fast`, or
    /// `Best` for the chain.
    pub chosen: Option<Mode>,
}

impl ModeInput<'_, '_> {
    /// `parts` between what stands around them, within the budget.
    fn fitted(&self, parts: Vec<Part>, options: &PromptOptions) -> Result<ModeOutput> {
        match self.budget {
            None => Ok(self.whole(&parts)),
            Some(budget) if !options.compat => {
                Ok(written(budget.fit(self.before, parts, self.after)?))
            }
            Some(budget) => {
                let ModeOutput { mut parts, text, .. } = self.whole(&parts);
                let text = budget.fit_compat(&text)?;
                while join(&parts).len() > text.len() {
                    parts.pop();
                }
                Ok(ModeOutput { text, ..written(parts) })
            }
        }
    }

    /// `parts` between what stands around them, however long that is.
    fn whole(&self, parts: &[Part]) -> ModeOutput {
        written([self.before, parts, self.after].concat())
    }

    /// The [`fitted`](Self::fitted) `parts` without what stands behind them, for a
    /// chain to grow from; as they are in the mode that errs as clip-interrogator does.
    fn start(&self, parts: Vec<Part>, options: &PromptOptions) -> Result<Vec<Part>> {
        let mut parts = match options.compat {
            true => self.whole(&parts).parts,
            false => self.fitted(parts, options)?.parts,
        };
        parts.truncate(parts.len().saturating_sub(self.after.len()));
        Ok(parts)
    }

    /// `parts`, which begin with what every prompt begins with and which a chain has
    /// grown, with what stands behind.
    fn grown(&self, parts: &[Part], options: &PromptOptions) -> Result<ModeOutput> {
        let own = parts.get(self.before.len()..).unwrap_or_default();
        if options.compat { Ok(self.whole(own)) } else { self.fitted(own.to_vec(), options) }
    }

    /// The scorer of a mode that needs one.
    fn scorer(&mut self) -> Result<&mut dyn Scorer> {
        match &mut self.scorer {
            Some(scorer) => Ok(&mut **scorer),
            None => Err(Error::ScorerMissing),
        }
    }
}

/// A prompt of `parts` that nobody has scored.
fn written(parts: Vec<Part>) -> ModeOutput {
    ModeOutput { text: join(&parts), parts, score: None, chosen: None }
}
