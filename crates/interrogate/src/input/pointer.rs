//! Detects Git LFS pointers: small text files in place of files that were not fetched.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use crate::error::WeightsError;
use crate::{Error, Result};

/// The first bytes of a pointer (git-lfs, docs/spec.md, "The Pointer").
const START: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// Sizes of a pointer in bytes: the specification requires fewer than 1024.
const SIZES: std::ops::Range<u64> = START.len() as u64..1024;

/// Refuses a Git LFS pointer; otherwise rewinds `file`, which has `size` bytes. Files of
/// 1024 bytes or more are not read.
///
/// # Errors
/// [`WeightsError::LfsPointer`] for a pointer; [`Error::Io`].
pub(super) fn refuse(path: &Path, mut file: &File, size: u64) -> Result<()> {
    if !SIZES.contains(&size) {
        return Ok(());
    }
    let mut start = Vec::with_capacity(START.len());
    let read = file.take(START.len() as u64).read_to_end(&mut start);
    read.and_then(|_| file.rewind()).map_err(Error::io("read", path))?;
    if start == START {
        Err(Error::Weights(WeightsError::LfsPointer { path: path.to_owned() }))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lfs_pointers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        std::fs::write(&path, pointer).unwrap();
        let mapped = crate::mmap::Mmap::open(&path).err().unwrap();
        for error in [crate::input::read(&path, 1 << 20).unwrap_err(), mapped] {
            assert!(matches!(error, Error::Weights(WeightsError::LfsPointer { .. })), "{error}");
            assert!(error.to_string().ends_with("a Git LFS pointer, not the file itself"));
            assert!(error.hint().unwrap().contains("git lfs pull"));
        }
        for other in [pointer[1..].to_owned(), pointer[..41].to_owned(), pointer.repeat(20)] {
            std::fs::write(&path, &other).unwrap();
            assert_eq!(crate::input::read(&path, 1 << 20).unwrap(), other.as_bytes());
        }
    }
}
