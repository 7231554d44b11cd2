//! Files read through the page cache instead of copied.
//!
//! The one place that maps a file. It owns the contract of the map; what the
//! bytes mean is for `index` and `weights`.

use std::io::{ErrorKind, Read};
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapOptions;
use zerocopy::IntoBytes;

use crate::{Error, Result, input};

/// Whether files are read instead of mapped.
static READ: AtomicBool = AtomicBool::new(false);

/// Reads every file that is opened from now on into memory instead of mapping it,
/// for the rest of the process. It is slower and takes as much memory as the file
/// has bytes; a file that another program truncates is then an error, and never a
/// signal.
///
/// It is a setting of the process because it belongs to the machine (a network share,
/// a folder that is synchronized) and not to a model or an index: as an option it
/// would go through every function that opens either.
pub fn disable() {
    READ.store(true, Ordering::Relaxed);
}

/// The bytes of a whole file, mapped and read-only; read into memory where maps are
/// [disabled](disable).
///
/// **Truncation.** The file must not shrink while the map lives: reading past a new
/// end raises SIGBUS, which no Rust code can catch. Everything this project writes is
/// replaced by rename and never written in place, so that a map of the old file
/// stays whole.
///
/// **Changes in place.** Bytes that another program changes show through, so that the
/// same byte may be read twice with two values. Readers therefore copy text and
/// structure before they validate it, and never lend a `str` into a map. Numbers
/// (rows, codes, weights) are read where they lie: a changed one is a wrong number,
/// as every bit pattern is a value. By Rust's memory model such a read is a data race
/// all the same; it is accepted here, as in every program that maps files, because
/// no compiler can know of the writer and each value is bounds-checked where it is
/// used.
#[derive(Debug)]
pub struct Mmap(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    /// In units of 16 bytes, so that rows and codes are aligned as in a map.
    Read(Vec<u128>, usize),
}

impl Mmap {
    /// Maps the file at `path`. Costs four system calls; reads nothing.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened or mapped, [`Error::Mismatch`]
    /// where it is no regular file, or shrinks while it is read.
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
                0 => Ok((Mmap(Bytes::Read(Vec::new(), 0)), &[])), // cannot be mapped
                more => Err(Error::mismatch(path, "size", "what this system can map", more)),
            };
        };
        if READ.load(Ordering::Relaxed) {
            let bytes = read(path, file, length.get())?;
            return Ok((Mmap(bytes), &[]));
        }
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
        Ok((Mmap(Bytes::Mapped(map)), start.get(..read).unwrap_or_default()))
    }

    /// Says that the bytes in `range` are not needed for now, so that their
    /// pages count to this process no longer; reading them again gives the same
    /// bytes. Does nothing where the system knows no such thing.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.0
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
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Read(units, length) => units.as_bytes().get(..*length).unwrap_or_default(),
        }
    }
}

/// Reads the `length` bytes that the file had when it was opened.
fn read(path: &Path, mut file: impl Read, length: usize) -> Result<Bytes> {
    let count = length.div_ceil(size_of::<u128>());
    let mut units: Vec<u128> = Vec::new();
    units.try_reserve_exact(count).map_err(|e| Error::io("read", path)(e.into()))?;
    units.resize(count, 0);
    let room = units.as_mut_bytes().get_mut(..length).unwrap_or_default();
    match file.read_exact(room) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Error::mismatch(path, "size", format!("{length} bytes"), "fewer: it was truncated"))
        }
        read => read.map_err(Error::io("read", path)).map(|()| Bytes::Read(units, length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_read_has_the_bytes_of_its_map_and_their_alignment() {
        for length in [1usize, 15, 16, 17, 4099] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let whole = Mmap(read(Path::new("x"), &bytes[..], length).unwrap());
            assert_eq!(whole.as_ref(), bytes);
            assert!(whole.as_ref().as_ptr().addr().is_multiple_of(16));
            whole.release(0..length);
        }
    }

    #[test]
    fn a_file_truncated_while_it_is_read_is_an_error() {
        let error = read(Path::new("x"), &[1u8, 2][..], 3).unwrap_err().to_string();
        assert_eq!(error, "x: size: expected 3 bytes, found fewer: it was truncated");
    }

    /// No address space has room for it.
    #[test]
    fn a_file_that_says_it_is_larger_than_memory_is_an_error() {
        let error = read(Path::new("x"), std::io::repeat(0), usize::MAX / 2).unwrap_err();
        assert!(matches!(error, Error::Io { action: "read", .. }), "{error}");
    }
}
