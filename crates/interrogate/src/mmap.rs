//! Memory-mapped files.
//!
//! The only place that maps a file. It owns the contract of the map; the meaning of the bytes is
//! for `index` and `weights`.

use std::io::{ErrorKind, Read};
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapOptions;
use zerocopy::IntoBytes;

use crate::{Error, Result, input};

/// Whether files are read into memory instead of mapped.
static DISABLED: AtomicBool = AtomicBool::new(false);

/// Disables mapping for the rest of the process: every file opened from now on is read into
/// memory. That is slower and takes as much memory as the file has bytes; but if another program
/// truncates a file, that is an error and not a signal.
///
/// This is a setting of the process because it depends on the machine (a network share, a
/// synchronized folder) and not on a model or an index. As an option it would pass through every
/// function that opens either.
pub fn disable() {
    DISABLED.store(true, Ordering::Relaxed);
}

/// The bytes of a whole file, mapped read-only; read into memory if maps are
/// [disabled](disable).
///
/// **Truncation.** The file must not shrink while the map lives: reading past its new end raises
/// SIGBUS, which no Rust code can catch. This project replaces its files by rename and never
/// writes them in place, so that a map of the old file stays whole.
///
/// **Changes in place.** Changes by another program are visible, so that the same byte may be
/// read twice with two values. Readers therefore copy text and structure before they validate
/// it, and never borrow a `str` from a map. Numbers (rows, codes, weights) are read in place: a
/// changed one is a wrong number, as every bit pattern is a value. In Rust's memory model such a
/// read is a data race; it is accepted here, as in every program that maps files, because no
/// compiler can know of the writer and each value is bounds-checked where it is used.
#[derive(Debug)]
pub struct Mmap(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    /// In units of 16 bytes, so that rows and codes have the alignment of a map.
    Read(Vec<u128>, usize),
}

impl Mmap {
    /// Maps the file at `path`. Costs four system calls and reads nothing.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or mapped, [`Error::Mismatch`] if it is not a
    /// regular file, or shrinks while it is read.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with_start(path, &mut []).map(|(map, _)| map)
    }

    /// Like [`open`](Self::open), and reads the first bytes of the file into `start`. If only
    /// these are needed, a read is much cheaper than the first access to a mapped page, when the
    /// system maps the pages around it too.
    pub(crate) fn open_with_start<'a>(
        path: &Path,
        start: &'a mut [u8],
    ) -> Result<(Self, &'a [u8])> {
        let (mut file, kind) = input::regular(path, "open")?;
        let Some(length) = usize::try_from(kind.len()).ok().and_then(NonZero::new) else {
            return match kind.len() {
                0 => Ok((Mmap(Bytes::Read(Vec::new(), 0)), &[])), // cannot be mapped
                more => {
                    let most = format!("at most {} bytes", usize::MAX);
                    Err(Error::mismatch(path, "size", most, more))
                }
            };
        };
        if DISABLED.load(Ordering::Relaxed) {
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
        // SAFETY: the map is read-only and owned by this value. The file changing below it is
        // the type's documented contract.
        let map = unsafe { MmapOptions::new().len(length.get()).map(&file) };
        let map = map.map_err(Error::io("map", path))?;
        Ok((Mmap(Bytes::Mapped(map)), start.get(..read).unwrap_or_default()))
    }

    /// Tells the system that the bytes in `range` are not needed for now, so that their pages no
    /// longer count as this process's memory. Reading them again gives the same bytes. Does
    /// nothing on systems without such a call.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.0
            && range.end <= map.len()
        {
            // SAFETY: the map is of a file, shared and never written, so dropped pages are read
            // from the file again.
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

/// The bytes of a file that is mapped or compiled in. Cloning does not copy them.
#[derive(Clone, Debug)]
pub(crate) enum FileBytes {
    Mapped(Arc<Mmap>),
    Embedded(&'static [u8]),
}

impl FileBytes {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// Those of [`Mmap::open`].
    pub(crate) fn map(path: &Path) -> Result<Self> {
        Mmap::open(path).map(|map| FileBytes::Mapped(Arc::new(map)))
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            FileBytes::Mapped(map) => (**map).as_ref(),
            FileBytes::Embedded(bytes) => bytes,
        }
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

/// Reads `length` bytes, the size of the file when it was opened.
fn read(path: &Path, mut file: impl Read, length: usize) -> Result<Bytes> {
    let count = length.div_ceil(size_of::<u128>());
    let mut units: Vec<u128> = Vec::new();
    units.try_reserve_exact(count).map_err(|e| Error::io("read", path)(e.into()))?;
    units.resize(count, 0);
    let bytes = units.as_mut_bytes().get_mut(..length).unwrap_or_default();
    match file.read_exact(bytes) {
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
    fn read_files_have_the_bytes_and_alignment_of_maps() {
        for length in [1usize, 15, 16, 17, 4099] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let whole = Mmap(read(Path::new("x"), &bytes[..], length).unwrap());
            assert_eq!(whole.as_ref(), bytes);
            assert!(whole.as_ref().as_ptr().addr().is_multiple_of(16));
            whole.release(0..length);
        }
    }

    #[test]
    fn file_truncated_during_the_read_is_an_error() {
        let error = read(Path::new("x"), &[1u8, 2][..], 3).unwrap_err().to_string();
        assert_eq!(error, "x: size: expected 3 bytes, found fewer: it was truncated");
    }

    /// No address space is that large.
    #[test]
    fn file_larger_than_memory_is_an_error() {
        let error = read(Path::new("x"), std::io::repeat(0), usize::MAX / 2).unwrap_err();
        assert!(matches!(error, Error::Io { action: "read", .. }), "{error}");
    }
}
