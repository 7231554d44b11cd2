//! The run file: the lock of an output file, and the options that its rows were written with.
//!
//! Beside `answers.jsonl` it is `.answers.jsonl.run`, a [`Lock`] that also stores the
//! [`RunOptions`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use build_index::durable::folder_of;
use build_index::lock::Lock;
use interrogate::Error;
use interrogate::index::{Digest, Index};
use interrogate::models::Model;

use super::error::{OutputError, Result};
use super::run_options::RunOptions;
use crate::logger::with_causes;

/// The lock of an output file and the options of the run. The default is for an output that is
/// not locked.
#[derive(Debug, Default)]
pub(super) struct RunFile {
    /// The output file.
    path: PathBuf,
    lock: Option<Lock>,
    options: RunOptions,
    /// The options that the existing rows were written with, where they are resumed and known.
    previous: Option<RunOptions>,
    /// Notes for the user.
    pub(super) notes: Vec<String>,
}

impl RunFile {
    /// Locks the output file at `path`. Where its folder or its file system does not allow a
    /// lock, the run continues with a note.
    ///
    /// # Errors
    /// [`OutputError::InUse`]; [`Error::Mismatch`] where the run file is a file of the user or a
    /// link.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut run_file =
            RunFile { path: path.to_owned(), options: RunOptions::current(), ..RunFile::default() };
        match Lock::acquire(&run_file_path(path)) {
            Ok(Ok(lock)) => {
                if let Some(holder) = lock.previous_owner() {
                    let path = path.display();
                    run_file
                        .notes
                        .push(format!("{path}: lock taken over from a killed run ({holder})"));
                }
                run_file.lock = Some(lock);
            }
            Ok(Err(holder)) => return Err(OutputError::InUse { path: path.to_owned(), holder }),
            Err(error @ Error::Mismatch { .. }) => return Err(error.into()),
            Err(error) => run_file.notes.push(format!(
                "{}; {} is not locked against a second run, and its options are not saved",
                with_causes(&error),
                path.display()
            )),
        }
        Ok(run_file)
    }

    /// Compares the options of the existing rows with this run's. Where they are unknown, a note
    /// says so.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where they differ.
    pub(super) fn resume(&mut self) -> Result<()> {
        self.previous = RunOptions::from_json(self.lock.as_ref().map_or("", Lock::stored));
        match &self.previous {
            Some(previous) => self.refuse(previous.changes(&self.options)),
            None => {
                if self.lock.is_some() {
                    self.notes.push(format!(
                        "{}: the options that it was started with are unknown; assuming the same",
                        self.path.display()
                    ));
                }
                Ok(())
            }
        }
    }

    /// Sets the indexes of the run, one or more.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where the existing rows were written with another.
    pub(super) fn set_indexes(&mut self, indexes: &[Index]) -> Result<()> {
        let (mut manifests, mut paths) = (Vec::new(), Vec::new());
        for index in indexes {
            manifests.append(&mut index.manifest().to_json()?);
            paths.push(index.path().to_string_lossy());
        }
        let digest = Digest::of(&manifests).to_string();
        let paths = paths.join(", ");
        self.set_digest(digest, || format!("the index had other contents than {paths}"))
    }

    /// Sets the model of a run that uses no index.
    ///
    /// # Errors
    /// [`OutputError::OtherOptions`] where the existing rows were written with another, or with an
    /// index.
    pub(super) fn set_model(&mut self, model: &Model) -> Result<()> {
        let id = model.id();
        self.set_digest(model.fingerprint()?, || format!("the model was another than {id}"))
    }

    /// Sets the digest of what the rows are computed from; `changed` describes another.
    fn set_digest(&mut self, digest: String, changed: impl FnOnce() -> String) -> Result<()> {
        let previous = self.previous.as_ref().and_then(RunOptions::index);
        if previous.is_some_and(|previous| *previous != digest) {
            self.refuse(vec![changed()])?;
        }
        self.options.set_index(digest);
        Ok(())
    }

    /// Saves the options of the run.
    pub(super) fn save(&mut self) {
        if let Some(lock) = &mut self.lock {
            // Where this fails, the run that resumes finds them unknown.
            let _ = lock.store(&self.options.to_json());
        }
    }

    fn refuse(&self, changed: Vec<String>) -> Result<()> {
        if changed.is_empty() {
            Ok(())
        } else {
            Err(OutputError::OtherOptions { path: self.path.clone(), changed })
        }
    }
}

/// Returns the path of the run file of the output at `path`. Links are followed, so that a file
/// has one run file under any name.
pub(crate) fn run_file_path(path: &Path) -> PathBuf {
    let real = std::fs::read_link(path).and_then(|_| path.canonicalize());
    let path = real.as_deref().unwrap_or(path);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".run");
    folder_of(path).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open<const N: usize>(options: [(&str, &str); N], folder: &Path) -> RunFile {
        let mut run_file = RunFile::open(&folder.join("a.jsonl")).unwrap();
        run_file.options = options.into();
        run_file
    }

    #[test]
    fn file_of_other_options_is_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let options = [("--mode", "seed"), ("-k", "10")];
        let mut first = open(options, folder.path());
        first.resume().unwrap();
        assert!(first.notes[0].contains("options that it was started with are unknown"));
        first.save();
        drop(first);
        open(options, folder.path()).resume().unwrap();
        let others = [("--mode", "fast"), ("--deny", "d")];
        let error = open(others, folder.path()).resume().unwrap_err().to_string();
        let tail = "a.jsonl was started with other options: --deny was unset and is \"d\"; \
                    --mode was \"seed\" and is \"fast\"; -k was \"10\" and is unset";
        assert!(error.ends_with(tail), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn link_or_user_file_in_place_of_the_run_file_is_refused_and_kept() {
        use std::fs;
        let folder = tempfile::tempdir().unwrap();
        let (mine, path) = (folder.path().join("mine"), folder.path().join(".a.jsonl.run"));
        fs::write(&mine, "precious\n").unwrap();
        for (number, what) in ["kind: ", "links: ", "content: "].into_iter().enumerate() {
            match number {
                0 => std::os::unix::fs::symlink(&mine, &path).unwrap(),
                1 => fs::hard_link(&mine, &path).unwrap(),
                _ => fs::write(&path, "precious\n").unwrap(),
            }
            let error = RunFile::open(&folder.path().join("a.jsonl")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: {what}", path.display())), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), b"precious\n");
            assert_eq!(fs::read(&path).unwrap(), b"precious\n");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn second_run_is_refused_with_the_pid_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = open([], folder.path());
        let error = RunFile::open(&folder.path().join("a.jsonl")).unwrap_err().to_string();
        let pid = format!("a.jsonl is being written by another run (pid {}", std::process::id());
        assert!(error.contains(&pid), "{error}");
        drop(first);
        assert!(open([], folder.path()).notes.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn output_has_one_run_file_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.jsonl"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let _first = RunFile::open(&link).unwrap();
        let error = RunFile::open(&file).unwrap_err().to_string();
        assert!(error.contains("is being written by another run"), "{error}");
    }

    #[test]
    fn run_without_a_lock_continues_with_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let mut run_file = RunFile::open(&folder.path().join("gone/a.jsonl")).unwrap();
        assert!(run_file.notes[0].contains("is not locked against a second run"));
        run_file.save();
        run_file.resume().unwrap();
    }
}
