//! Texts beside the images: photo.txt beside photo.jpg.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use build_index::durable::{self, Draft};
use interrogate::{input, limits};

use crate::args;
use crate::error::CliError;

/// What is behind a text that was added to another.
const JOINT: &str = ", ";

/// Writes sidecars, and counts them.
#[derive(Debug, Default)]
pub(crate) struct Sidecars {
    /// What is done where one stands already.
    on_existing: OnExisting,
    written: usize,
    left: usize,
    /// How many could not be read or written: their images have failed.
    pub(crate) failed: usize,
    /// The folders that were written to. Each is swept once of what killed runs left: that
    /// lists the folder.
    swept: HashSet<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default)]
enum OnExisting {
    #[default]
    Keep,
    Append,
    Replace,
}

impl Sidecars {
    pub(crate) fn new(args: &args::Sidecars, overwrite: bool) -> Self {
        let on_existing = match (args.append, overwrite) {
            (true, _) => OnExisting::Append,
            (_, true) => OnExisting::Replace,
            _ => OnExisting::Keep,
        };
        Sidecars { on_existing, ..Sidecars::default() }
    }

    /// Writes `text` beside `image`. It is there whole or not at all; a text that
    /// ends with it already has been added to before, and is left.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(super) fn write(&mut self, image: &Path, text: &str) -> Result<(), CliError> {
        let path = sidecar_path(image);
        let text = match (self.on_existing, path.exists()) {
            (OnExisting::Keep, true) => {
                self.left += 1;
                return Ok(());
            }
            (OnExisting::Append, true) => {
                let old = input::read_text(&path, limits::SMALL_FILE)?;
                match old.trim_end() {
                    "" => text.to_owned(),
                    old if old == text || old.ends_with(&format!("{JOINT}{text}")) => {
                        self.left += 1;
                        return Ok(());
                    }
                    old => format!("{old}{JOINT}{text}"),
                }
            }
            _ => text.to_owned(),
        };
        let folder = durable::folder_of(&path);
        if !self.swept.contains(folder) {
            // One that cannot be listed can be written all the same.
            let _ = durable::sweep(folder);
            self.swept.insert(folder.to_owned());
        }
        let mut draft = Draft::create(folder)?;
        draft.append((text + "\n").as_bytes())?;
        draft.persist(&path)?;
        self.written += 1;
        Ok(())
    }

    /// What was done, where anything was.
    pub(crate) fn summary(&self) -> Option<String> {
        let s = |n| if n == 1 { "" } else { "s" };
        match (self.written, self.left) {
            (0, 0) => None,
            (written, 0) => Some(format!("{written} sidecar{} written", s(written))),
            (written, left) => Some(format!(
                "{written} sidecar{} written, {left} stood already and {} left as they were: --append adds to them, --overwrite replaces them",
                s(written),
                if left == 1 { "was" } else { "were" }
            )),
        }
    }
}

/// Where the sidecar of `image` stands.
pub(crate) fn sidecar_path(image: &Path) -> PathBuf {
    image.with_extension("txt")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn told(on_existing: OnExisting, old: Option<&str>) -> (String, usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let (image, text) = (folder.path().join("a.b.jpg"), folder.path().join("a.b.txt"));
        if let Some(old) = old {
            fs::write(&text, old).unwrap();
        }
        let mut sidecars = Sidecars { on_existing, ..Sidecars::default() };
        sidecars.write(&image, "a cat, 8 k").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        (fs::read_to_string(text).unwrap(), sidecars.written, sidecars.left)
    }

    #[test]
    fn a_text_stands_beside_its_image() {
        for on_existing in [OnExisting::Keep, OnExisting::Append, OnExisting::Replace] {
            assert_eq!(told(on_existing, None), ("a cat, 8 k\n".into(), 1, 0));
        }
    }

    #[test]
    fn what_stands_is_left_added_to_or_replaced() {
        assert_eq!(told(OnExisting::Keep, Some("mine")), ("mine".into(), 0, 1));
        assert_eq!(told(OnExisting::Replace, Some("mine")), ("a cat, 8 k\n".into(), 1, 0));
        let added = ("mine, a cat, 8 k\n".into(), 1, 0);
        assert_eq!(told(OnExisting::Append, Some("mine\n")), added);
        assert_eq!(told(OnExisting::Append, Some("")), ("a cat, 8 k\n".into(), 1, 0));
    }

    #[test]
    fn a_text_is_added_once() {
        for old in ["a cat, 8 k\n", "mine, a cat, 8 k"] {
            assert_eq!(told(OnExisting::Append, Some(old)), (old.into(), 0, 1));
        }
        let other = "not a cat, 8 k".to_owned();
        assert_eq!(told(OnExisting::Append, Some(&other)).0, "not a cat, 8 k, a cat, 8 k\n");
    }

    /// A folder is listed once a run, whatever the order of the images.
    #[test]
    fn a_folder_is_swept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let left = path("a/.interrogate-0123456789ab.part");
        fs::create_dir_all(path("a")).unwrap();
        fs::create_dir_all(path("b")).unwrap();
        let mut sidecars = Sidecars::default();
        for round in 0..3 {
            fs::write(&left, "left by a run that was killed").unwrap();
            for name in ["a", "b"] {
                sidecars.write(&path(&format!("{name}/{round}.jpg")), "x").unwrap();
            }
            assert_eq!(left.exists(), round > 0, "{round}");
        }
        assert_eq!((sidecars.swept.len(), sidecars.written), (2, 6));
    }

    #[test]
    fn one_that_cannot_be_written_is_named() {
        let mut sidecars = Sidecars::default();
        let error = sidecars.write(Path::new("/gone/a.jpg"), "x").unwrap_err().to_string();
        assert!(error.contains("cannot write to /gone"), "{error}");
    }
}
