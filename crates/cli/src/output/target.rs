//! The target of the records: standard output, or a file that may already exist.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::Error;
use interrogate::index::Index;
use interrogate::models::Model;

use super::destination::{Destination, refuse_binary_stdout, refuse_folder};
use super::error::{OutputError, Result};
use super::features::{Description, FeaturesWriter, description_path};
use super::parquet::{Parquet, Table};
use super::record::{Column, Record};
use super::renderer::Layout;
use super::run_file::RunFile;
use super::sink::{RowData, Sink};
use super::{ExistingRows, Sidecars, Writer, csv, existing};
use crate::args::{Form, Output};
use crate::fields::Field;
use crate::logger::Logger;

/// The key of a shard's description in its metadata.
const DESCRIPTION: &str = "interrogate.shard";

/// The place and the format of the records.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) form: Form,
    /// The file. `None` for standard output.
    pub(crate) path: Option<PathBuf>,
    columns: &'static [Column],
    /// Of a shard: the columns that pass through, and what its metadata says.
    shard: Option<(Vec<Field>, String)>,
    run_file: RunFile,
    /// Describes the rows of a .npy; its images are not known yet.
    description: Description,
}

impl Target {
    /// Checks that the output can be written, before a model is loaded, and reads the rows of a
    /// file to resume. Nothing is written yet. `default` is the format where neither an option
    /// nor the file's extension names one.
    ///
    /// # Errors
    /// Any of [`OutputError`].
    pub(crate) fn open<R: Record>(output: &Output, default: Form) -> Result<(Self, ExistingRows)> {
        let form = Self::form::<R>(output, default);
        let mut target = Target {
            form,
            path: output.file().map(Path::to_owned),
            columns: R::COLUMNS,
            shard: None,
            run_file: RunFile::default(),
            description: Description::default(),
        };
        let existing = match output.file() {
            Some(path) => target.open_file::<R>(path, output)?,
            None => {
                check_stdout(form, output)?;
                ExistingRows::default()
            }
        };
        Ok((target, existing))
    }

    /// The shard at `path`: a Parquet file of records, with `fields` of the input. `description`
    /// is kept in its metadata. A file at `path` is replaced when this one is whole.
    pub(crate) fn shard<R: Record>(path: &Path, fields: Vec<Field>, description: String) -> Self {
        Target {
            form: Form::Parquet,
            path: Some(path.to_owned()),
            columns: R::COLUMNS,
            shard: Some((fields, description)),
            run_file: RunFile::default(),
            description: Description::default(),
        }
    }

    /// Whether the target is a shard.
    pub(crate) fn is_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// Returns the format of the records: the option's, the file extension's or `default`.
    pub(crate) fn form<R: Record>(output: &Output, default: Form) -> Form {
        let named = output.file().and_then(form_of);
        let named = named.filter(|&form| R::IS_ROW || form != Form::Npy);
        output.format.or(named).unwrap_or(default)
    }

    fn open_file<R: Record>(&mut self, path: &Path, output: &Output) -> Result<ExistingRows> {
        let resumable = matches!(self.form, Form::Jsonl | Form::Csv);
        refuse_folder(path, "answers.jsonl")?;
        if output.resume && !resumable {
            return Err(OutputError::NotResumable {
                path: path.to_owned(),
                form: self.form.name(),
            });
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
        if self.form == Form::Npy && !output.overwrite && description_path(path).exists() {
            return Err(OutputError::Exists { path: description_path(path), resumable });
        }
        // A file that is written whole has a draft of its own, and devices have no lock.
        if !self.form.is_whole() && (is_file() || !path.exists()) {
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
            form if form.is_whole() => drop(Draft::beside(path)?),
            _ => drop(open(path)?),
        }
        Ok(existing)
    }

    /// Records which indexes the run uses.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where the file to resume was written with another index.
    pub(crate) fn set_indexes(&mut self, indexes: &[Index]) -> Result<()> {
        self.run_file.set_indexes(indexes)
    }

    /// Describes the rows of a .npy as those of `model`.
    ///
    /// # Errors
    /// Where a file of the model cannot be read.
    pub(crate) fn describe(&mut self, model: &Model) -> Result<()> {
        if self.form == Form::Npy {
            self.description.model = model.id();
            self.description.fingerprint = Some(model.fingerprint()?);
        }
        Ok(())
    }

    /// Records which model a run without an index uses.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where the file to resume was written with another.
    pub(crate) fn set_only_model(&mut self, model: &Model) -> Result<()> {
        self.run_file.set_model(model)
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
            (path, Form::Parquet) => {
                let table = match &self.shard {
                    Some((fields, _)) => Table::shard(self.columns, fields),
                    None => Table::records(self.columns),
                };
                let mut file = Parquet::create(path.as_deref(), &table)?;
                if let Some((_, description)) = &self.shard {
                    file.describe(DESCRIPTION, description.clone());
                }
                return Ok(Box::new(file));
            }
            (Some(path), Form::Npy) => {
                return Ok(Box::new(FeaturesWriter::new(path, self.description.clone())));
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

/// Refuses a format or an option that standard output does not support.
fn check_stdout(form: Form, output: &Output) -> Result<()> {
    if output.resume {
        return Err(OutputError::ResumedStdout);
    }
    match form {
        Form::Parquet => refuse_binary_stdout(output.output.is_some(), form.name(), "csv"),
        // The names of the images need a file of their own.
        Form::Npy => {
            Err(OutputError::BinaryOnStdout { format: form.name(), text: "jsonl", pipe: false })
        }
        Form::Text | Form::Jsonl | Form::Csv => Ok(()),
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
        "npy" => Some(Form::Npy),
        "txt" => Some(Form::Text),
        _ => None,
    }
}
