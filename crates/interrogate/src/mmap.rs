//! Files read through the page cache instead of copied.
//!
//! The one place that maps a file. It owns the contract of the map; what the
//! bytes mean is for `index` and `weights`.

use std::io::{ErrorKind, Read};
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;

use memmap2::MmapOptions;

use crate::{Error, Result, input};

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
    /// Maps the file at `path`. Costs four system calls; reads nothing.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened or mapped, [`Error::Mismatch`]
    /// where it is no regular file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_reading(path, &mut []).map(|(map, _)| map)
    }

    /// The same, and the file's first bytes, as many as `start` has room for: where
    /// little is looked at, a read costs a fraction of the first touch of a mapped
    /// page, with which the system maps the pages around it.
    pub(crate) fn open_reading<'a>(path: &Path, start: &'a mut [u8]) -> Result<(Self, &'a [u8])> {
        let (mut file, kind) = input::regular(path, "open")?;
        let Some(length) = usize::try_from(kind.len()).ok().and_then(NonZero::new) else {
            return match kind.len() {
                0 => Ok((Mmap(None), &[])), // an empty file cannot be mapped
                more => Err(Error::mismatch(path, "size", "what this system can map", more)),
            };
        };
        let read = match start.len() {
            0 => 0,
            _ => match file.read(start) {
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                read => read.map_err(Error::io("read", path))?,
            },
        };
        // SAFETY: the map is read-only and private to this value, which owns it.
        // The file changing below it is the type's documented contract.
        let map = unsafe { MmapOptions::new().len(length.get()).map(&file) };
        let map = map.map_err(Error::io("map", path))?;
        Ok((Mmap(Some(map)), start.get(..read).unwrap_or_default()))
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
