//! Files that stand for others: what Git LFS leaves where it has not fetched.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use crate::{Error, Result};

/// How a pointer begins (git-lfs, docs/spec.md, "The Pointer").
const START: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// Bytes of a pointer: the specification wants fewer than 1024.
const SIZES: std::ops::Range<u64> = START.len() as u64..1024;

/// Refuses `file` of `size` bytes where it is a pointer; the next read begins at its
/// first byte. Costs nothing for larger files.
///
/// # Errors
/// [`Error::LfsPointer`], [`Error::Io`].
pub(super) fn refuse(path: &Path, mut file: &File, size: u64) -> Result<()> {
    if !SIZES.contains(&size) {
        return Ok(());
    }
    let mut start = Vec::with_capacity(START.len());
    let read = file.take(START.len() as u64).read_to_end(&mut start);
    read.and_then(|_| file.rewind()).map_err(Error::io("read", path))?;
    match start == START {
        true => Err(Error::LfsPointer { path: path.to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_named_and_nothing_else_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        std::fs::write(&path, pointer).unwrap();
        let mapped = crate::mmap::Mmap::open(&path).err().unwrap();
        for error in [crate::input::read(&path, 1 << 20).unwrap_err(), mapped] {
            assert!(matches!(error, Error::LfsPointer { .. }), "{error}");
            assert!(error.to_string().ends_with("a Git LFS pointer, not the file itself"));
            assert!(error.hint().unwrap().contains("git lfs pull"));
        }
        for other in [pointer[1..].to_owned(), pointer[..41].to_owned(), pointer.repeat(20)] {
            std::fs::write(&path, &other).unwrap();
            assert_eq!(crate::input::read(&path, 1 << 20).unwrap(), other.as_bytes());
        }
    }
}
