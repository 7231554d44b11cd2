//! Byte ranges of tensors, checked against their entries.

use std::path::Path;

use super::super::header::count_fits;
use super::super::stored_tensor::{Checksum, StoredTensor};
use super::entries::Entries;
use super::pickle::value::{Storage, Tensor};
use super::zip_directory::Entry;
use crate::{Error, Result, limits};

/// Locates `tensor` in the file. Checks that every value its sizes and strides can reach is in
/// its storage, and that it has no more values than the storage, so a copy of it is never
/// larger than the file.
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
    // Within the entry, which is within the file, so no product overflows.
    let start = entry.range.start;
    let range = start + values.start * width..start + values.end * width;
    let Entry { range: whole, crc32, found, .. } = entry.clone();
    let checksum = Some(Checksum { range: whole, crc32, found });
    Ok((name, StoredTensor { dtype, shape, range, strides, checksum }))
}

/// Refuses tensors that share storages so often that their total size is many times the
/// file's: each may be copied.
pub(super) fn check_total_size<'a>(
    path: &Path,
    file: usize,
    tensors: impl Iterator<Item = &'a StoredTensor>,
) -> Result<()> {
    // At most the file's size, so no product overflows.
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

/// Returns the range of values from a tensor's first to its last; `None` on overflow.
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

/// Whether the values are contiguous in row-major order; a dimension of size 1 may have any
/// stride. The number of values must fit a `usize`.
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
    fn value_range_is_from_offset_to_last_value() {
        assert_eq!(value_range(2, &[2, 3], &[3, 1]), Some(2..8));
        assert_eq!(value_range(2, &[2, 3], &[1, 2]), Some(2..8));
        assert_eq!(value_range(5, &[], &[]), Some(5..6));
        assert_eq!(value_range(5, &[0, 9], &[9, 1]), Some(5..5));
        assert_eq!(value_range(1, &[usize::MAX, 2], &[usize::MAX, 1]), None);
        assert_eq!(value_range(usize::MAX, &[1], &[1]), None);
    }

    #[test]
    fn only_row_major_tensors_are_contiguous() {
        assert!(
            is_contiguous(&[2, 3], &[3, 1])
                && is_contiguous(&[1, 3], &[99, 1])
                && is_contiguous(&[], &[])
        );
        assert!(!is_contiguous(&[2, 3], &[1, 2]) && !is_contiguous(&[2, 2], &[3, 1]));
    }
}
