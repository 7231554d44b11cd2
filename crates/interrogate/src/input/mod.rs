//! Files of others, opened to be read: none is waited for, and none is read without
//! an end.
//!
//! A path may lead to anything: a pipe that nobody writes to, a device that never
//! ends, a file that says it has a terabyte. What belongs to a model, an index or a
//! folder of dictionaries must be a regular file ([`open`], [`read`]). What a person
//! names to be read once may come from another program as well ([`read_file_or_pipe`]): a
//! pipe that is open already, as `<(sort labels)` and `/dev/stdin` are, and a
//! terminal. How much is taken is bounded in each case. Lists of lines have their
//! rules in [`Text`] and [`Lines`].
//!
//! This module knows what may be opened; what the bytes mean is for those who ask,
//! and what is mapped is for [`mmap`](crate::mmap), which opens its files here.

mod lines;
mod pointer;
mod text;

pub use lines::{Line, LineEnding, Lines, at};
pub use text::Text;

use std::fs::{self, File, FileType, Metadata};
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, limits};

/// Opens the regular file at `path`, through links. Costs two system calls and
/// waits for nobody.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] for a folder, a pipe, a socket or a device.
pub fn open(path: &Path) -> Result<File> {
    regular(path, "open").map(|(file, _)| file)
}

/// Reads the regular file at `path`, of at most `limit` bytes. A file that says it
/// has more is not begun.
///
/// # Errors
/// Those of [`open`], and [`Error::Mismatch`] for a longer file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, kind) = regular(path, "read")?;
    if kind.len() > limit {
        return Err(too_long(path, limit, kind.len()));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(kind.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(room).map_err(|e| Error::io("read", path)(e.into()))?;
    fill(path, file, limit, bytes)
}

/// The same as text.
///
/// # Errors
/// Those of [`read`], and [`Error::Mismatch`] for what is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| Error::mismatch(path, "text", "UTF-8", error.utf8_error()))
}

/// Reads what a person named to be read: a regular file as [`read`] does, or to its
/// end a pipe that is open already, which is one below `/dev` or `/proc`, or a
/// terminal or another device, of which at most 16 MiB are taken. A pipe with a name
/// of its own is refused: whoever opens it waits for one who writes to it.
///
/// # Errors
/// Those of [`read`].
pub fn read_file_or_pipe(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut text = Text::open_raw(path, limit)?;
    text.read_to_end(&mut bytes).map_err(|error| text::read_error(path, text.limit, error))?;
    Ok(bytes)
}

/// Reads `stream` to its end, which must come within `limit` bytes; `path` is for
/// messages.
///
/// # Errors
/// [`Error::Io`], and [`Error::Mismatch`] for a longer stream.
pub fn read_stream(path: &Path, stream: impl Read, limit: u64) -> Result<Vec<u8>> {
    fill(path, stream, limit, Vec::new())
}

/// Opens a regular file that is no pointer of Git LFS, and says what the system tells
/// of it. `action` is for errors.
pub(crate) fn regular(path: &Path, action: &'static str) -> Result<(File, Metadata)> {
    let mut options = File::options();
    options.read(true);
    // A pipe is then opened at once instead of waited for. Reads of regular files are
    // as ever (POSIX leaves it open, the systems that Rust knows ignore it).
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        // A socket cannot be opened at all; what it is says more than the error.
        Err(error) => match fs::metadata(path) {
            Ok(kind) if !kind.is_file() => return Err(not_a_file(path, kind.file_type())),
            _ => return Err(Error::io(action, path)(error)),
        },
    };
    // Asked of what is open, so that no other file can have come between.
    let kind = file.metadata().map_err(Error::io("read", path))?;
    if !kind.is_file() {
        return Err(not_a_file(path, kind.file_type()));
    }
    pointer::refuse(path, &file, kind.len())?;
    Ok((file, kind))
}

/// Of what is no regular file: how much may be read of it, where it may be at all.
fn stream_limit(path: &Path, kind: FileType) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let open_already = path.starts_with("/dev") || path.starts_with("/proc");
        if kind.is_fifo() && open_already {
            return Some(u64::MAX);
        }
        if kind.is_char_device() {
            return Some(limits::TERMINAL);
        }
    }
    let _ = (path, kind);
    None
}

fn fill(path: &Path, stream: impl Read, limit: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut stream = stream.take(limit.saturating_add(1));
    let found = stream.read_to_end(&mut bytes).map_err(Error::io("read", path))? as u64;
    if found > limit { Err(too_long(path, limit, "more")) } else { Ok(bytes) }
}

fn too_long(path: &Path, limit: u64, found: impl ToString) -> Error {
    Error::mismatch(path, "size", format!("at most {limit} bytes"), found)
}

/// The error of something that is no regular file.
pub(crate) fn not_a_file(path: &Path, kind: FileType) -> Error {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Error::mismatch(path, "kind", "a file", "a pipe");
        }
        if kind.is_socket() {
            return Error::mismatch(path, "kind", "a file", "a socket");
        }
    }
    let found = match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a symbolic link",
        _ => "a device",
    };
    Error::mismatch(path, "kind", "a file", found)
}

#[cfg(test)]
mod tests;
