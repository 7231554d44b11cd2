//! Fills in a template, within a token budget.

use super::Template;
use super::field::Field;
#[cfg(doc)]
use crate::Error;
use crate::Result;
#[cfg(doc)]
use crate::error::{CheckpointError, PromptError};
use crate::prompt::Prompt;
use crate::prompt::fit::{TokenBudget, first_words, largest_that_fits};
use crate::prompt::part::{Part, SEPARATOR, join};

impl Template {
    /// Returns the text of `prompt` in this form. Labels that score below `min_score` are
    /// left out; a field for which the prompt has no pick is empty.
    pub fn render(&self, prompt: &Prompt<'_>, min_score: Option<f32>) -> String {
        self.fill(prompt, min_score, usize::MAX, prompt.caption.as_deref()).0
    }

    /// Renders the prompt between `before` and `after`, within `budget`.
    ///
    /// Writes as many labels as fit, leaving out the labels of the last fields first. If
    /// no label fits, the caption is cut to its first words. The template's own text is
    /// never cut.
    ///
    /// # Errors
    /// [`PromptError::TooLong`] if the template's own text does not fit,
    /// [`CheckpointError::Tokenizer`].
    pub fn render_within(
        &self,
        prompt: &Prompt<'_>,
        min_score: Option<f32>,
        [before, after]: [&[Part]; 2],
        budget: Option<TokenBudget<'_>>,
    ) -> Result<String> {
        let caption = prompt.caption.as_deref().unwrap_or_default();
        let whole = |labels: usize, caption: &str| {
            let (text, count) = self.fill(prompt, min_score, labels, Some(caption));
            (join(&[before, &[Part::words(&text)], after].concat()), count)
        };
        let (text, labels) = whole(usize::MAX, caption);
        let Some(budget) = budget else { return Ok(text) };
        if budget.fits(&text)? {
            return Ok(text);
        }
        let labels = largest_that_fits(labels, |labels| budget.fits(&whole(labels, caption).0))?;
        let (mut text, _) = whole(labels, caption);
        if !budget.fits(&text)? {
            let caption = first_words(caption, |caption| budget.fits(&whole(0, caption).0))?;
            text = whole(0, caption).0;
        }
        budget.check(&text)?;
        Ok(text)
    }

    /// Returns the text with `caption` and at most `max_labels` labels, and the number of
    /// labels in it.
    fn fill(
        &self,
        prompt: &Prompt<'_>,
        min_score: Option<f32>,
        max_labels: usize,
        caption: Option<&str>,
    ) -> (String, usize) {
        let (mut text, mut labels) = (self.lead.clone(), 0);
        let mut is_first = true;
        let mut separator = "";
        for (name, after) in &self.fields {
            let mut best = |table: &str, count: usize| {
                let best = best_labels(prompt, table, min_score, count, max_labels - labels);
                labels += best.len();
                best.join(SEPARATOR)
            };
            let value = match Field::find(name, prompt.picks.iter().map(|pick| pick.table)) {
                Some(Field::Caption) => caption.unwrap_or_default().to_owned(),
                Some(Field::All(table)) => best(table, usize::MAX),
                Some(Field::Best(table)) => best(table, 1),
                None => String::new(),
            };
            if !value.is_empty() {
                if !is_first {
                    text.push_str(separator);
                }
                text.push_str(&value);
                is_first = false;
            }
            separator = after;
        }
        text.push_str(separator);
        (text, labels)
    }
}

/// Returns those of the best `count` labels of `table` that reach `min_score`, at most
/// `max_labels`.
fn best_labels<'p>(
    prompt: &'p Prompt<'_>,
    table: &str,
    min_score: Option<f32>,
    count: usize,
    max_labels: usize,
) -> Vec<&'p str> {
    let is_enough = |score: f32| min_score.is_none_or(|least| score >= least);
    let matches = prompt.picked(table).iter().take(count).filter(|found| is_enough(found.score));
    matches.map(|found| found.label).take(max_labels).collect()
}
