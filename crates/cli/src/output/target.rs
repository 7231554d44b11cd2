//! Which file answers go to, and whether they may.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::Error;
use interrogate::index::Index;

use super::lines::Lines;
use super::parquet::Parquet;
use super::record::{Column, Record};
use super::run_file::RunFile;
use super::writer::Table;
use super::{ExistingRows, OutputError, Sidecars, Sink, Writer, existing, renderer};
use crate::args::{Form, Output};
use crate::error::CliError;
use crate::logger::Logger;

/// Where answers go; nothing is written yet.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) form: Form,
    /// The file; none is standard output.
    pub(crate) path: Option<PathBuf>,
    columns: &'static [Column],
    run_file: RunFile,
}

impl Target {
    /// What was typed, and what stands there already where it is gone on with.
    /// Shows that the file can be written, before the work is done.
    ///
    /// # Errors
    /// [`OutputError`], and where it cannot be read or written.
    pub(crate) fn open<A: Record>(
        output: &Output,
        default: Form,
    ) -> Result<(Self, ExistingRows), CliError> {
        let form = output.format.or(output.output.as_deref().and_then(ending)).unwrap_or(default);
        let run_file = RunFile::default();
        let mut target =
            Target { form, path: output.output.clone(), columns: A::COLUMNS, run_file };
        let Some(path) = output.output.as_deref() else {
            return match form {
                Form::Parquet => Err(OutputError::BinaryOnStdout.into()),
                _ => Ok((target, ExistingRows::default())),
            };
        };
        let resumable = matches!(form, Form::Jsonl | Form::Csv);
        if path.is_dir() {
            return Err(OutputError::Folder { path: path.to_owned() }.into());
        }
        if output.resume && !resumable {
            let form = if form == Form::Text { "text" } else { "Parquet" };
            return Err(OutputError::NotResumable { path: path.to_owned(), form }.into());
        }
        // Devices and pipes hold nothing that could be lost.
        let stands = || match fs::metadata(path).is_ok_and(|f| f.is_file() && f.len() > 0) {
            true if !output.resume && !output.overwrite => {
                Err(OutputError::Exists { path: path.to_owned(), resumable })
            }
            stands => Ok(stands),
        };
        stands()?;
        // A table is made in a file of its own, and a device is nobody's.
        if form != Form::Parquet && fs::metadata(path).is_ok_and(|f| f.is_file()) | !path.exists() {
            target.run_file = RunFile::open(path)?;
        }
        // Once more: it may have been written before it was ours.
        let mut standing = match (stands()?, form) {
            (true, Form::Jsonl) if output.resume => existing::jsonl(path, A::KEYS)?,
            (true, _) if output.resume => existing::csv(path, &renderer::header(A::COLUMNS))?,
            _ => ExistingRows::default(),
        };
        if standing.end > 0 {
            target.run_file.go_on()?;
        }
        if output.retry_failed {
            standing.retry_failed();
        }
        match form {
            Form::Parquet => drop(Draft::beside(path)?),
            _ => drop(target.file(path)?),
        }
        Ok((target, standing))
    }

    /// Says which index is asked, so that a file of another's answers is not gone on
    /// with.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`].
    pub(crate) fn asks(&mut self, index: &Index) -> Result<(), CliError> {
        self.run_file.asks(index)
    }

    /// What is to be said of the file before it is written.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.run_file.notes)
    }

    /// Starts to write, behind what is `standing`.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn start(
        &mut self,
        standing: &ExistingRows,
        sidecars: Sidecars,
        logger: &Logger,
    ) -> Result<Writer, CliError> {
        self.run_file.keep();
        let table = Table { form: self.form, columns: self.columns.len() };
        let sink: Box<dyn Sink> = match (&self.path, self.form) {
            (None, Form::Csv) => {
                let mut lines = Lines::stdout();
                lines.write(super::Content::Line(renderer::header(self.columns)))?;
                Box::new(lines)
            }
            (None, _) => Box::new(Lines::stdout()),
            (Some(path), Form::Parquet) => Box::new(Parquet::create(path, self.columns)?),
            (Some(path), form) => {
                let end = match standing.retried.is_empty() {
                    true => standing.end,
                    false => existing::without_retried(path, standing)?,
                };
                let mut file = self.file(path)?;
                if file.metadata().is_ok_and(|kind| kind.is_file()) {
                    // What is behind the last whole answer was cut short.
                    let cut = file.set_len(end);
                    let cut = cut.and_then(|()| file.seek(SeekFrom::Start(end)));
                    cut.map_err(Error::io("write", path))?;
                }
                let mut lines = Lines::file(path.clone(), file)?;
                if form == Form::Csv && end == 0 {
                    lines.write(super::Content::Line(renderer::header(self.columns)))?;
                }
                Box::new(lines)
            }
        };
        Ok(Writer::start(sink, table, sidecars, logger.clone()))
    }

    /// The file to be written, as it stands; Parquet's is a draft.
    fn file(&self, path: &Path) -> Result<File, CliError> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        Ok(file.map_err(Error::io("write", path))?)
    }
}

/// The form that a file's ending names.
fn ending(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => Some(Form::Jsonl),
        "csv" => Some(Form::Csv),
        "parquet" => Some(Form::Parquet),
        "txt" => Some(Form::Text),
        _ => None,
    }
}
