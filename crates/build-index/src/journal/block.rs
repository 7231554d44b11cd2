//! The payload of a record after the first: labels and their rows.

use std::path::Path;

use half::f16;
use interrogate::Result;
use interrogate::index::format::is_unit;
use interrogate::index::{Labels, pack_labels};
use zerocopy::IntoBytes;

use super::JOURNAL;
use crate::cache::square;

/// What [`read`] found in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// A block.
    Valid,
    /// A block with a row that is not of unit length.
    InvalidRow,
    /// No block.
    Malformed,
}

/// Returns the payload of `labels` and their `rows`, and the offset of the first row in it.
pub(super) fn encode(path: &Path, labels: &[&str], rows: &[f16]) -> Result<(Vec<u8>, u64)> {
    let table = pack_labels(path, labels.iter().copied())?;
    let length = table.len() as u64;
    Ok(([&length.to_le_bytes(), &table[..], rows.as_bytes()].concat(), 8 + length))
}

/// Calls `found` with each label of a block and the offset of its row in the payload, if
/// the block is valid.
pub(super) fn read(payload: &[u8], dim: usize, mut found: impl FnMut(&str, u64)) -> Validity {
    let stride = dim * 2;
    let Some((labels, offset, rows)) = split(payload, stride) else {
        return Validity::Malformed;
    };
    if !rows.chunks_exact(stride.max(1)).all(|row| is_unit(square(row))) {
        return Validity::InvalidRow;
    }
    let offsets = (offset..).step_by(stride.max(1));
    labels.iter().flatten().zip(offsets).for_each(|(label, at)| found(label, at));
    Validity::Valid
}

/// Returns the labels, the offset of the rows, and the rows.
fn split(payload: &[u8], stride: usize) -> Option<(Labels, u64, &[u8])> {
    let (length, rest) = payload.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (table, rows) = rest.split_at_checked(length)?;
    let labels = Labels::open(Path::new(JOURNAL), table).ok()?;
    if labels.len().checked_mul(stride) != Some(rows.len()) {
        return None;
    }
    labels.iter().try_for_each(|label| label.ok().map(drop))?;
    Some((labels, 8 + length as u64, rows))
}
