//! The cards of the report.

use std::path::Path;

use interrogate::index::Index;
use interrogate::models::Model;
use interrogate::prompt::Mode;

use super::plan::WrittenPrompt;
use crate::error::CliError;
use crate::logger;
use crate::report::{Answer, Card, Heading, Report};

/// The score that fills a bar if the model does not have scores up to 1: CLIP's cosines of
/// an image and a text stay below 0.4.
const CLIP_SCALE: f32 = 0.4;

/// Creates the report at `path`.
pub(super) fn create(
    path: &Path,
    model: &Model,
    index: &Index,
    mode: Mode,
) -> Result<Report, CliError> {
    let heading = Heading {
        model: &model.id(),
        index: &index.path().to_string_lossy(),
        mode: mode.name(),
        tables: index.tables().iter().map(|table| (table.name(), table.len())).collect(),
        // A model with its own lowest score has scores of another range than CLIP's.
        scale: if model.min_score().is_some() { 1.0 } else { CLIP_SCALE },
        notice: model.notice(),
    };
    Report::create(path, &heading)
}

/// Adds the card of `image`: its prompt and labels, or its error.
pub(super) fn add(
    report: &mut Report,
    image: &str,
    mode: Mode,
    result: &interrogate::Result<WrittenPrompt<'_>>,
) -> Result<(), CliError> {
    let written = match result {
        Ok(written) => written,
        Err(error) => {
            let error = logger::with_causes(error);
            return report.add(&Card { image, thumbnail: None, result: Err(&error) });
        }
    };
    let tables = written.picks.iter().map(|pick| {
        (pick.table, pick.matches.iter().map(|found| (found.label, found.score)).collect())
    });
    let answer = Answer {
        caption: written.prompt.caption.as_deref(),
        prompt: &written.text,
        mode: mode.name(),
        tables: tables.collect(),
    };
    report.add(&Card { image, thumbnail: written.thumbnail.as_ref(), result: Ok(answer) })
}
