//! A weight's byte range in its file, and how its bytes are read.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use safetensors::Dtype;

use crate::error::WeightsError;
use crate::{Error, Result};

/// A weight's type, shape and byte range. The constructor must have checked `range` against
/// the file's length and the shape.
#[derive(Clone, Debug)]
pub(super) struct StoredTensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// The byte range in the file, from the first value to the last.
    pub(super) range: Range<usize>,
    /// The stride of each dimension in values; `None` if contiguous in row-major order.
    pub(super) strides: Option<Vec<usize>>,
    /// The file's checksum of the storage that contains `range`.
    pub(super) checksum: Option<Checksum>,
}

/// The checksum of a byte range of a file.
#[derive(Clone, Debug)]
pub(super) struct Checksum {
    pub(super) range: Range<usize>,
    pub(super) crc32: u32,
    /// The checksum as computed, at the first use of any weight in the range: thousands of
    /// weights may share one storage.
    pub(super) found: Arc<OnceLock<u32>>,
}

impl StoredTensor {
    /// Returns the value of an integer scalar; `None` for any other tensor.
    pub(super) fn integer(&self, file: (&Path, &[u8]), name: &str) -> Result<Option<i64>> {
        if !self.shape.is_empty() {
            return Ok(None);
        }
        let data = self.contiguous(file, name)?;
        Ok(match (self.dtype, &*data) {
            (Dtype::I64, data) => data.try_into().ok().map(i64::from_le_bytes),
            (Dtype::I32, data) => data.try_into().ok().map(i32::from_le_bytes).map(i64::from),
            _ => None,
        })
    }

    /// Returns the bytes of the values in row-major order, after verifying the checksum.
    pub(super) fn contiguous<'a>(
        &self,
        (path, bytes): (&Path, &'a [u8]),
        name: &str,
    ) -> Result<Cow<'a, [u8]>> {
        // The range was checked against the file's length on opening. If the file was truncated
        // since, the map raises SIGBUS and does not change its length.
        let part =
            |range: &Range<usize>| bytes.get(range.clone()).ok_or_else(|| missing(path, name));
        if let Some(Checksum { range, crc32, found }) = &self.checksum {
            let whole = part(range)?;
            let found = *found.get_or_init(|| crc32fast::hash(whole));
            if found != *crc32 {
                let expected = format!("{crc32:08x} for {name}");
                let found = format!("{found:08x}");
                return Err(Error::mismatch(path, "crc-32", expected, found));
            }
        }
        let data = part(&self.range)?;
        match &self.strides {
            None => Ok(Cow::Borrowed(data)),
            Some(strides) => {
                let gathered = gather(data, &self.shape, strides, self.dtype.bitsize() / 8);
                gathered.map(Cow::Owned).ok_or_else(|| missing(path, name))
            }
        }
    }
}

/// Copies values of `width` bytes with these strides into row-major order.
fn gather(data: &[u8], shape: &[usize], strides: &[usize], width: usize) -> Option<Vec<u8>> {
    let count: usize = shape.iter().product();
    let mut packed = Vec::with_capacity(count * width);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let at = index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>() * width;
        packed.extend_from_slice(data.get(at..at + width)?);
        for (i, &size) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < size {
                break;
            }
            *i = 0;
        }
    }
    Some(packed)
}

fn missing(path: &Path, name: &str) -> Error {
    Error::Weights(WeightsError::Missing { path: path.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_a_shared_storage_is_verified_once() {
        let bytes = [1u8, 2, 3, 4, 5, 6, 7, 8];
        let both = |crc32| {
            let found = Arc::<OnceLock<u32>>::default();
            [0..4, 4..8].map(|range| {
                let checksum = Some(Checksum { range: 0..8, crc32, found: Arc::clone(&found) });
                StoredTensor { dtype: Dtype::F32, shape: vec![1], range, strides: None, checksum }
            })
        };
        let packed = |stored: &StoredTensor, bytes: &[u8]| {
            stored.contiguous((Path::new("x"), bytes), "w").map(Cow::into_owned)
        };
        let [one, two] = both(crc32fast::hash(&bytes));
        assert_eq!(packed(&one, &bytes).unwrap(), bytes[..4]);
        assert_eq!(packed(&two, &[0; 8]).unwrap(), [0; 4], "already verified");
        let [one, two] = both(7);
        for stored in [&one, &two] {
            let error = packed(stored, &bytes).unwrap_err().to_string();
            assert!(error.starts_with("x: crc-32: expected 00000007 for w"), "{error}");
        }
    }

    #[test]
    fn strided_values_are_gathered_in_row_major_order() {
        let data = [0, 1, 2, 3, 4, 5];
        // A matrix (2, 3) stored column by column.
        assert_eq!(gather(&data, &[2, 3], &[1, 2], 1), Some(vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(gather(&data, &[3], &[2], 1), Some(vec![0, 2, 4]));
        assert_eq!(gather(&data, &[4], &[2], 1), None);
        assert_eq!(gather(&data, &[0, 3], &[3, 1], 1), Some(vec![]));
    }
}
