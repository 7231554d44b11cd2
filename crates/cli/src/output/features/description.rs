//! The description of a file of features: the model and the images.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::index::Digest;
use interrogate::{Error, input, limits};
use serde::{Deserialize, Serialize};

use super::super::error::{OutputError, Result};

/// What the rows of a file of features are. In the file a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The id of the model, as in an index.
    pub(crate) model: String,
    /// The model's fingerprint. Without it any model of that name counts as the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
    /// The digest of the values, in the order and the encoding of the file. Without it the
    /// number of rows is the only check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<Digest>,
    /// The name of each row's image, in order.
    pub(crate) images: Vec<String>,
}

impl Description {
    /// Reads the description of the features at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where it is missing; [`Error::Mismatch`] for more than
    /// [`limits::LIST`] bytes; [`Error::Json`].
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let path = description_path(path);
        let bytes = input::read(&path, limits::LIST)?;
        Ok(serde_json::from_slice(&bytes).map_err(|source| Error::Json { path, source })?)
    }

    /// Writes the description of the features at `path`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let path = description_path(path);
        let mut draft = Draft::beside(&path)?;
        let written = serde_json::to_writer_pretty(&mut draft, self).map_err(Into::into);
        let written = written.and_then(|()| draft.write_all(b"\n"));
        written.map_err(Error::io("write", &path))?;
        Ok(draft.persist(&path)?)
    }

    /// Checks that a file of `rows` rows at `path` has one for each image.
    ///
    /// # Errors
    /// [`OutputError::Npy`].
    pub(crate) fn check_rows(&self, path: &Path, rows: usize) -> Result<()> {
        let images = self.images.len();
        if rows == images {
            return Ok(());
        }
        let expected =
            format!("{images}, one for each image of {}", description_path(path).display());
        Err(OutputError::npy(path, "rows", expected, rows))
    }
}

/// Returns the path of the description of the features at `path`: `features.npy.json`.
pub(crate) fn description_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".json");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn description_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.b.npy");
        let description = Description {
            model: "starter".into(),
            fingerprint: Some("ab".into()),
            sha256: Some(Digest::of(b"rows")),
            images: vec!["a.jpg".into(), "b\n\"c\".jpg".into()],
        };
        description.write(&path).unwrap();
        assert!(folder.path().join("a.b.npy.json").is_file());
        assert_eq!(Description::read(&path).unwrap(), description);
        assert!(description.check_rows(&path, 2).is_ok());
        let error = description.check_rows(&path, 3).unwrap_err().to_string();
        assert!(error.contains("a.b.npy: rows: expected 2, one for each image of "), "{error}");
        assert!(error.ends_with("a.b.npy.json, found 3"), "{error}");
    }

    #[test]
    fn description_of_another_program_needs_a_model_and_images() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        fs::write(description_path(&path), r#"{"model": "m", "images": ["a"], "dim": 3}"#).unwrap();
        let found = Description::read(&path).unwrap();
        assert_eq!((&*found.model, found.fingerprint, found.sha256), ("m", None, None));
        for text in ["", "[]", "{}", r#"{"model": "m"}"#, r#"{"model": 1, "images": []}"#] {
            fs::write(description_path(&path), text).unwrap();
            let error = Description::read(&path).unwrap_err().to_string();
            assert!(error.contains("a.npy.json"), "{text}: {error}");
        }
    }
}
