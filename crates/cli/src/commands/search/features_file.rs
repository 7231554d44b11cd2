//! The features to search: the rows of a .npy file as a table, with the names of their images.

use std::path::Path;

use half::f16;
use interrogate::Error;
use interrogate::index::{CustomTable, Hasher};
use interrogate::models::Model;

use crate::commands::unit_row;
use crate::error::CliError;
use crate::output::{Description, OutputError, description_path, npy};

/// The name of the table.
const TABLE: &str = "images";

/// Features of images, and the description of them.
pub(super) struct FeaturesFile<'a> {
    path: &'a Path,
    reader: npy::Reader,
    description: Description,
}

impl<'a> FeaturesFile<'a> {
    /// Opens the features at `path` and reads their description. Reads no row yet.
    ///
    /// # Errors
    /// [`OutputError::Npy`] for another file, and for rows without a name; those of
    /// [`Description::read`].
    pub(super) fn open(path: &'a Path) -> Result<Self, CliError> {
        let reader = npy::Reader::open(path)?;
        let description = Description::read(path).map_err(|error| missing(path, error))?;
        description.check_rows(path, reader.rows)?;
        Ok(FeaturesFile { path, reader, description })
    }

    /// The id of the model that computed the features.
    pub(super) fn model(&self) -> &str {
        &self.description.model
    }

    /// Checks that `model` computed the features.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for another model.
    pub(super) fn check_model(&self, model: &Model) -> Result<(), CliError> {
        let recorded = self.description.fingerprint.as_deref();
        let (same, found) = match recorded {
            Some(recorded) => {
                let found = model.fingerprint()?;
                (found == recorded, named(&model.id(), &found))
            }
            None => (model.id() == self.model(), model.id()),
        };
        if same {
            return Ok(());
        }
        let expected = recorded.map_or_else(
            || self.model().to_owned(),
            |fingerprint| named(self.model(), fingerprint),
        );
        Err(CliError::Arguments {
            message: format!("{}: model: expected {expected}, found {found}", self.path.display()),
            hint: "pass the model that computed the features with --model, or compute them again with embed images".to_owned(),
        })
    }

    /// Reads the rows, rounded to f16 as those of an index are.
    ///
    /// # Errors
    /// [`CliError::ZeroRow`]; [`OutputError::Npy`] where the rows are not those that the
    /// description belongs to.
    pub(super) fn read(mut self) -> Result<CustomTable, CliError> {
        let (rows, dim) = (self.reader.rows, self.reader.dim);
        // At most the size of the file, which the reader has checked; a sparse one takes no disk.
        let mut values: Vec<f16> = Vec::new();
        let reserved = values.try_reserve_exact(rows * dim);
        reserved.map_err(|error| Error::io("read", self.path)(error.into()))?;
        let mut hasher = Hasher::default();
        for row in 0..rows {
            let unit = unit_row::read(&mut self.reader, row)?;
            values.extend(unit.into_iter().map(f16::from_f64));
            hasher.update(self.reader.row_bytes());
        }
        let found = hasher.finish();
        if let Some(expected) = self.description.sha256.filter(|expected| *expected != found) {
            return Err(
                OutputError::npy(self.path, "SHA-256 of the values", expected, found).into()
            );
        }
        Ok(CustomTable::from_rows(TABLE, self.description.images, dim, values)?)
    }
}

/// The id of a model and the start of its fingerprint.
fn named(id: &str, fingerprint: &str) -> String {
    let start: String = fingerprint.chars().take(12).collect();
    format!("{id} ({start})")
}

/// Explains a description that is missing beside the features at `path`.
fn missing(path: &Path, error: OutputError) -> CliError {
    match error {
        OutputError::File(Error::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            let description = description_path(path);
            CliError::Arguments {
                message: format!("{}: no such file: it names the images of {}", description.display(), path.display()),
                hint: "compute the features with embed images -o FILE.npy, and keep its two files together".to_owned(),
            }
        }
        error => error.into(),
    }
}
