//! The target of the records: standard output, or a file that may already exist.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::Error;
use interrogate::index::Index;

use super::destination::{Destination, refuse_folder};
use super::error::{OutputError, Result};
use super::parquet::{Parquet, Table};
use super::record::{Column, Record};
use super::renderer::Layout;
use super::run_file::RunFile;
use super::sink::{RowData, Sink};
use super::{ExistingRows, Sidecars, Writer, csv, existing};
use crate::args::{Form, Output};
use crate::logger::Logger;

/// The place and the format of the records.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) form: Form,
    /// The file. `None` for standard output.
    pub(crate) path: Option<PathBuf>,
    columns: &'static [Column],
    run_file: RunFile,
}

impl Target {
    /// Checks that the output can be written, before a model is loaded, and reads the rows of a
    /// file to resume. Nothing is written yet. `default` is the format where neither an option
    /// nor the file's extension names one.
    ///
    /// # Errors
    /// Any of [`OutputError`].
    pub(crate) fn open<R: Record>(output: &Output, default: Form) -> Result<(Self, ExistingRows)> {
        let path = output.output.as_deref();
        let form = output.format.or(path.and_then(form_of)).unwrap_or(default);
        let path = path.map(Path::to_owned);
        let mut target = Target { form, path, columns: R::COLUMNS, run_file: RunFile::default() };
        let existing = match &output.output {
            Some(path) => target.open_file::<R>(path, output)?,
            None if form == Form::Parquet => {
                return Err(OutputError::BinaryOnStdout { format: "Parquet", text: "csv" });
            }
            None => ExistingRows::default(),
        };
        Ok((target, existing))
    }

    fn open_file<R: Record>(&mut self, path: &Path, output: &Output) -> Result<ExistingRows> {
        let resumable = matches!(self.form, Form::Jsonl | Form::Csv);
        refuse_folder(path, "answers.jsonl")?;
        if output.resume && !resumable {
            let form = if self.form == Form::Text { "text" } else { "Parquet" };
            return Err(OutputError::NotResumable { path: path.to_owned(), form });
        }
        let is_file = || fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        // Devices and pipes hold nothing to lose.
        let has_rows = || match fs::metadata(path).is_ok_and(|f| f.is_file() && f.len() > 0) {
            true if !output.resume && !output.overwrite => {
                Err(OutputError::Exists { path: path.to_owned(), resumable })
            }
            has_rows => Ok(has_rows),
        };
        has_rows()?;
        // A Parquet file has a draft of its own, and devices have no lock.
        if self.form != Form::Parquet && (is_file() || !path.exists()) {
            self.run_file = RunFile::open(path)?;
        }
        // Again: another run may have written the file before the lock.
        let mut existing = match (has_rows()?, self.form) {
            (true, Form::Jsonl) if output.resume => existing::read_jsonl(path, R::KEYS)?,
            (true, _) if output.resume => existing::read_csv(path, &csv::header(R::COLUMNS))?,
            _ => ExistingRows::default(),
        };
        if existing.end > 0 {
            self.run_file.resume()?;
        }
        if output.retry_failed {
            existing.retry_failed();
        }
        match self.form {
            Form::Parquet => drop(Draft::beside(path)?),
            _ => drop(open(path)?),
        }
        Ok(existing)
    }

    /// Records which index the run uses.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where the file to resume was written with another index.
    pub(crate) fn set_index(&mut self, index: &Index) -> Result<()> {
        self.run_file.set_index(index)
    }

    /// Returns the notes to log before the first row is written.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.run_file.notes)
    }

    /// Starts the writer after the `existing` rows.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub(crate) fn start(
        &mut self,
        existing: &ExistingRows,
        sidecars: Sidecars,
        logger: &Logger,
    ) -> Result<Writer> {
        self.run_file.save();
        let sink = self.sink(existing)?;
        let layout = Layout { form: self.form, columns: self.columns.len() };
        Ok(Writer::start(sink, layout, sidecars, logger.clone()))
    }

    fn sink(&self, existing: &ExistingRows) -> Result<Box<dyn Sink>> {
        let (mut sink, begins) = match (&self.path, self.form) {
            (Some(path), Form::Parquet) => {
                return Ok(Box::new(Parquet::create(path, &Table::records(self.columns))?));
            }
            (Some(path), _) => {
                let end = existing.remove_retried(path)?;
                (Destination::in_place(path.clone(), open_at(path, end)?), end == 0)
            }
            (None, _) => (Destination::stdout(), true),
        };
        if begins && self.form == Form::Csv {
            Sink::write(&mut sink, RowData::Bytes(csv::header(self.columns)))?;
        }
        Ok(Box::new(sink))
    }
}

/// Opens the file at `path` to write, and creates it where it is missing.
fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    Ok(file.map_err(Error::io("write", path))?)
}

/// Opens the file at `path` and cuts it to `end` bytes; a device or a pipe is left as it is.
fn open_at(path: &Path, end: u64) -> Result<File> {
    let mut file = open(path)?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        let cut = file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end)));
        cut.map_err(Error::io("write", path))?;
    }
    Ok(file)
}

/// Returns the format that the extension of `path` names.
fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => Some(Form::Jsonl),
        "csv" => Some(Form::Csv),
        "parquet" => Some(Form::Parquet),
        "txt" => Some(Form::Text),
        _ => None,
    }
}
