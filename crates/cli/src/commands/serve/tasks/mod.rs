//! What the server computes from the features of images: one struct for each route, which is
//! also the route's options in JSON.

mod analyze;
mod embed;
mod prompt;
mod rank;

use std::ops::ControlFlow;

use interrogate::encoder::Features;
use interrogate::prompt::Step;
use interrogate::{Error, Result};
use serde::Serialize;

pub(super) use analyze::Analyze;
pub(super) use embed::Embed;
pub(super) use prompt::Prompt;
pub(super) use rank::Rank;

use super::clip::Clip;
use super::problem::Problem;
use crate::output::json_line;

/// The longest text of an option in bytes: prefixes, captions, templates.
const TEXT: usize = 16 << 10;

/// The largest number of labels of a table in a row.
const LABELS: usize = 1000;

/// A task with its options.
#[derive(Debug, PartialEq)]
pub(super) enum Task {
    Prompt(Prompt),
    Analyze(Analyze),
    Rank(Rank),
    Embed(Embed),
}

/// The images of a task, in order.
pub(super) struct Images<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) captions: Vec<Option<&'a str>>,
    pub(super) features: &'a [Features],
}

/// The result of one image as JSON: the line that the program writes.
pub(super) type Row = Box<str>;

/// Is called between the steps of a chain.
pub(super) type OnStep<'p> = dyn FnMut(Step<'_>) -> ControlFlow<()> + 'p;

impl Task {
    /// Whether the task takes seconds to minutes an image.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Task::Prompt(prompt) if prompt.mode.library().scores_texts())
    }

    /// Checks the options against the model and the index.
    ///
    /// # Errors
    /// Status 422.
    pub(super) fn check(&self, clip: &Clip) -> Result<(), Problem> {
        match self {
            Task::Prompt(prompt) => prompt.check(clip),
            Task::Analyze(analyze) => analyze.check(clip),
            Task::Rank(rank) => rank.check(clip),
            Task::Embed(_) => Ok(()),
        }
    }

    /// Returns the row of each image, in order. `on_step` is called by chains alone.
    ///
    /// # Errors
    /// Those of the library.
    pub(super) fn rows(
        &self,
        clip: &Clip,
        images: &Images<'_>,
        on_step: &mut OnStep<'_>,
    ) -> Result<Vec<Row>> {
        match self {
            Task::Prompt(prompt) => prompt.rows(clip, images, on_step),
            Task::Analyze(analyze) => analyze.rows(clip, images),
            Task::Rank(rank) => rank.rows(clip, images),
            Task::Embed(embed) => embed.rows(images),
        }
    }
}

/// Returns `row` as the program's `--format jsonl` writes it, without the line's end.
pub(super) fn row_json(row: &impl Serialize) -> Result<Row> {
    let line = json_line(row).ok().and_then(|line| String::from_utf8(line).ok());
    let line = line.ok_or_else(|| Error::mismatch("result", "row", "JSON", "another value"))?;
    Ok(line.trim_end_matches('\n').into())
}

/// Checks a number of labels.
///
/// # Errors
/// Status 422 for more than [`LABELS`], or for 0 if `least` is 1.
fn check_count(name: &str, count: usize, least: usize) -> Result<(), Problem> {
    if (least..=LABELS).contains(&count) {
        return Ok(());
    }
    Err(Problem::unprocessable(format!("{name}: expected {least} to {LABELS}, found {count}")))
}

/// Checks the length of a text.
///
/// # Errors
/// Status 422 for more than [`TEXT`] bytes.
pub(super) fn check_text(name: &str, text: &str) -> Result<(), Problem> {
    if text.len() <= TEXT {
        return Ok(());
    }
    let found = text.len();
    Err(Problem::unprocessable(format!("{name}: expected at most {TEXT} bytes, found {found}")))
}
