//! The entries of an archive, by name.

use std::collections::BTreeMap;
use std::path::Path;

use super::zip_directory::{self, Entry};
use crate::{Error, Result};

/// The entries of an archive, by name without the root folder.
pub(super) struct Entries<'a> {
    pub(super) path: &'a Path,
    file: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

impl<'a> Entries<'a> {
    /// Reads the central directory and the header of each entry.
    pub(super) fn read(path: &'a Path, file: &'a [u8]) -> Result<Self> {
        let broken = |found| Error::mismatch(path, "archive", "a whole zip file", found);
        let mut entries = BTreeMap::new();
        for (name, entry) in zip_directory::read(file).map_err(broken)? {
            if entries.insert(name.clone(), entry).is_some() {
                return Err(Error::mismatch(
                    path,
                    "archive",
                    "unique entries",
                    format!("{name} twice"),
                ));
            }
        }
        Ok(Entries { path, file, entries: strip_root(path, entries)? })
    }

    /// Returns the entry `name`, if any.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Returns the entry `name`, which must be uncompressed.
    pub(super) fn stored(&self, name: &str) -> Result<&Entry> {
        let refuse = |found: &str| {
            Err(Error::mismatch(self.path, "entry", format!("{name}, uncompressed"), found))
        };
        match self.find(name) {
            None => refuse("none"),
            Some(entry) if !entry.stored => refuse("it compressed or encrypted"),
            Some(entry) => Ok(entry),
        }
    }

    /// Returns the bytes of an entry; empty if the range is outside the file.
    pub(super) fn bytes(&self, entry: &Entry) -> &'a [u8] {
        self.file.get(entry.range.clone()).unwrap_or_default()
    }

    /// Copies the uncompressed entry `name` of at most `limit` bytes, and verifies its CRC-32.
    /// It is a copy because a mapped file can change after the check.
    pub(super) fn copy(&self, name: &'static str, limit: usize) -> Result<Vec<u8>> {
        let entry = self.stored(name)?;
        if entry.range.len() > limit {
            let expected = format!("at most {limit} bytes");
            return Err(Error::mismatch(self.path, name, expected, entry.range.len()));
        }
        let bytes = self.bytes(entry).to_vec();
        let found = crc32fast::hash(&bytes);
        if found != entry.crc32 {
            let expected = format!("{:08x} for {name}", entry.crc32);
            return Err(Error::mismatch(self.path, "crc-32", expected, format!("{found:08x}")));
        }
        Ok(bytes)
    }
}

/// Keeps the entries of the folder with data.pkl, without the folder's name. There must be
/// exactly one such folder.
fn strip_root(path: &Path, entries: BTreeMap<String, Entry>) -> Result<BTreeMap<String, Entry>> {
    let mut roots = entries.keys().filter_map(|name| name.strip_suffix("/data.pkl"));
    let (root, more) = (roots.next(), roots.next());
    let Some(root) = root.filter(|_| more.is_none()).map(|root| format!("{root}/")) else {
        let found = if more.is_some() { "several" } else { "none" };
        return Err(Error::mismatch(path, "archive", "one folder with a data.pkl", found));
    };
    let inside = entries.into_iter();
    let inside = inside.filter_map(|(name, entry)| Some((name.strip_prefix(&root)?.into(), entry)));
    Ok(inside.collect())
}
