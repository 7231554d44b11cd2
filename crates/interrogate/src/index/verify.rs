//! Verifies every byte of an index, which opening does not.

mod rows;

use super::Index;
use super::checksum::{Digest, Hasher};
use super::format::is_line_end;
use super::table::Table;
use crate::{Error, Result};

/// Bytes that are hashed between two progress reports.
const HASH_BYTES: usize = 1 << 22;

/// The progress of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Bytes verified so far.
    pub bytes: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// Verifies `index` and reports to `progress`.
pub(super) fn verify(index: &Index, progress: &mut dyn FnMut(VerifyProgress)) -> Result<()> {
    let mut done = VerifyProgress { bytes: 0, total: index.bytes() };
    for table in index.tables() {
        verify_table(index, table, &mut |bytes| {
            done.bytes += bytes as u64;
            progress(done);
        })?;
    }
    Ok(())
}

fn verify_table(index: &Index, table: &Table, read: &mut dyn FnMut(usize)) -> Result<()> {
    let entry = table.entry();
    // Reads the file again, even if its labels are in memory already.
    let labels = table.label_file().read(|bytes| digest(bytes, read))?;
    let path = table.label_file().path();
    let texts = labels.iter().collect::<Result<Vec<_>>>()?;
    let has_line_end = |(_, label): &(usize, &&str)| label.contains(is_line_end);
    if let Some((row, label)) = texts.iter().enumerate().find(has_line_end) {
        let found = format!("{label:?} in row {row}");
        return Err(Error::damaged(path, "label", "one line", found));
    }
    let dictionary = Digest::of_labels(texts);
    if dictionary != entry.dictionary {
        return Err(Error::damaged(path, "dictionary", entry.dictionary, dictionary));
    }
    for ((shard, entry), name) in table.shards().iter().zip(&entry.shards).zip(entry.shard_names())
    {
        let (path, found) = (index.path().join(name), digest(shard.bytes(), read));
        if found != entry.sha256 {
            return Err(Error::damaged(path, "sha256", entry.sha256, found));
        }
        rows::check(&path, shard)?;
    }
    Ok(())
}

/// Returns the digest of a file's bytes. Calls `read` with the size of each piece.
fn digest(bytes: &[u8], read: &mut dyn FnMut(usize)) -> Digest {
    let mut hasher = Hasher::default();
    for piece in bytes.chunks(HASH_BYTES) {
        hasher.update(piece);
        read(piece.len());
    }
    hasher.finish()
}
