//! Locations: what identifies a file that may be missing.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The number of links that are followed to a missing file at most, as on Linux.
const MAX_LINKS: usize = 40;

/// The number of a folder, and a name in it.
pub(super) type Location = (usize, OsString);

/// Numbers folders; each is resolved once.
#[derive(Default)]
pub(super) struct Locations {
    /// Folders as typed, and as resolved.
    typed: HashMap<PathBuf, usize>,
    real: HashMap<PathBuf, usize>,
}

impl Locations {
    /// Returns the location of `path` itself, whether or not it is a link.
    pub(super) fn of(&mut self, path: &Path) -> Location {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let number = match self.typed.get(folder) {
            Some(number) => *number,
            None => {
                let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                let next = self.real.len();
                let number = *self.real.entry(real).or_insert(next);
                self.typed.insert(folder.to_owned(), number);
                number
            }
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        (number, case_folded(name))
    }

    /// Returns the location that a write to `path` would create: links to missing files are
    /// followed.
    pub(super) fn of_target(&mut self, path: &Path) -> Location {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Ok(next) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(Path::new("")).join(next);
        }
        self.of(&path)
    }
}

fn case_folded(name: &OsStr) -> OsString {
    if cfg!(any(target_os = "macos", windows)) {
        name.to_string_lossy().to_lowercase().into()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_resolved_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut locations = Locations::default();
        for image in 0..1000 {
            let plain = locations.of(&folder.path().join(format!("{image}.jpg")));
            let dotted = locations.of(&folder.path().join(format!("./{image}.jpg")));
            assert_eq!(plain, dotted);
        }
        assert_eq!((locations.typed.len(), locations.real.len()), (1, 1));
    }
}
