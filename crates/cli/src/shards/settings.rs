//! The settings of a shard: all that decides its rows besides its input.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use interrogate::index::{Digest, Hasher, Index};
use interrogate::{Error, Result};
use serde_json::{Map, Value};

use super::digests::{Digests, InputFile, part};
use crate::files;
use crate::output::RunOptions;

/// The version of the rows and columns of shards. It grows with a change that gives other rows
/// for equal settings.
const FORMAT: &str = "1";

/// The options that name a model, which its digest replaces.
const MODELS: [&str; 2] = ["--model", "--caption-model"];

/// Options and digests by name.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    values: BTreeMap<String, String>,
    digests: &'a Digests,
}

impl<'a> Settings<'a> {
    /// The options of this process.
    pub(super) fn new(digests: &'a Digests) -> Self {
        Self::of(RunOptions::current().to_json(), digests)
    }

    fn of(options: Map<String, Value>, digests: &'a Digests) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in options {
            let value = value.as_str().unwrap_or_default();
            // GPUs of a machine compute the same.
            let value = match name.as_str() {
                "--device" => value.split(':').next().unwrap_or_default(),
                _ => value,
            };
            if !MODELS.contains(&name.as_str()) {
                values.insert(name, value.to_owned());
            }
        }
        values.insert("the program".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        values.insert("the format".to_owned(), FORMAT.to_owned());
        Settings { values, digests }
    }

    /// Adds the index, whose manifest names its model.
    ///
    /// # Errors
    /// Where the manifest cannot be represented as JSON.
    pub(crate) fn index(&mut self, index: &Index) -> Result<()> {
        let digest = Digest::of(&index.manifest().to_json()?);
        self.add("the index", digest.to_string());
        Ok(())
    }

    /// Adds the content of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn file(&mut self, what: &str, path: &Path) -> Result<()> {
        let file = InputFile { name: String::new(), path: Some(path.to_owned()), required: true };
        let digest = self.digests.of(&[file])?.digest;
        self.add(what, digest.to_string());
        Ok(())
    }

    /// Adds the files of the model at `path`, a folder or a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn model(&mut self, what: &str, path: &Path) -> Result<()> {
        if !path.is_dir() {
            return self.file(what, path);
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(path).map_err(Error::io("read", path))? {
            paths.push(entry.map_err(Error::io("read", path))?.path());
        }
        paths.retain(|path| files::is_model_file(path) && path.is_file());
        paths.sort();
        let file = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            InputFile { name, path: Some(path), required: true }
        };
        let paths: Vec<_> = paths.into_iter().map(file).collect();
        let digest = self.digests.of(&paths)?.digest;
        self.add(what, digest.to_string());
        Ok(())
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, what: &str, value: String) {
        self.values.insert(what.to_owned(), value);
    }

    /// Returns the digest of all settings.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        for (name, value) in &self.values {
            part(&mut hasher, name.as_bytes());
            part(&mut hasher, value.as_bytes());
        }
        hasher.finish()
    }

    /// Returns the settings as a JSON object.
    pub(super) fn to_json(&self) -> Value {
        self.values.iter().map(|(name, value)| (name.clone(), value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(options: &Value, more: impl FnOnce(&mut Settings<'_>)) -> Digest {
        let folder = tempfile::tempdir().unwrap();
        let digests = Digests::open(folder.path().join("kept")).unwrap();
        let mut settings = Settings::of(options.as_object().unwrap().clone(), &digests);
        more(&mut settings);
        settings.digest()
    }

    #[test]
    fn settings_that_change_rows_change_the_digest() {
        let fast = json!({"--mode": "fast", "--device": "cuda:0"});
        let first = digest(&fast, |_| ());
        assert_eq!(digest(&json!({"--mode": "fast", "--device": "cuda:3"}), |_| ()), first);
        assert_ne!(digest(&json!({"--mode": "fast", "--device": "cpu"}), |_| ()), first);
        assert_ne!(digest(&json!({"--mode": "seed", "--device": "cuda:0"}), |_| ()), first);
        assert_ne!(digest(&fast, |all| all.add("the index", "1".into())), first);
    }

    #[test]
    fn model_is_compared_by_its_files_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, weights: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("config.json"), "{}").unwrap();
            fs::write(path.join("model.safetensors"), weights).unwrap();
            fs::write(path.join("README.md"), name).unwrap();
            digest(&json!({"--caption-model": name}), |all| {
                all.model("the caption model", &path).unwrap();
            })
        };
        assert_eq!(of("a", "weights"), of("b", "weights"));
        assert_ne!(of("a", "weights"), of("c", "others"));
    }
}
