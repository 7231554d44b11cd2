//! Where a tensor lies, held against its entry.

use std::path::Path;

use super::super::header::count_fits;
use super::super::stored_tensor::{Checksum, StoredTensor};
use super::entries::Entries;
use super::pickle::value::{Storage, Tensor};
use super::zip_directory::Entry;
use crate::{Error, Result, limits};

/// The place of `tensor` in the file. Every value that its sizes and strides can
/// reach lies in its storage, and there are no more values than the storage has,
/// so that what is taken of it is never larger than the file.
pub(super) fn locate(
    entries: &Entries<'_>,
    name: String,
    tensor: Tensor<'_>,
) -> Result<(String, StoredTensor)> {
    let Tensor { storage: Storage { key, dtype, len }, offset, shape, strides } = tensor;
    let entry = entries.stored(&format!("data/{key}"))?;
    let width = dtype.bitsize() / 8;
    let bytes = entry.range.len();
    if len.checked_mul(width) != Some(bytes) {
        let expected = format!("{len} values of {width} bytes for {name}");
        return Err(Error::mismatch(entries.path, "storage", expected, format!("{bytes} bytes")));
    }
    let Some(values) = value_range(offset, &shape, &strides).filter(|values| values.end <= len)
    else {
        let expected = format!("sizes and strides within {len} values for {name}");
        let found = format!("{shape:?} by {strides:?} from {offset}");
        return Err(Error::mismatch(entries.path, "tensor", expected, found));
    };
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    if count.is_none_or(|count| count > len) || !count_fits(&shape) {
        let expected = format!("at most {len} values for {name}");
        return Err(Error::mismatch(entries.path, "tensor", expected, format!("{shape:?}")));
    }
    let strides = (!is_contiguous(&shape, &strides)).then_some(strides);
    // Below the entry's end, which is within the file: no product overflows.
    let start = entry.range.start;
    let range = start + values.start * width..start + values.end * width;
    let Entry { range: whole, crc32, found, .. } = entry.clone();
    let checksum = Some(Checksum { range: whole, crc32, found });
    Ok((name, StoredTensor { dtype, shape, range, strides, checksum }))
}

/// Refuses tensors that share storages so often that together they are many times the
/// file: each may be taken as a copy of its own.
pub(super) fn check_total_size<'a>(
    path: &Path,
    file: usize,
    tensors: impl Iterator<Item = &'a StoredTensor>,
) -> Result<()> {
    // Each is at most the file, and counted.
    let size =
        |stored: &StoredTensor| stored.shape.iter().product::<usize>() * stored.dtype.bitsize() / 8;
    let sum = tensors.fold(0usize, |sum, stored| sum.saturating_add(size(stored)));
    let most = file.saturating_mul(limits::SHARED_STORAGE);
    if sum <= most {
        return Ok(());
    }
    let expected = format!("at most {most} bytes of tensors in a file of {file}");
    Err(Error::mismatch(path, "shared storages", expected, sum))
}

/// The values from the first to the last that a tensor reaches; `None` where
/// that is no number.
fn value_range(
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Option<std::ops::Range<usize>> {
    if shape.contains(&0) {
        return Some(offset..offset);
    }
    let last = shape.iter().zip(strides).try_fold(offset, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    })?;
    Some(offset..last.checked_add(1)?)
}

/// Whether the values, no more than a usize counts, lie row behind row; a
/// dimension of one has any stride.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut next = 1;
    if shape.contains(&0) {
        return true;
    }
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let packed = size == 1 || stride == next;
        next *= size;
        packed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_reaches_from_its_offset_to_its_last_value() {
        assert_eq!(value_range(2, &[2, 3], &[3, 1]), Some(2..8));
        assert_eq!(value_range(2, &[2, 3], &[1, 2]), Some(2..8));
        assert_eq!(value_range(5, &[], &[]), Some(5..6));
        assert_eq!(value_range(5, &[0, 9], &[9, 1]), Some(5..5));
        assert_eq!(value_range(1, &[usize::MAX, 2], &[usize::MAX, 1]), None);
        assert_eq!(value_range(usize::MAX, &[1], &[1]), None);
    }

    #[test]
    fn only_row_behind_row_is_packed() {
        assert!(
            is_contiguous(&[2, 3], &[3, 1])
                && is_contiguous(&[1, 3], &[99, 1])
                && is_contiguous(&[], &[])
        );
        assert!(!is_contiguous(&[2, 3], &[1, 2]) && !is_contiguous(&[2, 2], &[3, 1]));
    }
}
