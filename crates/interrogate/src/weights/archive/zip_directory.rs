//! Reads the central directory of a zip file (PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and
//! 4.5.3).
//!
//! Owns the records and not the entries' contents: compressed entries are marked and not
//! unpacked. Every length is checked against the file, and the directory's own length against
//! [`ARCHIVE_DIRECTORY`], so memory is bounded by the directory's size.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::limits::ARCHIVE_DIRECTORY;

/// Maximum length of the comment after the last record: its length field has 16 bits.
const MAX_COMMENT: usize = 0xffff;

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The byte range of its data, checked to be inside the file.
    pub(super) range: Range<usize>,
    pub(super) crc32: u32,
    /// Whether its data is neither compressed nor encrypted.
    pub(super) stored: bool,
    /// The CRC-32 of its data, computed once and shared by all tensors in it.
    pub(super) found: Arc<OnceLock<u32>>,
}

/// What is wrong with a zip file.
pub(super) type ZipError = &'static str;

/// Reads the names and entries of the zip file `file`, in directory order.
pub(super) fn read(file: &[u8]) -> Result<Vec<(String, Entry)>, ZipError> {
    let (count, records) = directory(file)?;
    // Copied because a mapped file can change between the check and the use of a name.
    let records = records.to_vec();
    let mut records = &records[..];
    // A record has at least 46 bytes.
    let mut entries = Vec::with_capacity(records.len() / 46);
    while entries.len() as u64 != count {
        let (record, rest) = central_record(records).ok_or("a truncated directory")?;
        records = rest;
        let name = String::from_utf8_lossy(record.name).into_owned();
        let entry = locate(file, &record).ok_or("an entry outside the file")?;
        entries.push((name, entry));
    }
    Ok(entries)
}

/// Finds the central directory: the number of entries and the bytes of their records.
fn directory(file: &[u8]) -> Result<(u64, &[u8]), ZipError> {
    let latest = file.len().checked_sub(22).ok_or("no end of central directory")?;
    let earliest = latest.saturating_sub(MAX_COMMENT);
    let ends = |at: &usize| {
        let comment = Fields(&file[*at..]).after(b"PK\x05\x06", 16).and_then(|mut f| f.u16());
        comment.is_some_and(|length| at + 22 + usize::from(length) == file.len())
    };
    let at = (earliest..=latest).rev().find(ends).ok_or("no end of central directory")?;
    let mut end = Fields(&file[at + 4..]);
    let mut read = || {
        let disks = (end.u16()?, end.u16()?);
        let counts = (end.u16()?, end.u16()?);
        Some((disks, counts, end.u32()?, end.u32()?))
    };
    let (disks, counts, size, start) = read().ok_or("no end of central directory")?;
    let mut found = (u64::from(counts.1), u64::from(size), u64::from(start));
    // Values that do not fit 16 or 32 bits are in the zip64 record.
    if counts.1 == u16::MAX || size == u32::MAX || start == u32::MAX {
        found = zip64_end(file, at).unwrap_or(found);
    } else if disks != (0, 0) || counts.0 != counts.1 {
        return Err("a multi-part archive");
    }
    let (count, size, start) = found;
    let range = usize::try_from(start).ok().zip(usize::try_from(size).ok());
    let range = range.and_then(|(start, size)| Some(start..start.checked_add(size)?));
    let records = range.and_then(|range| file.get(range)).ok_or("a directory outside the file")?;
    match records.len() {
        0..=ARCHIVE_DIRECTORY => Ok((count, records)),
        _ => Err("a directory of more than 4 MiB"),
    }
}

/// Reads count, size and start from the zip64 records, whose locator precedes the end record
/// at `at`.
fn zip64_end(file: &[u8], at: usize) -> Option<(u64, u64, u64)> {
    let locator = Fields(file.get(at.checked_sub(20)?..at)?).after(b"PK\x06\x07", 4)?.u64()?;
    let record = file.get(usize::try_from(locator).ok()?..)?;
    let mut record = Fields(record).after(b"PK\x06\x06", 28)?;
    Some((record.u64()?, record.u64()?, record.u64()?))
}

/// A record of the central directory.
struct CentralRecord<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    crc32: u32,
    size: u64,
    start: u64,
}

/// Parses the first record; returns it and the bytes after it.
fn central_record(records: &[u8]) -> Option<(CentralRecord<'_>, &[u8])> {
    let mut fields = Fields(records).after(b"PK\x01\x02", 4)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.take(4)?; // time and date
    let (crc32, size, unpacked) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let lengths = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
    fields.take(8)?; // disk and attributes
    let start = fields.u32()?;
    let (name, extra) = (fields.take(lengths[0])?, fields.take(lengths[1])?);
    fields.take(lengths[2])?; // comment
    let mut record =
        CentralRecord { name, flags, method, crc32, size: size.into(), start: start.into() };
    // The zip64 extra field has, in this order, only those values whose own field is full.
    if let Some(mut wide) = extra_field(extra, 1) {
        if unpacked == u32::MAX {
            wide.u64()?;
        }
        if size == u32::MAX {
            record.size = wide.u64()?;
        }
        if start == u32::MAX {
            record.start = wide.u64()?;
        }
    }
    Some((record, fields.0))
}

/// Returns the extra field with the id `wanted`.
fn extra_field(extra: &[u8], wanted: u16) -> Option<Fields<'_>> {
    let mut fields = Fields(extra);
    loop {
        let (number, length) = (fields.u16()?, fields.u16()?);
        let field = fields.take(length.into())?;
        if number == wanted {
            return Some(Fields(field));
        }
    }
}

/// Locates the data of an entry: after its local header, whose name and extra field have
/// their own lengths.
fn locate(file: &[u8], record: &CentralRecord<'_>) -> Option<Entry> {
    let start = usize::try_from(record.start).ok()?;
    let mut header = Fields(file.get(start..)?).after(b"PK\x03\x04", 22)?;
    let lengths = usize::from(header.u16()?) + usize::from(header.u16()?);
    let start = start + 30 + lengths; // `start` is within the file
    let range = start..start.checked_add(usize::try_from(record.size).ok()?)?;
    let encrypted = record.flags & 1 == 1;
    let stored = record.method == 0 && !encrypted;
    (range.end <= file.len()).then_some(Entry {
        range,
        crc32: record.crc32,
        stored,
        found: Arc::default(),
    })
}

/// A cursor over the little-endian fields of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Skips `signature` and `skip` more bytes; `None` if the signature differs.
    fn after(mut self, signature: &[u8; 4], skip: usize) -> Option<Self> {
        (self.take(4)? == signature).then_some(())?;
        self.take(skip)?;
        Some(self)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use proptest::prelude::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// Writes a zip file with the `zip` crate; `large` asks for zip64 sizes.
    fn zipped(entries: &[(String, Vec<u8>)], large: bool, comment: &str) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let plain = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(large);
        zip.set_comment(comment).unwrap();
        for (name, bytes) in entries {
            zip.start_file(name.as_str(), plain).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn one() -> Vec<u8> {
        zipped(&[("a/b".to_owned(), b"abc".to_vec())], false, "")
    }

    /// Adds the zip64 records and sets the fields of the end record to their maximum.
    fn with_zip64_end(mut file: Vec<u8>) -> Vec<u8> {
        let end = file.split_off(file.len() - 22);
        let number = |range: Range<usize>| {
            end[range].iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte))
        };
        let (count, size, start) = (number(10..12), number(12..16), number(16..20));
        let at = file.len() as u64;
        file.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
        for field in [count, count, size, start] {
            file.extend(field.to_le_bytes());
        }
        file.extend(b"PK\x06\x07\0\0\0\0");
        file.extend(at.to_le_bytes());
        file.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
        file.extend([0xff; 12]);
        file.extend([0, 0]);
        file
    }

    #[test]
    fn zip64_end_record_is_read() {
        let (name, entry) = read(&with_zip64_end(one())).unwrap().remove(0);
        assert_eq!((name.as_str(), entry.range.len(), entry.stored), ("a/b", 3, true));
    }

    /// Sizes and start of the entry are in a zip64 extra field.
    #[test]
    fn zip64_extra_field_is_read() {
        let mut file = one();
        let start = file.len() - 22 - 46 - 3;
        let mut extra = vec![1, 0, 24, 0];
        [3u64, 3, 0].iter().for_each(|field| extra.extend(field.to_le_bytes()));
        file[start + 20..start + 28].fill(0xff);
        file[start + 42..start + 46].fill(0xff);
        file[start + 30] = 28;
        let end = file.len() - 22;
        file.splice(end..end, extra);
        let size = file.len() - 22 - start;
        let at = file.len() - 10;
        file[at] = size as u8;
        assert_eq!(&file[read(&file).unwrap()[0].1.range.clone()], b"abc");
    }

    #[test]
    fn truncated_and_inconsistent_files_are_refused() {
        let file = one();
        for cut in 0..file.len() {
            assert!(read(&file[..cut]).is_err(), "{cut}");
        }
        let mut far = file.clone();
        let end = far.len() - 22;
        far[end + 16..end + 20].fill(0xf0);
        assert_eq!(read(&far).unwrap_err(), "a directory outside the file");
        let mut parts = file.clone();
        parts[end + 4] = 1;
        assert_eq!(read(&parts).unwrap_err(), "a multi-part archive");
        let mut outside = file.clone();
        outside[end - 3 - 46 + 20] = 200; // its size
        assert_eq!(read(&outside).unwrap_err(), "an entry outside the file");
        let mut many = file;
        many[end + 8..end + 12].fill(7);
        assert_eq!(read(&many).unwrap_err(), "a truncated directory");
    }

    #[test]
    fn a_directory_over_the_limit_is_refused() {
        let mut file = vec![b'x'; ARCHIVE_DIRECTORY + 1];
        file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        file.extend((ARCHIVE_DIRECTORY as u32 + 1).to_le_bytes());
        file.extend([0; 6]);
        assert_eq!(read(&file).unwrap_err(), "a directory of more than 4 MiB");
    }

    proptest! {
        #[test]
        fn entries_match_those_of_the_zip_crate(
            entries in prop::collection::btree_map("[a-z]{1,3}/[a-zé]{1,9}", ".{0,30}", 0..9),
            large: bool,
            comment in ".{0,20}",
        ) {
            let entries: Vec<(String, Vec<u8>)> =
                entries.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
            let file = zipped(&entries, large, &comment);
            let found = read(&file).unwrap();
            prop_assert_eq!(found.len(), entries.len());
            for ((name, entry), (wanted, bytes)) in found.iter().zip(&entries) {
                prop_assert_eq!(name, wanted);
                prop_assert_eq!(&file[entry.range.clone()], &bytes[..]);
                prop_assert!(entry.stored && entry.crc32 == crc32fast::hash(bytes));
            }
        }
    }
}
