//! Where answers go: lines on stdout, files in four forms, texts beside images.
//!
//! Owns what is written and when it stands. Renderer are made into rows where
//! they are made; a thread of its own writes them, so that nothing waits for a
//! disk.

mod error;
mod existing;
mod lines;
mod parquet;
mod record;
mod renderer;
mod run_file;
mod sidecar;
mod stdout;
mod target;
mod writer;

use std::path::PathBuf;

pub(crate) use error::OutputError;
pub(crate) use existing::ExistingRows;
pub(crate) use record::{Column, Kind, Record};
pub(crate) use renderer::Renderer;
pub(crate) use run_file::run_file_path;
pub(crate) use sidecar::{Sidecars, sidecar_path};
pub(crate) use stdout::{MatchJson, Stdout};
pub(crate) use target::Target;
pub(crate) use writer::Writer;

use crate::error::CliError;
use record::Cell;

/// One image's answer, ready to be written.
#[derive(Debug)]
pub(crate) struct Row {
    content: Content,
    /// The image and the text that goes beside it.
    sidecar: Option<(PathBuf, String)>,
}

/// A row in the form of its file.
#[derive(Debug)]
enum Content {
    /// Bytes that end a line; none where the form has no room for a failure.
    Line(Vec<u8>),
    /// One cell a column, between the image's name and what went wrong.
    Cells { image: String, cells: Vec<Cell>, error: Option<String> },
}

/// Takes rows in order. Dropped before it is finished, it leaves what can be
/// gone on with and nothing else.
trait Sink: Send {
    fn write(&mut self, content: Content) -> Result<(), CliError>;

    /// Brings what was written to whoever reads along.
    fn flush(&mut self) -> Result<(), CliError>;

    /// The run has come to its end.
    fn finish(self: Box<Self>) -> Result<(), CliError>;
}
