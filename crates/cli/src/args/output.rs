//! The options of the output.

use std::path::{Path, PathBuf};

use clap::{Args as Group, ValueEnum};

use super::Extension;

/// The output of a run over images.
#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write the results to FILE instead of stdout; `-` is stdout, also for Parquet.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Format of the results. [default: by the ending of FILE, else text;
    /// embed: jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Form>,
    /// Continue FILE, which is JSONL or CSV: skip the images that have a result in
    /// it, and replace a truncated last line.
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// With --resume: process the images again that have an error in FILE. The errors are
    /// removed from FILE, and the new results are appended.
    #[arg(long, requires = "resume")]
    pub(crate) retry_failed: bool,
    /// Replace FILE and sidecars that already exist.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
}

impl Output {
    /// Returns the file to write; `None` for standard output.
    pub(crate) fn file(&self) -> Option<&Path> {
        file(self.output.as_deref())
    }
}

/// Returns the file that `-o` names; `None` for standard output, which is also `-`.
pub(crate) fn file(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| *path != Path::new("-"))
}

/// Text files beside the images.
#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Sidecars {
    /// Also write the text of each image beside it: photo.txt beside photo.jpg.
    /// An existing file is kept.
    #[arg(long)]
    pub(crate) sidecar: bool,
    /// Extension of the sidecars, such as caption. [default: txt]
    #[arg(long, value_name = "EXTENSION", requires = "sidecar")]
    caption_extension: Option<Extension>,
    /// Append to existing sidecars, after a comma.
    #[arg(long, requires = "sidecar", conflicts_with = "overwrite")]
    pub(crate) append: bool,
    /// Skip images that have a sidecar.
    #[arg(long, requires = "sidecar", conflicts_with = "overwrite")]
    pub(crate) skip_existing: bool,
}

impl Sidecars {
    /// Returns the extension of the sidecars.
    pub(crate) fn extension(&self) -> Extension {
        self.caption_extension.clone().unwrap_or_default()
    }
}

/// The format of results for images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// One JSON object per line.
    Jsonl,
    /// RFC 4180 in UTF-8; lists are JSON in a cell.
    Csv,
    /// Typed columns, for pandas and pyarrow; needs --output.
    Parquet,
    /// NumPy's .npy, of `embed images` alone.
    #[value(skip)]
    Npy,
}

impl Form {
    /// Returns the name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Jsonl => "JSONL",
            Form::Csv => "CSV",
            Form::Parquet => "Parquet",
            Form::Npy => ".npy",
        }
    }

    /// Returns whether a file is a draft until it is whole.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Form::Parquet | Form::Npy)
    }
}

/// The output of a command that prints lines.
#[derive(Clone, Copy, Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Lines {
    /// Format of the lines. [default: text; embed: jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

impl Lines {
    /// Returns the format, or `default` if the option is not given.
    pub(crate) fn or(self, default: Format) -> Format {
        self.format.unwrap_or(default)
    }
}

/// The format of printed lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Jsonl,
}
