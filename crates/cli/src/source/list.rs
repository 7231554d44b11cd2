//! Lists of paths: a file of them, or standard input.

use std::io;
use std::path::{Path, PathBuf};

use interrogate::input::{LineEnding, Text};
use interrogate::limits;

use crate::error::CliError;

/// The paths that the file `list` holds, in its order; `-` is standard input.
/// One a line, without the line's end (LF or CRLF), blank lines left out; with
/// `null` each ends in a NUL byte instead and may hold anything else.
///
/// # Errors
/// Where it cannot be read, a line is no path, or none is named.
pub(super) fn read(list: &Path, null: bool) -> Result<Vec<PathBuf>, CliError> {
    let stdin = list == Path::new("-");
    let shown = if stdin { Path::new("standard input") } else { list };
    let text = match (stdin, null) {
        (true, false) => Text::new(shown, io::stdin().lock(), limits::LIST)?,
        (true, true) => Text::raw(shown, io::stdin().lock(), limits::LIST),
        (false, false) => Text::open(list, limits::LIST)?,
        (false, true) => Text::open_raw(list, limits::LIST)?,
    };
    let paths = parse(text, null)?;
    match paths.is_empty() {
        true => Err(CliError::NoImage { path: shown.to_owned(), problem: "no path in this list" }),
        false => Ok(paths),
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
        match null {
            true => parse(Text::raw(list, bytes, limits::LIST), null),
            false => parse(Text::new(list, bytes, limits::LIST)?, null),
        }
    }

    fn parsed(bytes: &[u8], null: bool) -> Vec<PathBuf> {
        text(bytes, null).unwrap()
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_path() {
        let expected = ["good.jpg", "good.png"].map(PathBuf::from);
        assert_eq!(parsed(b"\xef\xbb\xbfgood.jpg\r\ngood.png\r\n", false), expected);
        let utf16: Vec<u8> =
            "\u{feff}good.jpg\r\ngood.png".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parsed(&utf16, false), expected);
        assert_eq!(parsed(b"\xef\xbb\xbfa\0", true)[0], Path::new("\u{feff}a"));
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_line() {
        let said = |bytes: &[u8], null| text(bytes, null).unwrap_err().to_string();
        assert_eq!(said(b"a\n\nb\0c\n", false), "list:3: path: expected no NUL, found one");
        let long = [&b"a\n"[..], &vec![b'x'; limits::LINE + 1]].concat();
        let expected = "list:2: length: expected at most 65536 bytes, found more";
        assert_eq!(said(&long, false), expected);
        assert_eq!(said(&long, true), expected.replace(":2", ":1"));
        assert!(said(b"a\0\n\0", false).contains("found UTF-16 without a byte-order mark"));
    }

    #[test]
    fn a_line_is_a_path_whatever_ends_it() {
        let paths = ["a b.jpg", " c.jpg", "d.jpg"].map(PathBuf::from);
        assert_eq!(parsed(b"a b.jpg\r\n\n c.jpg\nd.jpg", false), paths);
    }

    #[test]
    fn behind_a_nul_a_path_may_hold_a_line_end() {
        assert_eq!(parsed(b"a\nb.jpg\0c.jpg\0", true), ["a\nb.jpg", "c.jpg"].map(PathBuf::from));
    }

    #[test]
    #[cfg(unix)]
    fn a_path_need_not_be_utf_8() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(parsed(b"\xff.jpg\n", false)[0].as_os_str().as_bytes(), b"\xff.jpg");
    }
}
