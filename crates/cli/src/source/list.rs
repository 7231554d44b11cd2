//! Reads lists of paths from a file or standard input.

use std::io;
use std::path::{Path, PathBuf};

use interrogate::input::{LineEnding, Text};
use interrogate::limits;

use super::table;
use crate::error::CliError;

/// Reads the paths in the file `list`, or in standard input for `-`, in order. Paths are
/// separated by LF or CRLF, and blank lines are skipped; with `null`, each path ends in a
/// NUL byte and may contain newlines. A .csv or .tsv file may be a table with a column of
/// paths.
///
/// # Errors
/// If the list cannot be read, holds an invalid path, or is empty.
pub(super) fn read(list: &Path, null: bool) -> Result<Vec<PathBuf>, CliError> {
    let stdin = list == Path::new("-");
    let shown = if stdin { Path::new("standard input") } else { list };
    let mut text = match (stdin, null) {
        (true, false) => Text::new(shown, io::stdin().lock(), limits::LIST)?,
        (true, true) => Text::raw(shown, io::stdin().lock(), limits::LIST),
        (false, false) => Text::open(list, limits::LIST)?,
        (false, true) => Text::open_raw(list, limits::LIST)?,
    };
    let table = if stdin || null { None } else { table::delimiter(&mut text)? };
    let paths = match table {
        Some(delimiter) => table::read(text, delimiter)?,
        None => parse(text, null)?,
    };
    if paths.is_empty() {
        Err(CliError::NoImage { path: shown.to_owned(), problem: "no path in this list" })
    } else {
        Ok(paths)
    }
}

fn parse(text: Text<'_>, null: bool) -> interrogate::Result<Vec<PathBuf>> {
    let mut lines =
        text.lines(if null { LineEnding::Nul } else { LineEnding::Newline }, limits::LINE);
    let mut paths = Vec::new();
    while let Some(line) = lines.next_line()? {
        let bytes = line.bytes()?;
        if bytes.contains(&0) {
            return Err(line.mismatch("path", "no NUL", "one"));
        }
        if !bytes.is_empty() {
            paths.push(path(bytes));
        }
    }
    Ok(paths)
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], null: bool) -> interrogate::Result<Vec<PathBuf>> {
        let list = Path::new("list");
        if null {
            parse(Text::raw(list, bytes, limits::LIST), null)
        } else {
            parse(Text::new(list, bytes, limits::LIST)?, null)
        }
    }

    fn parsed(bytes: &[u8], null: bool) -> Vec<PathBuf> {
        text(bytes, null).unwrap()
    }

    #[test]
    fn byte_order_mark_is_not_part_of_a_path() {
        let expected = ["good.jpg", "good.png"].map(PathBuf::from);
        assert_eq!(parsed(b"\xef\xbb\xbfgood.jpg\r\ngood.png\r\n", false), expected);
        let utf16: Vec<u8> =
            "\u{feff}good.jpg\r\ngood.png".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parsed(&utf16, false), expected);
        assert_eq!(parsed(b"\xef\xbb\xbfa\0", true)[0], Path::new("\u{feff}a"));
    }

    #[test]
    fn invalid_path_is_an_error_with_its_line() {
        let error = |bytes: &[u8], null| text(bytes, null).unwrap_err().to_string();
        assert_eq!(error(b"a\n\nb\0c\n", false), "list:3: path: expected no NUL, found one");
        let long = [&b"a\n"[..], &vec![b'x'; limits::LINE + 1]].concat();
        let expected = "list:2: length: expected at most 65536 bytes, found more";
        assert_eq!(error(&long, false), expected);
        assert_eq!(error(&long, true), expected.replace(":2", ":1"));
        assert!(error(b"a\0\n\0", false).contains("found UTF-16 without a byte-order mark"));
    }

    #[test]
    fn paths_end_at_lf_or_crlf() {
        let paths = ["a b.jpg", " c.jpg", "d.jpg"].map(PathBuf::from);
        assert_eq!(parsed(b"a b.jpg\r\n\n c.jpg\nd.jpg", false), paths);
    }

    #[test]
    fn path_with_null_may_contain_newlines() {
        assert_eq!(parsed(b"a\nb.jpg\0c.jpg\0", true), ["a\nb.jpg", "c.jpg"].map(PathBuf::from));
    }

    #[test]
    #[cfg(unix)]
    fn path_may_be_invalid_utf_8() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(parsed(b"\xff.jpg\n", false)[0].as_os_str().as_bytes(), b"\xff.jpg");
    }
}
