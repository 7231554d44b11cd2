//! Why answers cannot go where they were sent, and what to type instead.

use std::path::PathBuf;

use build_index::lock::LockOwner;

/// An output that is not written to. Nothing is overwritten then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It is a folder.
    #[error("{}: expected a file to write, found a folder", path.display())]
    Folder { path: PathBuf },
    /// The run reads it.
    #[error("{}: expected a file to write, found one that is read in this run ({what})", path.display())]
    Input { path: PathBuf, what: String },
    /// It lies among the files of an index.
    #[error("{}: expected a file to write, found a place in the index {}", path.display(), index.display())]
    Index { path: PathBuf, index: PathBuf },
    /// Two files of the run would be one.
    #[error("{}: {first} and {second} would both be written there", path.display())]
    Twice { path: PathBuf, first: String, second: String },
    /// Somebody's answers are in it.
    #[error("{} stands already", path.display())]
    Stands { path: PathBuf, resumable: bool },
    /// The form cannot be gone on with.
    #[error("{}: a {form} file cannot be gone on with", path.display())]
    Resume { path: PathBuf, form: &'static str },
    /// Another run writes it.
    #[error("{} is being written by another run{}", path.display(), by(holder.as_ref()))]
    Busy { path: PathBuf, holder: Option<LockOwner> },
    /// It was begun by other options.
    #[error("{} was begun with other options: {}", path.display(), changed.join("; "))]
    Options { path: PathBuf, changed: Vec<String> },
    /// It does not hold such answers.
    #[error("{}: line {line}: expected {expected}, found {found}", path.display())]
    Foreign { path: PathBuf, line: usize, expected: String, found: String },
    /// Bytes for programs on a terminal's stream.
    #[error("Parquet is not written to standard output")]
    Stdout,
    /// There is one answer for all images.
    #[error("{what} is for answers image by image")]
    Alone { what: &'static str },
    /// Nowhere beside a member of an archive.
    #[error("images in archives have no place for sidecars")]
    Sidecar,
}

impl Refused {
    /// What to type instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Refused::Folder { path } => {
                format!("name a file in it, such as -o {}", path.join("answers.jsonl").display())
            }
            Refused::Input { .. } | Refused::Index { .. } => {
                "name another file to write; for --sidecar, rename the image".into()
            }
            Refused::Twice { .. } => {
                "name another file to write; of two images with one sidecar, rename one, or write all answers to one file with -o".into()
            }
            Refused::Stands { resumable: true, .. } => {
                "--resume goes on with it, --overwrite replaces it; or name another file".into()
            }
            Refused::Stands { .. } => "--overwrite replaces it; or name another file".into(),
            Refused::Resume { .. } => {
                "JSONL and CSV can be gone on with; a table of either becomes Parquet in one line of pandas".into()
            }
            Refused::Busy { .. } => "wait for the other run, or end it; or name another file".into(),
            Refused::Options { .. } => {
                "give the options that it was begun with, or --overwrite to begin anew; or name another file".into()
            }
            Refused::Foreign { .. } => {
                "--resume goes on with a file of the same command and format; name another file".into()
            }
            Refused::Stdout => "name a file with -o, or take --format csv".into(),
            Refused::Alone { .. } => "leave it out; --format jsonl prints the answer as JSON".into(),
            Refused::Sidecar => {
                "leave --sidecar out and write to a file with -o, or unpack the archive".into()
            }
        }
    }
}

fn by(holder: Option<&LockOwner>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}
