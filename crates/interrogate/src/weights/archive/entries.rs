//! The entries of an archive: those of its one folder, by name.

use std::collections::BTreeMap;
use std::path::Path;

use super::zip_directory::{self, Entry};
use crate::{Error, Result};

/// The entries of an archive, by name without the folder that holds them all.
pub(super) struct Entries<'a> {
    pub(super) path: &'a Path,
    file: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

impl<'a> Entries<'a> {
    /// Reads the directory and the header of each entry.
    pub(super) fn read(path: &'a Path, file: &'a [u8]) -> Result<Self> {
        let broken = |found| Error::mismatch(path, "archive", "a whole zip file", found);
        let mut entries = BTreeMap::new();
        for (name, entry) in zip_directory::read(file).map_err(broken)? {
            if entries.insert(name.clone(), entry).is_some() {
                return Err(Error::mismatch(path, "archive", "each entry once", name));
            }
        }
        Ok(Entries { path, file, entries: strip_root(path, entries)? })
    }

    /// The entry `name`, where there is one.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The entry `name`, stored as it is.
    pub(super) fn stored(&self, name: &str) -> Result<&Entry> {
        let refuse = |found: &str| {
            Err(Error::mismatch(self.path, "entry", format!("{name}, stored as it is"), found))
        };
        match self.find(name) {
            None => refuse("none"),
            Some(entry) if !entry.stored => refuse("it compressed or encrypted"),
            Some(entry) => Ok(entry),
        }
    }

    /// The bytes of an entry; those of no file's length where it was changed
    /// since.
    pub(super) fn bytes(&self, entry: &Entry) -> &'a [u8] {
        self.file.get(entry.range.clone()).unwrap_or_default()
    }

    /// A copy of the entry `name`, stored, of `limit` bytes at most, its checksum
    /// compared: text is validated where nobody else can change it.
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

/// The entries of the one folder that holds a data.pkl.
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
