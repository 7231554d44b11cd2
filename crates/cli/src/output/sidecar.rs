//! Sidecars: the text of each image beside it, photo.txt beside photo.jpg.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use build_index::durable::{self, Draft};
use interrogate::{input, limits};

use super::error::Result;
use crate::args::{self, Extension};

/// Separates a text from the one that it is appended to.
const SEPARATOR: &str = ", ";

/// Writes sidecars, and counts them.
#[derive(Debug, Default)]
pub(crate) struct Sidecars {
    on_existing: OnExisting,
    extension: Extension,
    written: usize,
    kept: usize,
    /// The number of sidecars that could not be read or written: their images have failed.
    pub(crate) failed: usize,
    /// The folders that were swept of the drafts of killed runs, which lists the folder.
    swept: HashSet<PathBuf>,
}

/// What to do with an existing sidecar.
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
        Sidecars { on_existing, extension: args.extension(), ..Sidecars::default() }
    }

    /// Writes `text` beside `image`, whole or not at all. A sidecar that ends with `text` is kept:
    /// it was appended to before.
    ///
    /// # Errors
    /// [`Error::Io`](interrogate::Error::Io).
    pub(super) fn write(&mut self, image: &Path, text: &str) -> Result<()> {
        let path = self.extension.sidecar(image);
        let text = match (self.on_existing, path.exists()) {
            (OnExisting::Keep, true) => {
                self.kept += 1;
                return Ok(());
            }
            (OnExisting::Append, true) => {
                let old = input::read_text(&path, limits::SMALL_FILE)?;
                match old.trim_end() {
                    "" => text.to_owned(),
                    old if old == text || old.ends_with(&format!("{SEPARATOR}{text}")) => {
                        self.kept += 1;
                        return Ok(());
                    }
                    old => format!("{old}{SEPARATOR}{text}"),
                }
            }
            _ => text.to_owned(),
        };
        let folder = durable::folder_of(&path);
        if !self.swept.contains(folder) {
            // A folder that cannot be listed may still be writable.
            let _ = durable::sweep(folder);
            self.swept.insert(folder.to_owned());
        }
        let mut draft = Draft::create(folder)?;
        draft.append((text + "\n").as_bytes())?;
        draft.persist(&path)?;
        self.written += 1;
        Ok(())
    }

    /// Returns the counts as a sentence; `None` where no image had a sidecar.
    pub(crate) fn summary(&self) -> Option<String> {
        let s = |n| if n == 1 { "" } else { "s" };
        match (self.written, self.kept) {
            (0, 0) => None,
            (written, 0) => Some(format!("{written} sidecar{} written", s(written))),
            (written, kept) => Some(format!(
                "{written} sidecar{} written, {kept} already existed and {} kept: --append adds to them, --overwrite replaces them",
                s(written),
                if kept == 1 { "was" } else { "were" }
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write_beside(on_existing: OnExisting, old: Option<&str>) -> (String, usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let (image, text) = (folder.path().join("a.b.jpg"), folder.path().join("a.b.txt"));
        if let Some(old) = old {
            fs::write(&text, old).unwrap();
        }
        let mut sidecars = Sidecars { on_existing, ..Sidecars::default() };
        sidecars.write(&image, "a cat, 8 k").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        (fs::read_to_string(text).unwrap(), sidecars.written, sidecars.kept)
    }

    #[test]
    fn sidecar_is_written_beside_its_image() {
        for on_existing in [OnExisting::Keep, OnExisting::Append, OnExisting::Replace] {
            assert_eq!(write_beside(on_existing, None), ("a cat, 8 k\n".into(), 1, 0));
        }
    }

    #[test]
    fn sidecar_has_the_extension_of_the_options() {
        let folder = tempfile::tempdir().unwrap();
        let extension = ".caption".parse().unwrap();
        let mut sidecars = Sidecars { extension, ..Sidecars::default() };
        sidecars.write(&folder.path().join("a.b.jpg"), "a cat").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.b.caption")).unwrap(), "a cat\n");
    }

    #[test]
    fn existing_sidecar_is_kept_appended_to_or_replaced() {
        assert_eq!(write_beside(OnExisting::Keep, Some("mine")), ("mine".into(), 0, 1));
        assert_eq!(write_beside(OnExisting::Replace, Some("mine")), ("a cat, 8 k\n".into(), 1, 0));
        let added = ("mine, a cat, 8 k\n".into(), 1, 0);
        assert_eq!(write_beside(OnExisting::Append, Some("mine\n")), added);
        assert_eq!(write_beside(OnExisting::Append, Some("")), ("a cat, 8 k\n".into(), 1, 0));
    }

    #[test]
    fn text_is_appended_once() {
        for old in ["a cat, 8 k\n", "mine, a cat, 8 k"] {
            assert_eq!(write_beside(OnExisting::Append, Some(old)), (old.into(), 0, 1));
        }
        let other = "not a cat, 8 k".to_owned();
        assert_eq!(
            write_beside(OnExisting::Append, Some(&other)).0,
            "not a cat, 8 k, a cat, 8 k\n"
        );
    }

    /// A sweep lists the folder, so its cost must not grow with the images.
    #[test]
    fn folder_is_swept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let left = path("a/.interrogate-0123456789ab.part");
        fs::create_dir_all(path("a")).unwrap();
        fs::create_dir_all(path("b")).unwrap();
        let mut sidecars = Sidecars::default();
        for round in 0..3 {
            fs::write(&left, "left by a killed run").unwrap();
            for name in ["a", "b"] {
                sidecars.write(&path(&format!("{name}/{round}.jpg")), "x").unwrap();
            }
            assert_eq!(left.exists(), round > 0, "{round}");
        }
        assert_eq!((sidecars.swept.len(), sidecars.written), (2, 6));
    }

    #[test]
    fn write_error_names_the_folder() {
        let mut sidecars = Sidecars::default();
        let error = sidecars.write(Path::new("/gone/a.jpg"), "x").unwrap_err().to_string();
        assert!(error.contains("cannot write to /gone"), "{error}");
    }
}
