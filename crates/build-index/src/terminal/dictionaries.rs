//! The dictionaries of a build: files and folders that an option names, `dicts/` in the working
//! folder, or the embedded ones.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Dictionary, Result, embedded, open_all};

/// The folder of dictionaries that is used without an option, if it exists.
const FOLDER: &str = "dicts";

/// Where dictionaries are read from. [`Display`](fmt::Display) names it in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dictionaries {
    /// These files and folders.
    Paths(Vec<PathBuf>),
    /// The [embedded](embedded()) dictionaries.
    Embedded,
}

impl Dictionaries {
    /// Returns `given` if there are any, else `dicts/` in the working folder if it exists, else
    /// the embedded ones.
    pub fn find(given: &[PathBuf]) -> Self {
        match given {
            [] if Path::new(FOLDER).is_dir() => Dictionaries::Paths(vec![FOLDER.into()]),
            [] => Dictionaries::Embedded,
            given => Dictionaries::Paths(given.to_vec()),
        }
    }

    /// The files and folders; empty for the embedded ones.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Dictionaries::Paths(paths) => paths,
            Dictionaries::Embedded => &[],
        }
    }

    /// Reads the dictionaries.
    ///
    /// # Errors
    /// Those of [`open_all`] or [`embedded`](embedded()).
    pub fn open(&self) -> Result<Vec<Dictionary>> {
        match self {
            Dictionaries::Paths(paths) => open_all(paths),
            Dictionaries::Embedded => embedded(),
        }
    }
}

impl fmt::Display for Dictionaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dictionaries::Paths(paths) => {
                let names: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
                f.write_str(&names.join(", "))
            }
            Dictionaries::Embedded => f.write_str("the embedded dictionaries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_paths_come_first_and_the_tests_folder_has_none() {
        let given = ["a".into(), "b.txt".into()];
        assert_eq!(Dictionaries::find(&given).paths(), given);
        assert_eq!(Dictionaries::find(&given).to_string(), "a, b.txt");
        // Tests run in the package's folder.
        assert_eq!(Dictionaries::find(&[]), Dictionaries::Embedded);
        assert_eq!(Dictionaries::Embedded.open().unwrap().len(), 6);
    }
}
