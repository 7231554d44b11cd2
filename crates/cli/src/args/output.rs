//! Where answers go and in which form, as typed.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

/// The answers of a run over images.
#[derive(Debug, Group)]
pub(crate) struct Output {
    /// Writes the answers to FILE instead of stdout.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How answers are written. [default: as FILE's ending says, else text;
    /// embed: jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Form>,
    /// Goes on with FILE: images whose answer it holds are left out, and a last
    /// line that was cut short is done again. JSONL and CSV alone.
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// With --resume: tries images again that FILE has an error for. Their errors are taken out
    /// of FILE, and their answers come at its end.
    #[arg(long, requires = "resume")]
    pub(crate) retry_failed: bool,
    /// Replaces what stands there already: FILE, sidecars.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
}

/// Texts beside the images.
#[derive(Debug, Group)]
pub(crate) struct Sidecars {
    /// Writes the text of each image beside it too: photo.txt beside photo.jpg.
    /// One that stands there is left as it is.
    #[arg(long)]
    pub(crate) sidecar: bool,
    /// Adds to sidecars that stand there, behind a comma.
    #[arg(long, requires = "sidecar", conflicts_with = "overwrite")]
    pub(crate) append: bool,
    /// Does not look at images that have a sidecar.
    #[arg(long, requires = "sidecar", conflicts_with = "overwrite")]
    pub(crate) skip_existing: bool,
}

/// In which form answers about images are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, UTF-8; lists are JSON in a cell.
    Csv,
    /// Columns, for pandas and pyarrow; a file alone.
    Parquet,
}

#[derive(Clone, Copy, Debug, Group)]
pub(crate) struct Lines {
    /// Lines for people, or one JSON object a line. [default: text; embed: jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

impl Lines {
    pub(crate) fn or(self, default: Format) -> Format {
        self.format.unwrap_or(default)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Jsonl,
}
