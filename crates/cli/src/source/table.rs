//! Lists of images that are tables: the column of paths of a .csv or .tsv file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use interrogate::input::Text;
use interrogate::{Error, Result, limits};

use crate::records::{Records, column, fields};

/// The names of the column of paths.
const COLUMNS: [&str; 6] = ["image", "path", "file_name", "filename", "file", "url"];

/// Returns the delimiter of the table `text`; `None` for a list of lines: a file with another
/// ending than .csv and .tsv, or whose first line does not name a column of paths.
///
/// # Errors
/// Those of [`Text`].
pub(super) fn delimiter(text: &mut Text<'_>) -> Result<Option<u8>> {
    let ending = text.path().extension().and_then(OsStr::to_str).unwrap_or_default();
    let delimiter = match ending.to_ascii_lowercase().as_str() {
        "csv" => b',',
        "tsv" => b'\t',
        _ => return Ok(None),
    };
    let head = text.head(limits::RECORD)?;
    let mut lines = head.split(|&byte| matches!(byte, b'\n' | b'\r'));
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let first = fields(&String::from_utf8_lossy(first), delimiter);
    Ok(column(&first, &COLUMNS).map(|_| delimiter))
}

/// Reads the column of paths of a table with a header, in order.
///
/// # Errors
/// [`Error::Mismatch`] for a record without a path, with its line; those of [`Records`].
pub(super) fn read(text: Text<'_>, delimiter: u8) -> Result<Vec<PathBuf>> {
    let mut records = Records::new(text, delimiter);
    let Some((header, _)) = records.next_record()? else { return Ok(Vec::new()) };
    // `delimiter` has found the column in the same line.
    let number = column(header, &COLUMNS).unwrap_or_default();
    let mut paths = Vec::new();
    while let Some((record, here)) = records.next_record()? {
        let path = record.get(number).filter(|path| !path.is_empty() && !path.contains('\0'));
        let path = path.filter(|path| path.len() <= limits::LINE);
        let wrong = || Error::mismatch(here, "record", "a path", "none");
        paths.push(path.map(Path::new).ok_or_else(wrong)?.to_owned());
    }
    Ok(paths)
}
