//! Writes a shard: rows and their codes, in a safetensors file.

use std::error::Error as StdError;
use std::path::Path;

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::format::{ALIGNMENT, CODES, EMBEDS, MEAN, SCALES, SLACK, SPREAD};
use interrogate::index::{Digest, Hasher, ShardEntry};
use interrogate::rank::codes::Coding;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use zerocopy::IntoBytes;

use crate::Result;
use crate::durable::Draft;

/// Writes `rows` (rows, dim) and their codes in `folder`. `name` returns the file's name
/// for its checksum. The same rows give the same bytes.
///
/// Memory: the codes, one byte a value.
pub(crate) fn write_shard(
    folder: &Path,
    dim: usize,
    rows: &[f16],
    name: impl FnOnce(&Digest) -> String,
) -> Result<ShardEntry> {
    let count = rows.len() / dim;
    let header = header(count, dim)
        .map_err(|e| LibraryError::mismatch(folder, "shard", "a header in bounds", e))?;
    let coding = Coding::of(dim, rows);
    let codes = coding.codes();

    let mut draft = Draft::create(folder)?;
    let (mut hasher, mut bytes) = (Hasher::default(), 0);
    for part in [
        &header[..],
        codes.mean().as_bytes(),
        codes.scales().as_bytes(),
        codes.error_bounds().as_bytes(),
        codes.spread().unwrap_or_default().as_bytes(),
        rows.as_bytes(),
        codes.codes().as_bytes(),
    ] {
        hasher.update(part);
        bytes += part.len() as u64;
        draft.append(part)?;
    }
    let sha256 = hasher.finish();
    draft.persist(&folder.join(name(&sha256)))?;
    Ok(ShardEntry { rows: count, bytes, sha256 })
}

/// Returns the header of a shard, after its length, padded by spaces (as the safetensors
/// format allows) so that the rows begin at a multiple of [`ALIGNMENT`]. As in the format's
/// own writer, tensors of wider values come first, so each begins at a multiple of its
/// values' size. The header has no metadata, so its bytes depend only on the shape.
fn header(rows: usize, dim: usize) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
    let (mut at, mut tensors, mut before_rows) = (0usize, Vec::new(), 0);
    for (name, dtype, size, shape) in [
        (MEAN, Dtype::F32, 4, vec![dim]),
        (SCALES, Dtype::F32, 4, vec![rows]),
        (SLACK, Dtype::F32, 4, vec![rows]),
        (SPREAD, Dtype::F32, 4, vec![dim]),
        (EMBEDS, Dtype::F16, 2, vec![rows, dim]),
        (CODES, Dtype::I8, 1, vec![rows, dim]),
    ] {
        if name == EMBEDS {
            before_rows = at;
        }
        let bytes = shape.iter().try_fold(size, |n: usize, &side| n.checked_mul(side));
        let end = bytes.and_then(|bytes| at.checked_add(bytes)).ok_or("too many rows")?;
        tensors.push((name.to_owned(), TensorInfo { dtype, shape, data_offsets: (at, end) }));
        at = end;
    }
    let metadata = Metadata::new(None, tensors)?;
    let mut json = serde_json::to_vec(&metadata)?;
    let rows_at = (8 + json.len() + before_rows).next_multiple_of(ALIGNMENT);
    json.resize(rows_at - before_rows - 8, b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

#[cfg(test)]
mod tests {
    use interrogate::index::Shard;
    use proptest::prelude::*;

    use super::*;

    fn write(folder: &Path, dim: usize, values: &[u16]) -> (ShardEntry, Vec<u8>) {
        let rows: Vec<f16> = values.iter().copied().map(f16::from_bits).collect();
        let entry = write_shard(folder, dim, &rows, |_| "shard".to_owned()).unwrap();
        (entry, std::fs::read(folder.join("shard")).unwrap())
    }

    #[test]
    fn shard_is_read_by_the_safetensors_library() {
        let folder = tempfile::tempdir().unwrap();
        // 1, -1; 0.5, 0; 0, 1.
        let (_, bytes) = write(folder.path(), 2, &[0x3c00, 0xbc00, 0x3800, 0, 0, 0x3c00]);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let embeds = tensors.tensor("embeds").unwrap();
        assert_eq!((embeds.dtype(), embeds.shape()), (Dtype::F16, &[3, 2][..]));
        assert_eq!(embeds.data(), [0, 0x3c, 0, 0xbc, 0, 0x38, 0, 0, 0, 0, 0, 0x3c]);
        let mean = tensors.tensor("mean").unwrap();
        assert_eq!(mean.data(), [0.5f32, 0.0].as_bytes());
        let spread = tensors.tensor("spread").unwrap();
        assert_eq!(spread.data(), [0.5f32.sqrt(), 1.0].as_bytes());
        // 0.5, -1; 0, 0; -0.5, 1, each by the spread and in steps of the greatest.
        let codes = tensors.tensor("codes").unwrap();
        assert_eq!(codes.data(), [90, -127, 0, 0, -90, 127i8].as_bytes());
        let scales = tensors.tensor("scales").unwrap();
        assert_eq!(scales.data(), [1.0f32 / 127.0, 0.0, 1.0 / 127.0].as_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn rows_are_read_back_bit_for_bit_and_aligned(
            dim in 1usize..40,
            values in prop::collection::vec(any::<u16>(), 0..400),
        ) {
            let values = &values[..values.len() / dim * dim];
            let folder = tempfile::tempdir().unwrap();
            let (entry, bytes) = write(folder.path(), dim, values);
            prop_assert_eq!(entry.bytes, bytes.len() as u64);
            prop_assert_eq!(entry.sha256, Digest::of(&bytes));
            prop_assert_eq!((bytes.len() - values.len() * 3) % ALIGNMENT, 0);
            let shard = Shard::open(Path::new("s"), &bytes[..]).unwrap();
            prop_assert_eq!((shard.len(), shard.dim()), (values.len() / dim, dim));
            let back: Vec<u16> = shard.rows().iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(back, values);
            prop_assert_eq!(shard.codes().unwrap().len(), values.len() / dim);
        }
    }
}
