//! Files read through the page cache instead of copied.
//!
//! The one place that maps a file. It owns the contract of the map; what the
//! bytes mean is for `index` and `weights`.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use crate::{Error, Result};

/// A read-only map of a whole file.
///
/// The file must not shrink while the map lives: reading past a new end raises
/// SIGBUS, which no Rust code can catch. Everything this project writes is
/// replaced by rename and never written in place, so that a map of the old file
/// stays whole. Bytes that another program changes in place show through; every
/// reader in this library checks what it reads and indexes with bounds, so that
/// a changed byte gives a wrong number or an error, never undefined behaviour.
#[derive(Debug)]
pub struct Mmap(Option<memmap2::Mmap>);

impl Mmap {
    /// Maps the file at `path`. Costs a system call; reads nothing.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let kind = file.metadata().map_err(Error::io("read", path))?;
        if kind.is_dir() {
            return Err(Error::mismatch(path, "kind", "a file", "a folder"));
        }
        if kind.len() == 0 {
            return Ok(Mmap(None)); // an empty file cannot be mapped
        }
        // SAFETY: the map is read-only and private to this value, which owns it.
        // The file changing below it is the type's documented contract.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Mmap(Some(map)))
    }

    /// Says that the bytes in `range` are not needed for now, so that their
    /// pages count to this process no longer; reading them again gives the same
    /// bytes. Does nothing where the system knows no such thing.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Some(map) = &self.0
            && range.end <= map.len()
        {
            // SAFETY: the map is of a file, shared and never written, so that
            // dropped pages are read from the file again.
            let _ = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl AsRef<[u8]> for Mmap {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
