//! Iterates over the members of a tar archive in bounded memory.
//!
//! The crate `tar` parses headers; this module goes from one to the next. The crate's own
//! iterator reads long names and extended attributes of any length, and reads the content
//! that it skips. Formats: ustar and pax (POSIX.1-2001), GNU's long names and sparse files.

use std::path::PathBuf;

use interrogate::limits::{ARCHIVE_ZEROS, MEMBER_HEADER};
use interrogate::{Error, Result};
use tar::{EntryType, GnuExtSparseHeader, Header, PaxExtensions};

use super::archive_bytes::ArchiveBytes;

/// The block size in bytes; headers and contents are padded to it.
const BLOCK: u64 = 512;

/// An open archive.
pub(super) struct Members<'a> {
    bytes: ArchiveBytes<'a>,
    /// The offset of the next header.
    next: u64,
    /// Whether a block of zeros followed the last member.
    ended: bool,
}

/// A member; [`Members::read`] reads its content.
#[derive(Debug)]
pub(super) struct Member {
    /// The name in the archive, unchanged.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// The offset of the content; `size` is its length in bytes.
    pub(super) at: u64,
    pub(super) size: u64,
}

/// The kind of a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// Another name of the member that this one names.
    HardLink(Vec<u8>),
    SymbolicLink,
    /// A file stored without its runs of zeros.
    Sparse,
    /// A folder, a device, a pipe.
    Other,
}

/// The values of extension headers for the member that follows.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(bytes: ArchiveBytes<'a>) -> Self {
        Members { bytes, next: 0, ended: false }
    }

    /// Whether no content can be read once a later header has been.
    pub(super) fn is_read_once(&self) -> bool {
        self.bytes.is_read_once()
    }

    /// Returns the next member; `None` at the end of the archive. Skips blocks of zeros
    /// between members, which archives joined by `cat` have.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Mismatch`] for a damaged or truncated archive.
    pub(super) fn next(&mut self) -> Result<Option<Member>> {
        let mut extended = Extended::default();
        let mut zeros = 0;
        loop {
            let start = self.next;
            let mut block = [0; BLOCK as usize];
            let found = self.bytes.read(start, &mut block)?;
            if found < block.len() {
                return match (self.ended, found) {
                    (true, _) => Ok(None),
                    (false, 0) => Err(self.cut("a block of zeros at the end", "none")),
                    (false, found) => Err(self.short(start, block.len(), found)),
                };
            }
            self.next += BLOCK;
            if block.iter().all(|&byte| byte == 0) {
                (zeros, self.ended) = (zeros + BLOCK, true);
                if zeros >= ARCHIVE_ZEROS {
                    return Ok(None);
                }
                continue;
            }
            let header = Header::from_byte_slice(&block);
            if !has_checksum(header) {
                // Two blocks of zeros end the archive, and anything may follow; one does not.
                return if zeros > BLOCK {
                    Ok(None)
                } else {
                    Err(self.damaged(start, "a header", "a wrong checksum"))
                };
            }
            (zeros, self.ended) = (0, false);
            let kind = header.entry_type();
            let long =
                kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions();
            let mut size = header.entry_size().map_err(|e| self.damaged(start, "a size", e))?;
            if long {
                let bytes = self.extension(start, size)?;
                match kind {
                    EntryType::GNULongName => extended.name = Some(until_nul(bytes)),
                    EntryType::GNULongLink => extended.link = Some(until_nul(bytes)),
                    _ => self.pax(start, &bytes, &mut extended)?,
                }
                continue;
            }
            if kind.is_pax_global_extensions() {
                self.skip(start, size)?;
                continue;
            }
            size = extended.size.unwrap_or(size);
            let sparse = extended.sparse || kind.is_gnu_sparse();
            if kind.is_gnu_sparse() && header.as_gnu().is_some_and(|gnu| gnu.is_extended()) {
                self.sparse_map()?;
            }
            let name = extended.name.take().unwrap_or_else(|| header.path_bytes().into_owned());
            let link = || header.link_name_bytes().map_or_else(Vec::new, |link| link.into_owned());
            let kind = match kind {
                _ if sparse => Kind::Sparse,
                // The oldest archives mark a folder by a slash at the end of its name.
                EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Other,
                EntryType::Regular | EntryType::Continuous => Kind::File,
                EntryType::Link => Kind::HardLink(extended.link.take().unwrap_or_else(link)),
                EntryType::Symlink => Kind::SymbolicLink,
                _ => Kind::Other,
            };
            let at = self.next;
            // Checked against the length when the next header or the content is read.
            self.next = self.after(start, size)?;
            return Ok(Some(Member { name, kind, at, size }));
        }
    }

    /// Reads `size` bytes at offset `at`: the content of `name`.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn read(&mut self, name: &str, at: u64, size: u64) -> Result<Vec<u8>> {
        let bytes = self.bytes.content(at, size)?;
        if (bytes.len() as u64) < size {
            return Err(self.cut(format_args!("{size} bytes of {name}"), bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads the content of the extension header at `start`.
    fn extension(&mut self, start: u64, size: u64) -> Result<Vec<u8>> {
        if size > MEMBER_HEADER {
            let expected = format!("a name or attributes of at most {MEMBER_HEADER} bytes");
            return Err(self.damaged(start, expected, size));
        }
        let at = self.next;
        self.next = self.after(start, size)?;
        self.read("a header", at, size)
    }

    /// Skips the content of the header at `start`.
    fn skip(&mut self, start: u64, size: u64) -> Result<()> {
        self.next = self.after(start, size)?;
        Ok(())
    }

    /// Returns the offset of the header after `size` bytes of content.
    fn after(&self, start: u64, size: u64) -> Result<u64> {
        let blocks = size.checked_next_multiple_of(BLOCK);
        let next = blocks.and_then(|size| self.next.checked_add(size));
        next.ok_or_else(|| self.damaged(start, "a size", size))
    }

    /// Parses pax attributes into `extended`.
    fn pax(&self, start: u64, bytes: &[u8], extended: &mut Extended) -> Result<()> {
        for attribute in PaxExtensions::new(bytes) {
            let attribute = attribute.map_err(|e| self.damaged(start, "pax attributes", e))?;
            let value = attribute.value_bytes();
            match attribute.key_bytes() {
                // `GNU.sparse.name` has the real name of a sparse file; `path` is made up.
                b"path" if extended.sparse && extended.name.is_some() => {}
                b"path" => extended.name = Some(value.to_vec()),
                b"linkpath" => extended.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                    let found =
                        || String::from_utf8_lossy(&value[..value.len().min(80)]).into_owned();
                    let wrong = || self.damaged(start, "a size", found());
                    extended.size = Some(size.ok_or_else(wrong)?);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    extended.sparse = true;
                    if key == b"GNU.sparse.name" {
                        extended.name = Some(value.to_vec());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Skips the blocks that continue the map of a sparse file.
    fn sparse_map(&mut self) -> Result<()> {
        let mut more = GnuExtSparseHeader::new();
        loop {
            let found = self.bytes.read(self.next, more.as_mut_bytes())?;
            if (found as u64) < BLOCK {
                return Err(self.short(self.next, more.as_bytes().len(), found));
            }
            self.next += BLOCK;
            if !more.is_extended() {
                return Ok(());
            }
        }
    }

    /// The error for `found` bytes at offset `at` instead of `expected`.
    fn short(&self, at: u64, expected: usize, found: usize) -> Error {
        self.cut(format_args!("{expected} bytes at byte {at}"), found)
    }

    fn cut(&self, expected: impl ToString, found: impl ToString) -> Error {
        Error::mismatch(self.bytes.path(), "archive cut short", expected, found)
    }

    fn damaged(&self, start: u64, expected: impl ToString, found: impl ToString) -> Error {
        let expected = format!("{} at byte {start}", expected.to_string());
        Error::mismatch(self.bytes.path(), "archive", expected, found)
    }
}

/// Returns whether the header has its checksum: the sum of its bytes, in which the eight
/// bytes of the checksum count as spaces.
fn has_checksum(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    let own: u32 = bytes[148..156].iter().map(|&byte| u32::from(byte)).sum();
    header.cksum().is_ok_and(|expected| expected == sum - own + 8 * 32)
}

/// Truncates a GNU long name at its NUL.
fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Returns a member's name as a relative path: `data/0.jpg` for `/data/0.jpg` and
/// `./data/0.jpg`. `..` is kept, since it distinguishes members.
pub(super) fn below(name: &[u8]) -> PathBuf {
    let parts = name.split(|&byte| byte == b'/').filter(|part| !matches!(part, [] | [b'.']));
    parts.map(part).collect()
}

#[cfg(unix)]
fn part(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

/// Replaces the separators of this system, so that a part stays a single part.
#[cfg(not(unix))]
fn part(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).replace(['\\', ':'], "_").into()
}
