//! Reads every byte of an index: what opening it takes on trust.

use half::f16;

use super::Index;
use super::checksum::{Digest, Hasher};
use super::table::Table;
use crate::{Error, Result};

/// How far a row's squared length may be from 1.
///
/// Rounding to f16 moves a value by at most 2^-11 of itself, or by 2^-25 where
/// it is subnormal; so the length of a unit row moves by at most
/// 2^-11 + 2^-25 sqrt(dim), which for every dim that the format allows is below
/// 2^-10.9, and its square by at most twice that and a little.
const TOLERANCE: f64 = 1.0 / 512.0;

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
        for (row, values) in shard.rows().chunks_exact(shard.dim()).enumerate() {
            let square = square(values);
            if !is_unit(square) {
                let found = format!("length {} in row {row}", square.sqrt());
                return Err(Error::damaged(path, "rows", "unit length", found));
            }
        }
    }
    Ok(())
}

/// The squared length of a row.
fn square(row: &[f16]) -> f64 {
    row.iter().map(|v| v.to_f64() * v.to_f64()).sum()
}

/// Whether this is the squared length of a unit row; NaN and infinity are not.
fn is_unit(square: f64) -> bool {
    (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&square)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoder::Features;

    proptest! {
        #[test]
        fn a_unit_row_rounded_to_f16_is_within_tolerance(
            values in prop::collection::vec(-1f32..1.0, 1..600),
        ) {
            prop_assume!(values.iter().any(|v| *v != 0.0));
            let row = Features::new(values).unwrap();
            let row: Vec<f16> = row.as_slice().iter().map(|v| f16::from_f32(*v)).collect();
            prop_assert!(is_unit(square(&row)));
        }
    }

    #[test]
    fn the_widest_row_of_equal_values_is_within_tolerance() {
        let dim = super::super::format::MAX_DIM;
        let row = vec![f16::from_f32((dim as f32).sqrt().recip()); dim];
        assert!(is_unit(square(&row)));
    }

    #[test]
    fn nan_infinity_and_other_lengths_are_not_unit() {
        for row in [f16::NAN, f16::INFINITY, f16::ZERO, f16::from_f32(1.01)] {
            assert!(!is_unit(square(&[row])), "{row}");
        }
    }
}
