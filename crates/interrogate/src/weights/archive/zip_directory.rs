//! The directory of a zip file: where its entries lie (PKWARE, APPNOTE.TXT 6.3.10,
//! sections 4.3 and 4.5.3).
//!
//! Owns the records that say so and nothing of what they hold; entries that are
//! compressed are told apart and not unpacked. Every length is held against the
//! file before anything is taken of it, and the directory's own length against
//! [`ARCHIVE_DIRECTORY`], so that the memory follows from what is there.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::limits::ARCHIVE_DIRECTORY;

/// A comment may stand behind the last record, of a length of 16 bits.
const MAX_COMMENT: usize = 0xffff;

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its bytes in the file, within it.
    pub(super) range: Range<usize>,
    pub(super) crc32: u32,
    /// Whether they stand there as they are.
    pub(super) stored: bool,
    /// Its checksum as computed, once for all tensors that lie in it.
    pub(super) found: Arc<OnceLock<u32>>,
}

/// What is wrong with a zip file.
pub(super) type ZipError = &'static str;

/// The names and entries of the zip file `file`, in the directory's order.
pub(super) fn read(file: &[u8]) -> Result<Vec<(String, Entry)>, ZipError> {
    let (count, records) = directory(file)?;
    // Copied: the text of a map may change between its check and its use.
    let records = records.to_vec();
    let mut records = &records[..];
    // Each takes 46 bytes at least of the directory.
    let mut entries = Vec::with_capacity(records.len() / 46);
    while entries.len() as u64 != count {
        let (record, rest) = central_record(records).ok_or("a directory that ends early")?;
        records = rest;
        let name = String::from_utf8_lossy(record.name).into_owned();
        let entry = locate(file, &record).ok_or("an entry that lies outside the file")?;
        entries.push((name, entry));
    }
    Ok(entries)
}

/// How many entries there are, and their records.
fn directory(file: &[u8]) -> Result<(u64, &[u8]), ZipError> {
    let latest = file.len().checked_sub(22).ok_or("no end of a directory")?;
    let earliest = latest.saturating_sub(MAX_COMMENT);
    let ends = |at: &usize| {
        let comment = Fields(&file[*at..]).after(b"PK\x05\x06", 16).and_then(|mut f| f.u16());
        comment.is_some_and(|length| at + 22 + usize::from(length) == file.len())
    };
    let at = (earliest..=latest).rev().find(ends).ok_or("no end of a directory")?;
    let mut end = Fields(&file[at + 4..]);
    let mut read = || {
        let disks = (end.u16()?, end.u16()?);
        let counts = (end.u16()?, end.u16()?);
        Some((disks, counts, end.u32()?, end.u32()?))
    };
    let (disks, counts, size, start) = read().ok_or("no end of a directory")?;
    let mut found = (u64::from(counts.1), u64::from(size), u64::from(start));
    // What 16 or 32 bits cannot hold stands in a record of its own.
    if counts.1 == u16::MAX || size == u32::MAX || start == u32::MAX {
        found = zip64_end(file, at).unwrap_or(found);
    } else if disks != (0, 0) || counts.0 != counts.1 {
        return Err("a file of several parts");
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

/// Count, size and start by the records of 64 bits, whose place stands before the
/// usual end at `at`.
fn zip64_end(file: &[u8], at: usize) -> Option<(u64, u64, u64)> {
    let locator = Fields(file.get(at.checked_sub(20)?..at)?).after(b"PK\x06\x07", 4)?.u64()?;
    let record = file.get(usize::try_from(locator).ok()?..)?;
    let mut record = Fields(record).after(b"PK\x06\x06", 28)?;
    Some((record.u64()?, record.u64()?, record.u64()?))
}

/// A record of the directory.
struct CentralRecord<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    crc32: u32,
    size: u64,
    start: u64,
}

/// The first record, and what is behind it.
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
    // Of the fields that do not fit, in this order, those that are full.
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

/// The extra field of this number.
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

/// Where the data of an entry lies: behind its own header, whose name and extra
/// fields have lengths of their own.
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

/// Fields of a record, lowest byte first.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// What follows `mark` and `skip` bytes more; nothing where another mark
    /// stands.
    fn after(mut self, mark: &[u8; 4], skip: usize) -> Option<Self> {
        (self.take(4)? == mark).then_some(())?;
        self.take(skip)?;
        Some(self)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
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

    /// A zip file as another program writes it; `large` asks for lengths of 64
    /// bits.
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

    /// The same file with the records of 64 bits before its end, which is full.
    fn widened(mut file: Vec<u8>) -> Vec<u8> {
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
    fn records_of_64_bits_are_read_where_others_are_full() {
        let (name, entry) = read(&widened(one())).unwrap().remove(0);
        assert_eq!((name.as_str(), entry.range.len(), entry.stored), ("a/b", 3, true));
    }

    /// The entry's own sizes and start, full and in an extra field.
    #[test]
    fn an_entry_of_64_bits_is_found() {
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
    fn what_is_no_whole_zip_file_is_refused() {
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
        assert_eq!(read(&parts).unwrap_err(), "a file of several parts");
        let mut outside = file.clone();
        outside[end - 3 - 46 + 20] = 200; // its size
        assert_eq!(read(&outside).unwrap_err(), "an entry that lies outside the file");
        let mut many = file;
        many[end + 8..end + 12].fill(7);
        assert_eq!(read(&many).unwrap_err(), "a directory that ends early");
    }

    #[test]
    fn a_directory_without_end_is_refused_before_it_is_read() {
        let mut file = vec![b'x'; ARCHIVE_DIRECTORY + 1];
        file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        file.extend((ARCHIVE_DIRECTORY as u32 + 1).to_le_bytes());
        file.extend([0; 6]);
        assert_eq!(read(&file).unwrap_err(), "a directory of more than 4 MiB");
    }

    proptest! {
        #[test]
        fn entries_are_where_another_program_put_them(
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
