//! Reads every byte of an index: what opening it takes on trust.

mod rows;

use super::Index;
use super::checksum::{Digest, Hasher};
use super::table::Table;
use crate::{Error, Result};

/// How many bytes are hashed between two reports.
const STEP: usize = 1 << 22;

/// How far a verification has come, in bytes of the index's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes there are.
    pub total: u64,
}

/// Reads all of `index`, reporting to `progress`.
pub(super) fn verify(index: &Index, progress: &mut dyn FnMut(Verified)) -> Result<()> {
    let mut verified = Verified { bytes: 0, total: index.bytes() };
    for table in index.tables() {
        verify_table(index, table, &mut |bytes| {
            verified.bytes += bytes as u64;
            progress(verified);
        })?;
    }
    Ok(())
}

fn verify_table(index: &Index, table: &Table, read: &mut dyn FnMut(usize)) -> Result<()> {
    let entry = table.entry();
    let checked = |name: String, bytes: &[u8], expected: &Digest, read: &mut dyn FnMut(usize)| {
        let mut hasher = Hasher::default();
        for piece in bytes.chunks(STEP) {
            hasher.update(piece);
            read(piece.len());
        }
        let (path, found) = (index.path().join(name), hasher.finish());
        if found == *expected {
            Ok(path)
        } else {
            Err(Error::damaged(path, "sha256", expected, found))
        }
    };
    let labels = table.label_file();
    let path = checked(entry.labels_name(), labels.bytes(), &entry.label_file.sha256, read)?;
    let texts = labels.iter().collect::<Result<Vec<_>>>()?;
    let dictionary = Digest::of_labels(texts);
    if dictionary != entry.dictionary {
        return Err(Error::damaged(path, "dictionary", entry.dictionary, dictionary));
    }
    for ((shard, entry), name) in table.shards().iter().zip(&entry.shards).zip(entry.shard_names())
    {
        let path = checked(name, shard.bytes(), &entry.sha256, read)?;
        rows::check(&path, shard)?;
    }
    Ok(())
}
