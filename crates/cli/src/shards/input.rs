//! The inputs of shards, and the names that their files begin with.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use crate::args;
use crate::error::CliError;
use crate::image_name;
use crate::source::{self, InputKind};

/// The longest name that a shard's file begins with, in characters.
const LONGEST: usize = 120;

/// An input whose results are one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// As typed.
    pub(super) path: PathBuf,
    pub(super) kind: InputKind,
    /// What the name of its shard begins with.
    pub(super) stem: String,
}

impl Input {
    /// Returns the inputs that `images` names, sorted by path.
    ///
    /// # Errors
    /// [`CliError::Arguments`] for a path that is no input of several images.
    pub(super) fn all(images: &args::Images) -> Result<Vec<Self>, CliError> {
        let mut paths = Vec::new();
        for path in source::expand(&images.paths)? {
            let kind = source::input_kind(&path).ok_or_else(|| not_an_input(&path))?;
            paths.push((path, kind));
        }
        if let Some(list) = &images.filelist {
            if list == Path::new("-") {
                return Err(not_an_input(list));
            }
            paths.push((list.clone(), InputKind::List));
        }
        paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        paths.dedup();
        let stems = stems(&paths)?;
        let inputs = paths.into_iter().zip(stems);
        Ok(inputs.map(|((path, kind), stem)| Input { path, kind, stem }).collect())
    }

    /// Returns the options of the input's images alone.
    pub(super) fn images(&self, images: &args::Images) -> args::Images {
        let (paths, filelist) = match self.kind {
            InputKind::List => (Vec::new(), Some(self.path.clone())),
            _ => (vec![self.path.clone()], None),
        };
        args::Images { paths, filelist, ..images.clone() }
    }
}

fn not_an_input(path: &Path) -> CliError {
    let expected = "an archive, a Parquet file, a folder or a list (.txt, .csv, .tsv)";
    CliError::Arguments {
        message: format!("{}: --shards expects {expected}", path.display()),
        hint: "save standard input to a file, and list single images and addresses in one"
            .to_owned(),
    }
}

/// Returns a name for each input: the file's name without its ending, or as much of the path as
/// tells the inputs apart.
fn stems(inputs: &[(PathBuf, InputKind)]) -> Result<Vec<String>, CliError> {
    let deepest = inputs.iter().map(|(path, _)| path.components().count()).max().unwrap_or(0);
    for level in 0..=deepest + 1 {
        let stems: Vec<String> =
            inputs.iter().map(|(path, kind)| stem(path, *kind, level)).collect();
        // File systems may ignore case.
        let unique: HashSet<_> = stems.iter().map(|stem| stem.to_lowercase()).collect();
        if unique.len() == stems.len() {
            return Ok(stems);
        }
    }
    Err(CliError::Arguments {
        message: "two inputs would have shards with the same name".to_owned(),
        hint: "write them to different folders".to_owned(),
    })
}

/// Returns the name of `path` at a level: without its ending, whole, with the folder above it,
/// with the two above it.
fn stem(path: &Path, kind: InputKind, level: usize) -> String {
    let full = if path.file_name().is_none() { path.canonicalize().ok() } else { None };
    let path = full.as_deref().unwrap_or(path);
    let parts: Vec<String> = path
        .components()
        .filter(|part| !matches!(part, Component::CurDir | Component::RootDir))
        .map(|part| image_name::text(Path::new(part.as_os_str())))
        .collect();
    let last = parts.len().saturating_sub(level.max(1));
    let mut name = parts[last..].join(".");
    if level == 0 && kind != InputKind::Folder {
        let lower = name.to_ascii_lowercase();
        let endings = [".tar.gz", ".tgz", ".tar", ".parquet", ".txt", ".csv", ".tsv", ".list"];
        if let Some(ending) = endings.iter().find(|ending| lower.ends_with(**ending)) {
            name.truncate(name.len() - ending.len());
        }
    }
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    // Readers of folders leave out names that begin with a dot or an underscore.
    let name = name.trim_start_matches(['.', '_']);
    let start = name.chars().count().saturating_sub(LONGEST);
    let name: String = name.chars().skip(start).collect();
    if name.is_empty() { "images".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems_of(paths: &[&str]) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|p| (p.into(), InputKind::Archive)).collect();
        stems(&paths).unwrap()
    }

    #[test]
    fn names_are_as_long_as_they_must_be_to_differ() {
        assert_eq!(stems_of(&["a/00000.tar", "a/00001.tar.gz"]), ["00000", "00001"]);
        assert_eq!(stems_of(&["a/0.tar", "a/0.parquet"]), ["0.tar", "0.parquet"]);
        assert_eq!(stems_of(&["a/0.tar", "b/0.tar"]), ["a.0.tar", "b.0.tar"]);
        assert_eq!(stems_of(&["a b/.x:1.tar"]), ["x_1"]);
        assert_eq!(stems_of(&[&format!("{}.tar", "x".repeat(200))])[0].len(), LONGEST);
    }

    #[test]
    fn inputs_with_one_name_are_refused() {
        let paths = ["a b.tar", "a_b.tar"].map(|path| (path.into(), InputKind::Archive));
        let error = stems(&paths).unwrap_err().to_string();
        assert!(error.contains("the same name"), "{error}");
    }

    #[test]
    fn inputs_are_sorted_and_a_single_image_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("photos")).unwrap();
        let all = |names: &[&str]| {
            Input::all(&args::Images::at(names.iter().map(|name| path(name)).collect()))
        };
        let inputs = all(&["b.tar", "photos", "a.parquet", "c.txt", "b.tar"]).unwrap();
        let kinds: Vec<_> = inputs.iter().map(|input| (&*input.stem, input.kind)).collect();
        let expected = [
            ("a", InputKind::Parquet),
            ("b", InputKind::Archive),
            ("c", InputKind::List),
            ("photos", InputKind::Folder),
        ];
        assert_eq!(kinds, expected);
        for name in ["cat.jpg", "photos/../gone"] {
            let error = all(&[name]).unwrap_err().to_string();
            assert!(error.contains("--shards expects an archive"), "{error}");
        }
        let error = Input::all(&args::Images::at(vec!["-".into()])).unwrap_err();
        assert!(matches!(error, CliError::Arguments { .. }));
    }
}
