//! The output: records and embeddings, as text, JSON lines, CSV, .npy and Parquet, on standard
//! output and in files, and sidecars beside the images.
//!
//! A [`Record`] is rendered as a [`Row`](sink::Row) by the [`Renderer`] and written by the thread
//! of the [`Writer`]. The [`Target`] is where rows go: it refuses an existing file, or reads its
//! [`ExistingRows`] to resume it. The [`EmbeddingWriter`] needs neither: its files are whole or
//! absent.

mod cell;
mod csv;
mod destination;
mod embeddings;
mod error;
mod existing;
mod features;
pub(crate) mod npy;
mod parquet;
mod record;
mod renderer;
mod run_file;
mod run_options;
mod sidecar;
mod sink;
mod stdout;
mod submission;
mod target;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use embeddings::{EmbeddingWriter, Prompt};
pub(crate) use error::OutputError;
pub(crate) use existing::ExistingRows;
pub(crate) use features::{Description, description_path};
pub(crate) use parquet::counts;
pub(crate) use record::{Column, Kind, Record, text_line};
#[cfg(feature = "serve")]
pub(crate) use renderer::Failed;
pub(crate) use renderer::{Renderer, json_line};
pub(crate) use run_file::run_file_path;
pub(crate) use run_options::RunOptions;
pub(crate) use sidecar::Sidecars;
pub(crate) use stdout::{MatchJson, Stdout};
pub(crate) use target::Target;
pub(crate) use writer::Writer;
