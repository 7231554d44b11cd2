//! The files of a run: its inputs and outputs, and the check that no output is an input or
//! another output.
//!
//! An existing file is identified by its device and inode, so that a symbolic or hard link is the
//! file that it leads to; a missing one by its folder and name. Each command that writes a file
//! checks here before it opens one.
//!
//! On macOS and Windows, whose file systems ignore case by default, the names of missing files
//! are compared in lower case. Other file systems that ignore case are not detected: the sidecars
//! of `a.jpg` and `A.png` differ there until the first exists.

mod file_set;
mod location;
mod sidecars;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use build_index::terminal::Dictionaries;

use crate::args::{self, Extension};
use crate::file_id::Id;
use crate::indexes;
use crate::output::OutputError;
use file_set::FileSet;
use location::Locations;

/// The inputs and outputs of a run, images and sidecars apart.
#[derive(Debug, Default)]
pub(crate) struct Files {
    inputs: Vec<(PathBuf, &'static str)>,
    outputs: Vec<(PathBuf, &'static str)>,
    /// The folders of indexes, which get no other files.
    indexes: Vec<PathBuf>,
}

impl Files {
    /// Adds an input. `what` describes it in errors.
    #[must_use]
    pub(crate) fn reading(mut self, path: &Path, what: &'static str) -> Self {
        self.inputs.push((path.to_owned(), what));
        self
    }

    /// Adds an output. `what` describes it in errors.
    #[must_use]
    pub(crate) fn writing(mut self, path: &Path, what: &'static str) -> Self {
        self.outputs.push((path.to_owned(), what));
        self
    }

    /// Adds the files of the model `name`, where that is a folder or a file.
    #[must_use]
    pub(crate) fn model(mut self, name: Option<&str>) -> Self {
        let Some(path) = name.map(Path::new) else { return self };
        match fs::read_dir(path) {
            Ok(files) => {
                let files = files.flatten().map(|file| file.path());
                let files = files.filter(|path| is_model_file(path));
                self.inputs.extend(files.map(|path| (path, "a file of the model")));
                self
            }
            Err(_) if path.is_file() => self.reading(path, "the model"),
            Err(_) => self, // built in, or a hub's
        }
    }

    /// Adds the index, or the dictionaries that it is built from, and the model.
    #[must_use]
    pub(crate) fn source(mut self, source: &args::Source) -> Self {
        if source.index.is_empty() {
            let roots = indexes::roots();
            self.indexes.extend(roots.iter().flat_map(|root| indexes::subfolders(root)));
        }
        self.indexes.extend_from_slice(&source.index);
        for dicts in Dictionaries::find(source.dicts.as_slice()).paths() {
            let dictionaries = fs::read_dir(dicts).into_iter().flatten().flatten();
            let texts = dictionaries.map(|file| file.path());
            let texts = texts.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
            self.inputs.extend(texts.map(|path| (path, "a dictionary")));
            if dicts.is_file() {
                self.inputs.push((dicts.clone(), "a dictionary"));
            }
        }
        self.model(source.model.model.as_deref())
    }

    /// Refuses a run that would overwrite one of its inputs or its own output. `images` are
    /// inputs; with `sidecars`, their extension, each has a sidecar as an output. Opens no file.
    ///
    /// Cost: a system call per image where an output exists, two with sidecars; each folder is
    /// resolved once. Memory: some 150 bytes per image with sidecars, none without.
    ///
    /// # Errors
    /// [`OutputError::Input`], [`OutputError::InIndex`], [`OutputError::SamePath`].
    pub(crate) fn check(
        &self,
        images: &[PathBuf],
        sidecars: Option<&Extension>,
    ) -> Result<(), OutputError> {
        let mut locations = Locations::default();
        let (mut inputs, mut outputs) = (FileSet::default(), FileSet::default());
        // Devices and terminals may be read and written in one run.
        let is_regular =
            |(path, _): &&(PathBuf, _)| fs::metadata(path).map_or(true, |file| file.is_file());
        for (path, what) in self.inputs.iter().filter(is_regular) {
            inputs.add(&mut locations, path, what);
        }
        for (path, what) in self.outputs.iter().filter(is_regular) {
            if let Some(input) = inputs.find(&mut locations, path) {
                return Err(is_input(path, input));
            }
            if let Some(first) = outputs.find(&mut locations, path) {
                return Err(same_path(path, first, what));
            }
            self.check_indexes(path)?;
            outputs.add(&mut locations, path, what);
        }
        // An existing output is an image only by its inode; a missing one by its name.
        let any_exists = self.outputs.iter().any(|(path, _)| path.is_file());
        let names: Vec<_> = self.outputs.iter().filter_map(|(path, _)| path.file_name()).collect();
        for image in images {
            let has_name = || image.file_name().is_some_and(|name| names.contains(&name));
            let is_output = (any_exists || has_name())
                && match Id::of(image) {
                    Ok(id) => outputs.contains_id(&id),
                    Err(_) => outputs.find(&mut locations, image).is_some(),
                };
            if is_output {
                return Err(is_input(image, "an image"));
            }
        }
        match sidecars {
            Some(extension) => {
                sidecars::check(images, extension, &mut locations, &inputs, &outputs)
            }
            None => Ok(()),
        }
    }

    /// Refuses an output in the folder of an index.
    fn check_indexes(&self, path: &Path) -> Result<(), OutputError> {
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = build_index::durable::folder_of(&folder);
        let Ok(folder) = Id::of(folder) else { return Ok(()) };
        let is_same = |index: &&PathBuf| Id::of(index).is_ok_and(|index| index == folder);
        match self.indexes.iter().find(is_same) {
            Some(index) => {
                Err(OutputError::InIndex { path: path.to_owned(), index: index.clone() })
            }
            None => Ok(()),
        }
    }
}

/// Returns whether a file in a model's folder is one of the model.
pub(crate) fn is_model_file(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["safetensors", "bin", "pt", "pth", "json"].contains(&extension)
        || ["merges.txt", "vocab.txt"].contains(&name)
}

fn is_input(path: &Path, what: &str) -> OutputError {
    OutputError::Input { path: path.to_owned(), what: what.to_owned() }
}

fn same_path(path: &Path, first: &str, second: &str) -> OutputError {
    let (first, second) = (first.to_owned(), second.to_owned());
    OutputError::SamePath { path: path.to_owned(), first, second }
}
