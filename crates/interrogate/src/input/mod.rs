//! Opens input files safely: no read blocks on a pipe without a writer, and every read
//! has a size limit.
//!
//! A path may name a pipe that nobody writes to, a device that never ends, or a sparse
//! file of a terabyte. Files of a model, an index or a folder of dictionaries must be
//! regular files ([`open`], [`read`]). A file that the user names to be read once may
//! also come from another program ([`read_file_or_pipe`]): an open pipe, such as
//! `<(sort labels)` or `/dev/stdin`, or a terminal. [`Text`] and [`Lines`] read lists of
//! lines.
//!
//! This module decides what may be opened; the caller parses the bytes.
//! [`mmap`](crate::mmap) opens its files here.

mod lines;
mod pointer;
mod text;

pub use lines::{Line, LineEnding, Lines, path_with_line};
pub use text::Text;

use std::fs::{self, File, FileType, Metadata};
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, limits};

/// Opens the regular file at `path`, following symbolic links. Makes two system calls and
/// never blocks on a pipe.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] for a folder, a pipe, a socket or a device.
pub fn open(path: &Path) -> Result<File> {
    regular(path, "open").map(|(file, _)| file)
}

/// Reads the regular file at `path`, of at most `limit` bytes. A larger file is refused
/// before its first byte is read.
///
/// # Errors
/// Those of [`open`]; [`Error::Mismatch`] for a larger file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, metadata) = regular(path, "read")?;
    if metadata.len() > limit {
        return Err(too_long(path, limit, metadata.len()));
    }
    let mut bytes = Vec::new();
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(size).map_err(|e| Error::io("read", path)(e.into()))?;
    read_to_end(path, file, limit, bytes)
}

/// Like [`read`], for a file of UTF-8.
///
/// # Errors
/// Those of [`read`]; [`Error::Mismatch`] for bytes that are not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| Error::mismatch(path, "text", "UTF-8", error.utf8_error()))
}

/// Reads a regular file as [`read`] does, or to its end an open pipe (a path below `/dev`
/// or `/proc`), a terminal or another character device. A device may give at most 16 MiB.
/// A named pipe is refused, since opening one blocks until there is a writer.
///
/// # Errors
/// Those of [`read`].
pub fn read_file_or_pipe(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut text = Text::open_raw(path, limit)?;
    text.read_to_end(&mut bytes).map_err(|error| text::read_error(path, text.limit, error))?;
    Ok(bytes)
}

/// Reads `stream`, of at most `limit` bytes, to its end; `path` is for messages.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] for a longer stream.
pub fn read_stream(path: &Path, stream: impl Read, limit: u64) -> Result<Vec<u8>> {
    read_to_end(path, stream, limit, Vec::new())
}

/// Opens a regular file that is not a Git LFS pointer; returns it with its metadata.
/// `action` is the verb of an error message.
pub(crate) fn regular(path: &Path, action: &'static str) -> Result<(File, Metadata)> {
    let mut options = File::options();
    options.read(true);
    // Without this flag, opening a named pipe blocks. For regular files POSIX leaves its
    // effect unspecified; the systems that Rust supports ignore it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        // A socket cannot be opened at all; its kind says more than the system's error.
        Err(error) => match fs::metadata(path) {
            Ok(kind) if !kind.is_file() => return Err(not_a_file(path, kind.file_type())),
            _ => return Err(Error::io(action, path)(error)),
        },
    };
    // The metadata of the open file, not of the path, which may name another file by now.
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(not_a_file(path, metadata.file_type()));
    }
    pointer::refuse(path, &file, metadata.len())?;
    Ok((file, metadata))
}

/// Returns how many bytes may be read from a pipe or device, or `None` if it must not be
/// opened.
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

fn read_to_end(path: &Path, stream: impl Read, limit: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut stream = stream.take(limit.saturating_add(1));
    let found = stream.read_to_end(&mut bytes).map_err(Error::io("read", path))? as u64;
    if found > limit { Err(too_long(path, limit, "more")) } else { Ok(bytes) }
}

fn too_long(path: &Path, limit: u64, found: impl ToString) -> Error {
    Error::mismatch(path, "size", format!("at most {limit} bytes"), found)
}

/// Returns the error for a path that is not a regular file.
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
