//! Dictionaries: a text file with the labels of one table.
//!
//! `folder` finds the files, `lines` reads the labels, and `template` makes labels of the
//! names in artists.txt and sites.txt; `embedded` has the dictionaries that are compiled in. This
//! module parses the file's name.

mod embedded;
mod finding;
mod folder;
mod labels;
mod lines;
mod template;
mod texts;

pub use embedded::{embedded, embedded_texts};
pub use finding::{Finding, FindingKind};
pub(crate) use folder::check_tables;
pub use folder::open_all;
pub use labels::Duplicates;
pub(crate) use texts::Chunk;
pub use texts::Texts;

use std::path::{Path, PathBuf};

use interrogate::Error as LibraryError;
use interrogate::index::format::is_table_name;
use interrogate::input::Text;
use interrogate::limits;

use crate::{DictionaryError, Error, Result};
use lines::{Lines, ReadError};
use template::Template;

/// The labels of one table, and what was noticed in their file.
#[derive(Clone, Debug)]
pub struct Dictionary {
    path: PathBuf,
    table: String,
    top: Option<u32>,
    labels: Texts,
    findings: Vec<Finding>,
    /// The text, if it is compiled in.
    embedded: Option<&'static str>,
}

impl Dictionary {
    /// Reads the dictionary at `path`, a file or a pipe
    /// ([`interrogate::input::read_file_or_pipe`]).
    ///
    /// The table's name is the file's without `.txt`; `name.topN.txt` also means that a
    /// prompt takes `N` labels of the table. `artists.txt` and `sites.txt` hold names from
    /// which labels are made: see dicts/PROVENANCE.md.
    ///
    /// Memory: the text of the labels and four bytes for each; while reading, about 20
    /// bytes more for each.
    ///
    /// # Errors
    /// [`interrogate::Error::Io`] where the file cannot be read,
    /// [`DictionaryError::TableName`], [`DictionaryError::Top`], [`DictionaryError::NoLabel`] where no line is a
    /// label, and [`interrogate::Error::Mismatch`] where it is no file, has more than
    /// 4 GiB, or is UTF-16 without a byte-order mark.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Duplicates::LeaveOut)
    }

    /// Like [`open`](Self::open); `duplicates` says what happens to repeated labels.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(path: &Path, duplicates: Duplicates) -> Result<Self> {
        table_of(path)?; // before the file is read
        // Read and not mapped: people edit dictionaries in place.
        Self::read(Text::open(path, limits::LIST)?, duplicates)
    }

    /// Parses the bytes of a dictionary file; the table's name is from `path`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but for those of reading.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::read(Text::new(path, bytes, limits::LIST)?, Duplicates::LeaveOut)
    }

    fn read(text: Text<'_>, duplicates: Duplicates) -> Result<Self> {
        let path = &text.path().to_owned();
        let (name, top) = table_of(path)?;
        let error = |error| self::error(path, error);
        let Lines { count: lines, labels: names, mut findings } =
            lines::read(text, duplicates).map_err(error)?;
        if names.is_empty() {
            return Err(
                DictionaryError::NoLabel { path: path.to_owned(), lines, left_out: lines }.into()
            );
        }
        let template = Template::of(&name);
        let table = template.table().map_or(name, str::to_owned);
        let labels = template.labels(names, &mut findings);
        let labels = labels.map_err(|too_large| error(too_large.into()))?.into_texts();
        findings.sort_by_key(|finding| finding.line);
        Ok(Dictionary { path: path.to_owned(), table, top, labels, findings, embedded: None })
    }

    /// The file; for an [embedded](embedded()) dictionary the file's name in a folder
    /// `<embedded>`, which does not exist.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the dictionary is compiled in.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// How many of the labels a prompt takes, if the file's name gives it.
    pub fn top(&self) -> Option<u32> {
        self.top
    }

    /// The labels in the order of the file; each once, unless duplicates are kept.
    pub fn labels(&self) -> &Texts {
        &self.labels
    }

    /// Returns the labels as clip-interrogator 0.6.0 makes them, in its order: every line,
    /// stripped, with blank ones and duplicates. Bytes that are not UTF-8 become U+FFFD.
    /// Reads the file again unless it is embedded, so it fails for a pipe.
    ///
    /// # Errors
    /// [`interrogate::Error::Io`], and [`interrogate::Error::Mismatch`] where a line is
    /// longer than 64 KiB or the labels are more than 4 GiB.
    pub fn every_label(&self) -> Result<Texts> {
        let (name, _) = table_of(&self.path)?;
        let text = match self.embedded {
            Some(text) => Text::new(&self.path, text.as_bytes(), limits::LIST)?,
            None => Text::open(&self.path, limits::LIST)?,
        };
        let lines = lines::read_all(text);
        let labels = lines.and_then(|lines| Ok(Template::of(&name).all_labels(lines)?));
        labels.map_err(|why| error(&self.path, why))
    }

    /// Returns a dictionary of the labels with these numbers, in their order. Numbers beyond the
    /// last label are passed over.
    #[must_use]
    pub fn select(&self, numbers: &[usize]) -> Self {
        let mut labels = Texts::default();
        for label in numbers.iter().filter_map(|&number| self.labels.get(number)) {
            // They fit: all of them did.
            let _ = labels.push(&[label]);
        }
        let (path, table) = (self.path.clone(), self.table.clone());
        Dictionary { path, table, top: self.top, labels, findings: Vec::new(), embedded: None }
    }

    /// What was noticed, by line.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

fn error(path: &Path, error: ReadError) -> Error {
    match error {
        ReadError::Library(error) => error.into(),
        ReadError::TooLarge => {
            LibraryError::mismatch(path, "labels", "at most 4 GiB", "more").into()
        }
    }
}

/// Parses a file name: `dir/flavors.top3.txt` gives `("flavors", Some(3))`.
fn table_of(path: &Path) -> Result<(String, Option<u32>)> {
    let path = path.to_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let digits = |(_, n): &(&str, &str)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    let (name, top) = match name.rsplit_once(".top").filter(digits) {
        None => (name, None),
        Some((table, n)) => match n.parse() {
            Ok(top) => (table.to_owned(), Some(top)),
            Err(_) => return Err(DictionaryError::Top { found: n.to_owned(), path }.into()),
        },
    };
    if is_table_name(&name) {
        Ok((name, top))
    } else {
        Err(DictionaryError::TableName { path, name }.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parse(name: &str, text: &str) -> Result<Dictionary> {
        Dictionary::parse(Path::new(name), text.as_bytes())
    }

    #[test]
    fn file_name_gives_table_and_top() {
        for (file, table, top) in [
            ("a/flavors.txt", "flavors", None),
            ("flavors.top3.txt", "flavors", Some(3)),
            ("flavors.top0.txt", "flavors", Some(0)),
            ("flavors.topten.txt", "flavors.topten", None),
            ("flavors.top.txt", "flavors.top", None),
            ("artists.top1.txt", "artists", Some(1)),
            ("my list.TXT", "my list", None),
        ] {
            let dictionary = parse(file, "x").unwrap();
            assert_eq!((dictionary.table(), dictionary.top()), (table, top), "{file}");
        }
    }

    #[test]
    fn invalid_table_names_are_refused() {
        for file in ["a:b.txt", ".txt.txt", "..", ".top3.txt", "x\u{7}.txt"] {
            assert!(
                matches!(
                    parse(file, "x"),
                    Err(Error::Dictionary(DictionaryError::TableName { .. }))
                ),
                "{file}"
            );
        }
        let error = parse("x.top99999999999.txt", "x").unwrap_err();
        assert!(matches!(error, Error::Dictionary(DictionaryError::Top { .. })), "{error}");
    }

    #[test]
    fn file_without_a_label_is_an_error() {
        for text in ["", "\n", " \n\t\r\n", "\u{feff}"] {
            let error = parse("x.txt", text).unwrap_err().to_string();
            assert!(error.starts_with("no label in x.txt: "), "{text:?}: {error}");
        }
        let error = parse("x.txt", "\n\n").unwrap_err().to_string();
        assert_eq!(error, "no label in x.txt: 2 of 2 lines left out");
    }

    #[test]
    fn artists_become_by_and_inspired_by() {
        let artists = parse("artists.txt", "Monet\nKlimt\nMonet\n").unwrap();
        let labels = ["by Monet", "by Klimt", "inspired by Monet", "inspired by Klimt"];
        assert_eq!(*artists.labels(), labels);
        assert_eq!(artists.findings().len(), 1, "a repeated name is one finding");
    }

    #[test]
    fn duplicates_are_kept_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let keep = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Dictionary::open_with(&path, Duplicates::Keep).unwrap()
        };
        let hats = keep("hats.txt", "a cap\n\na beret\n a cap\n");
        assert_eq!(*hats.labels(), ["a cap", "a beret", "a cap"]);
        assert_eq!(hats.findings().len(), 1, "the blank line");
        let artists = keep("artists.txt", "A\nA\n");
        assert_eq!(*artists.labels(), ["by A", "by A", "inspired by A", "inspired by A"]);
    }

    #[test]
    fn sites_become_trendings() {
        let sites = parse("sites.txt", "flickr\n").unwrap();
        let labels =
            ["flickr", "trending on flickr", "featured on flickr", "flickr contest winner"];
        assert_eq!(sites.table(), "trendings");
        assert_eq!(*sites.labels(), labels);
    }

    #[test]
    fn every_label_includes_blank_and_repeated_lines() {
        let folder = tempfile::tempdir().unwrap();
        let every = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Dictionary::open(&path).unwrap().every_label().unwrap()
        };
        assert_eq!(
            every("flavors.txt", b" a\n\nb \r\na\ncaf\xe9\n"),
            ["a", "", "b", "a", "caf\u{fffd}"]
        );
        assert_eq!(
            every("artists.txt", b"A\nA"),
            ["by A", "by A", "inspired by A", "inspired by A"]
        );
        assert_eq!(every("sites.txt", b"s").len(), 4);
    }

    #[test]
    fn label_that_a_template_makes_twice_is_a_finding() {
        let sites = parse("sites.txt", "a\ntrending on a\n").unwrap();
        assert_eq!(sites.labels().len(), 7);
        let found = sites.findings()[0].to_string();
        assert_eq!(found, "line 1: \"trending on a\" is already on line 2, left out");
    }
}
