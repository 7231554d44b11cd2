//! The tags of a tagger: selected_tags.csv.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::input::{self, path_with_line};
use crate::{Error, Result, limits};

/// The category of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Category {
    /// How suggestive an image is; an image has the rating with the highest score.
    Rating,
    /// What an image shows.
    General,
    /// A character.
    Character,
}

/// A tag, as the file writes it: lower case, with underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The name.
    pub name: String,
    /// The category.
    pub category: Category,
}

impl Category {
    /// Returns the category that the file calls `number`: Danbooru's numbers, and 9 for ratings.
    fn of_number(number: &str) -> Option<Self> {
        match number {
            "9" => Some(Category::Rating),
            "0" => Some(Category::General),
            "4" => Some(Category::Character),
            _ => None,
        }
    }
}

/// Reads the tags at `path`, in the order of the tagger's scores: the columns `name` and
/// `category` of a CSV file with a header.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] with the line of a record that is not valid.
pub(super) fn read(path: &Path) -> Result<Vec<Tag>> {
    let bytes = input::read(path, limits::SMALL_FILE)?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&bytes[..]);
    let mut record = StringRecord::new();
    let invalid = |line: u64, what, expected: &str, found: &str| {
        let path = path_with_line(path, usize::try_from(line).unwrap_or(usize::MAX));
        Error::mismatch(path, what, expected, found)
    };
    let mut next = |record: &mut StringRecord| -> Result<Option<u64>> {
        let line = reader.position().line();
        match reader.read_record(record) {
            Ok(more) => Ok(more.then(|| record.position().map_or(line, csv::Position::line))),
            Err(_) => Err(invalid(line, "record", "CSV in UTF-8", "other bytes")),
        }
    };
    next(&mut record)?;
    let expected = "the columns name and category";
    let column = |name: &str| record.iter().position(|field| field == name);
    let (Some(name), Some(category)) = (column("name"), column("category")) else {
        let found: Vec<&str> = record.iter().take(8).collect();
        return Err(invalid(1, "header", expected, &found.join(",")));
    };
    let mut tags = Vec::new();
    while let Some(line) = next(&mut record)? {
        let field = |column: usize| record.get(column).unwrap_or_default();
        let number = field(category);
        let category = Category::of_number(number).ok_or_else(|| {
            invalid(line, "category", "9 (rating), 0 (general) or 4 (character)", number)
        })?;
        let name = field(name);
        if name.is_empty() || name.len() > limits::LINE || name.contains(char::is_control) {
            return Err(invalid(line, "name", "a tag on one line", &format!("{name:?}")));
        }
        tags.push(Tag { name: name.to_owned(), category });
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Result<Vec<Tag>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tags.csv");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|error| match error {
            Error::Mismatch { path, what, expected, found } => {
                let path = path.file_name().unwrap_or_default().into();
                Error::Mismatch { path, what, expected, found }
            }
            error => error,
        })
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let text = "category,count,name\n9,1,general\n0,2,\"a,b\"\n4,3,\"say_\"\"x\"\"\"\n";
        let expected = [
            ("general", Category::Rating),
            ("a,b", Category::General),
            ("say_\"x\"", Category::Character),
        ];
        let expected = expected.map(|(name, category)| Tag { name: name.into(), category });
        assert_eq!(tags(text).unwrap(), expected);
    }

    #[test]
    fn invalid_records_are_reported_with_their_line() {
        let message = |text: &str| tags(text).unwrap_err().to_string();
        let header = "tag_id,name,category,count\n";
        for (text, expected) in [
            ("", "tags.csv:1: header: expected the columns name and category, found "),
            ("a,b\n", "tags.csv:1: header: expected the columns name and category, found a,b"),
            (
                &format!("{header}1,x,0,1\n2,y,3,1\n"),
                "tags.csv:3: category: expected 9 (rating), 0 (general) or 4 (character), found 3",
            ),
            (&format!("{header}1\n"), "tags.csv:2: category: expected 9 (rating), 0"),
            (&format!("{header}1,,0,1\n"), "tags.csv:2: name: expected a tag on one line"),
            (&format!("{header}1,\"a\nb\",0,1\n"), "tags.csv:2: name: expected a tag on one line"),
        ] {
            let found = message(text);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tags.csv");
        std::fs::write(&path, b"name,category\n\xff,0\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("expected CSV in UTF-8"));
    }
}
