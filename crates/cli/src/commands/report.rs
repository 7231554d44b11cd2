//! The report of `prompt` and `analyze`: its heading and its cards.

use std::path::Path;

use interrogate::index::TableRef;
use interrogate::models::Model;
use interrogate::prompt::Pick;

use crate::error::CliError;
use crate::interrupt;
use crate::logger::{self, Logger};
use crate::report::{Answer, Card, Heading, Report, Thumbnail};

/// The score that fills a bar if the model does not have scores up to 1: CLIP's cosines of
/// an image and a text stay below 0.4.
const CLIP_SCALE: f32 = 0.4;

/// The results of one image.
pub(super) struct CardResult<'a> {
    pub(super) caption: Option<&'a str>,
    /// The prompt as it is written; `None` if the command writes none.
    pub(super) prompt: Option<&'a str>,
    pub(super) thumbnail: Option<&'a Thumbnail>,
    /// The best labels of each table.
    pub(super) picks: &'a [Pick<'a>],
}

/// Creates the report at `path` of the mode or the command `mode`, over the `tables` of the index
/// in the folder `index`.
pub(super) fn create(
    path: &Path,
    model: &Model,
    (index, tables): (&Path, &[TableRef<'_>]),
    mode: &str,
) -> Result<Report, CliError> {
    let heading = Heading {
        model: &model.id(),
        index: &index.to_string_lossy(),
        mode,
        tables: tables.iter().map(|table| (table.name(), table.len())).collect(),
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
    mode: &str,
    result: Result<CardResult<'_>, &interrogate::Error>,
) -> Result<(), CliError> {
    let CardResult { caption, prompt, thumbnail, picks } = match result {
        Ok(result) => result,
        Err(error) => {
            let error = logger::with_causes(error);
            return report.add(&Card { image, thumbnail: None, result: Err(&error) });
        }
    };
    let tables = picks.iter().map(|pick| {
        (pick.table, pick.matches.iter().map(|found| (found.label, found.score)).collect())
    });
    let answer = Answer { caption, prompt, mode, tables: tables.collect() };
    report.add(&Card { image, thumbnail, result: Ok(answer) })
}

/// Ends the report at `path`, also if the run was interrupted.
pub(super) fn finish(report: Report, path: &Path, logger: &Logger) -> Result<(), CliError> {
    let _page = interrupt::Work::finish_file();
    report.finish()?;
    logger.note(format_args!("report: {}", path.display()));
    Ok(())
}
