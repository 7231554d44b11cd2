//! Errors of the output, and what to type instead.

use std::io;
use std::path::{Path, PathBuf};

use build_index::lock::LockOwner;
use build_index::terminal::library_hint;
use interrogate::Error;

/// The result of an operation on the output.
pub(crate) type Result<T> = std::result::Result<T, OutputError>;

/// An error of the output. An existing file is left as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] Error),
    /// Standard output cannot be written. The program treats a closed pipe as success.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    /// A row cannot be represented as JSON.
    #[error("cannot write a row as JSON")]
    Json(#[from] serde_json::Error),
    /// The path is a folder. `example` is a file name for the hint.
    #[error("{}: expected a file to write, found a folder", path.display())]
    Folder { path: PathBuf, example: &'static str },
    /// The path is an input of the run.
    #[error("{}: expected a file to write, found one that is read in this run ({what})", path.display())]
    Input { path: PathBuf, what: String },
    /// The path is in the folder of an index.
    #[error("{}: expected a file outside of indexes, found one in the index {}", path.display(), index.display())]
    InIndex { path: PathBuf, index: PathBuf },
    /// Two outputs of the run have the same path.
    #[error("{}: {first} and {second} would both be written there", path.display())]
    SamePath { path: PathBuf, first: String, second: String },
    /// The file exists, and neither `--overwrite` nor `--resume` is given.
    #[error("{} already exists", path.display())]
    Exists { path: PathBuf, resumable: bool },
    /// The format does not support `--resume`.
    #[error("{}: --resume does not support {form} files", path.display())]
    NotResumable { path: PathBuf, form: &'static str },
    /// `--resume` with standard output.
    #[error("--resume needs a file to continue, found standard output")]
    ResumedStdout,
    /// Another run writes the file.
    #[error("{} is being written by another run{}", path.display(), by(holder.as_ref()))]
    InUse { path: PathBuf, holder: Option<LockOwner> },
    /// The file's rows were written with other options.
    #[error("{} was started with other options: {}", path.display(), changed.join("; "))]
    OtherOptions { path: PathBuf, changed: Vec<String> },
    /// The file to resume has a row of another kind.
    #[error("{}: line {line}: expected {expected}, found {found}", path.display())]
    UnexpectedRow { path: PathBuf, line: usize, expected: String, found: String },
    /// A binary format on standard output. `text` is a format to use instead; `pipe`: whether `-o -` writes
    /// it to a pipe.
    #[error("{format} cannot be written to standard output")]
    BinaryOnStdout { format: &'static str, text: &'static str, pipe: bool },
    /// The run has one result for all images, and no table of them.
    #[error("{what} needs a record for each image, and this run has one for all")]
    SingleRecord { what: &'static str },
    /// Sidecars of images in archives.
    #[error("--sidecar does not support images in archives")]
    SidecarInArchive,
    /// A submission's rows have the names of images. `row` counts from 0.
    #[error("a submission names rows by image, and the prompt in row {row} has no image")]
    NoImageName { row: usize },
    /// A file is not a .npy of the expected type and shape.
    #[error(transparent)]
    Npy(Error),
}

impl OutputError {
    /// An error of the .npy file at `path`.
    pub(crate) fn npy(
        path: &Path,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        OutputError::Npy(Error::mismatch(path, what, expected, found))
    }

    /// Returns what to type instead.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            OutputError::File(error) => return library_hint(error),
            OutputError::Stdout(_) | OutputError::Json(_) => return None,
            OutputError::Folder { path, example } => {
                return Some(format!(
                    "name a file in it, such as -o {}",
                    path.join(example).display()
                ));
            }
            OutputError::Input { .. } | OutputError::InIndex { .. } => {
                "name another file to write; for --sidecar, rename the image"
            }
            OutputError::SamePath { .. } => {
                "name another file to write; of two images with one sidecar, rename one, or write all records to one file with -o"
            }
            OutputError::Exists { resumable: true, .. } => {
                "pass --resume to continue it or --overwrite to replace it, or name another file"
            }
            OutputError::Exists { .. } => "pass --overwrite to replace it, or name another file",
            OutputError::NotResumable { .. } => {
                "write JSONL or CSV to resume; pandas converts either to Parquet in one line"
            }
            OutputError::ResumedStdout => "name the file to continue with -o",
            OutputError::InUse { .. } => "wait for the other run or end it, or name another file",
            OutputError::OtherOptions { .. } => {
                "pass the options that it was started with, pass --overwrite to start anew, or name another file"
            }
            OutputError::UnexpectedRow { .. } => {
                "pass --resume with a file of the same command and format, or name another file"
            }
            OutputError::BinaryOnStdout { text, pipe, .. } => {
                let pipe = if *pipe { ", pass -o - to write to a pipe" } else { "" };
                return Some(format!("name a file with -o{pipe}, or pass --format {text}"));
            }
            OutputError::SingleRecord { .. } => {
                "leave it out; --format jsonl prints the result as JSON"
            }
            OutputError::SidecarInArchive => {
                "leave --sidecar out and write to a file with -o, or unpack the archive"
            }
            OutputError::NoImageName { .. } => {
                "pass the JSONL or CSV that interrogate prompt writes: it names the images"
            }
            OutputError::Npy(_) => {
                "pass files of (rows, values) in f32 or f64, as embed prompts --format npy writes them"
            }
        };
        Some(hint.to_owned())
    }
}

fn by(holder: Option<&LockOwner>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}
