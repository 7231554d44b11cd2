//! Lists of paths: a file of them, or standard input.

use std::io;
use std::path::{Path, PathBuf};

use interrogate::{input, limits};

use crate::fault::Fault;

/// The paths that the file `list` holds, in its order; `-` is standard input.
/// One a line, without the line's end (LF or CRLF), blank lines left out; with
/// `null` each ends in a NUL byte instead and may hold anything else.
///
/// # Errors
/// Where it cannot be read or names nothing.
pub(super) fn read(list: &Path, null: bool) -> Result<Vec<PathBuf>, Fault> {
    let stdin = list == Path::new("-");
    let shown = if stdin { Path::new("standard input") } else { list };
    let bytes = match stdin {
        true => input::read_stream(shown, io::stdin().lock(), limits::LIST)?,
        false => input::read_named(list, limits::LIST)?,
    };
    let paths: Vec<PathBuf> = parse(&bytes, null).collect();
    match paths.is_empty() {
        true => Err(Fault::NoImage { path: shown.to_owned(), problem: "no path in this list" }),
        false => Ok(paths),
    }
}

fn parse(bytes: &[u8], null: bool) -> impl Iterator<Item = PathBuf> {
    let end = if null { b'\0' } else { b'\n' };
    let lines = bytes.split(move |&byte| byte == end);
    let lines = lines.map(move |line| match null {
        true => line,
        false => line.strip_suffix(b"\r").unwrap_or(line),
    });
    lines.filter(|line| !line.is_empty()).map(path)
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

    fn parsed(bytes: &[u8], null: bool) -> Vec<PathBuf> {
        parse(bytes, null).collect()
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
