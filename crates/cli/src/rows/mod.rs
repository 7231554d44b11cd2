//! Rows of values in files that other programs read: JSON lines, NumPy's .npy,
//! Parquet, Kaggle's submission.csv.
//!
//! Owns the forms and their writing: row by row, into a file beside the one that
//! was named, which takes its place when it is whole. What the rows are is for
//! the commands.

mod error;
mod jsonl;
pub(crate) mod npy;
mod parquet;
mod submission;
mod target;

use std::path::Path;

pub(crate) use error::Error;
use target::Target;

use crate::args::RowFormat;

/// A prompt and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// The image's path as it was given, or the row's number.
    pub(crate) id: String,
    /// The image's name without folder and ending.
    pub(crate) stem: Option<String>,
    pub(crate) text: String,
}

/// Where rows go, in order.
pub(crate) trait Sink {
    /// One row of values.
    fn row(&mut self, prompt: &Prompt, values: &[f32]) -> Result<(), Error>;

    /// Says that there are no more: the file takes its place.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// Opens the sink of `count` rows of `dim` values in `format` at `path`, or on
/// standard output; refuses what cannot be before anything is written.
pub(crate) fn open(
    format: RowFormat,
    path: Option<&Path>,
    (count, dim): (usize, usize),
) -> Result<Box<dyn Sink>, Error> {
    let target = match path {
        Some(path) => Target::file(path)?,
        None if matches!(format, RowFormat::Npy | RowFormat::Parquet) => {
            return Err(Error::Unnamed { format: format.name() });
        }
        None => Target::stdout(),
    };
    Ok(match format {
        RowFormat::Jsonl => Box::new(jsonl::Jsonl::new(target)),
        RowFormat::Npy => Box::new(npy::Writer::new(target, count, dim)?),
        RowFormat::Parquet => Box::new(parquet::Parquet::new(target, dim)?),
        RowFormat::Submission => Box::new(submission::Submission::new(target)?),
    })
}
