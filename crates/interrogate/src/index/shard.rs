//! One shard: a safetensors file of rows, read where it lies.
//!
//! It owns the header's layout and the checks on it. Which shards there are is
//! the manifest's; what the rows mean is the table's.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use zerocopy::FromBytes;

use super::format::{CODES, EMBEDS, MAX_HEADER, MEAN, SCALES, SLACK, SPREAD};
use crate::rank::codes::Codes;
use crate::{Error, Result};

#[cfg(target_endian = "big")]
compile_error!("rows are read in place as little-endian f16");

/// A shard over any bytes: a map in production, a `Vec` in a test.
#[derive(Debug)]
pub struct Shard<D> {
    bytes: D,
    rows: usize,
    dim: usize,
    /// Where the rows lie in `bytes`.
    embeds: Range<usize>,
    /// Where codes, scales, slack and mean do, if there are codes.
    codes: Option<[Range<usize>; 4]>,
    /// Where their spread does, if they have one.
    spread: Option<Range<usize>>,
}

/// The tensors that stand together or not at all.
const CODED: [&str; 4] = [CODES, SCALES, SLACK, MEAN];

/// The header: each tensor that a shard may hold, by name. A name beyond these,
/// or one that comes twice, does not parse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "__metadata__")]
    _metadata: Option<HashMap<String, String>>,
    /// f16 (rows, dim): the rows.
    embeds: TensorInfo,
    /// i8 (rows, dim): what a coarse scan reads first.
    codes: Option<TensorInfo>,
    /// f32 (rows): what a row's codes are multiplied by.
    scales: Option<TensorInfo>,
    /// f32 (rows): by how much a row's coarse score may be wrong.
    slack: Option<TensorInfo>,
    /// f32 (dim): what was taken off every row before it was coded.
    mean: Option<TensorInfo>,
    /// f32 (dim): what a row was divided by, dimension by dimension, after that.
    spread: Option<TensorInfo>,
}

impl<D: AsRef<[u8]>> Shard<D> {
    /// Opens a shard. Reads the header alone and copies no row; `path` is for
    /// messages.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`] where the header is not that of a shard, or the
    /// tensors do not fill the file to its last byte.
    pub fn open(path: &Path, bytes: D) -> Result<Self> {
        let damaged =
            |what, expected: String, found: String| Error::damaged(path, what, expected, found);
        let (start, header) = read_header(path, bytes.as_ref())?;
        let [rows, dim] = header.embeds.shape[..] else {
            return Err(damaged("shape of embeds", "(rows, dim)".into(), shape(&header.embeds)));
        };
        let tensors = [
            (EMBEDS, Some(header.embeds), Dtype::F16, vec![rows, dim]),
            (CODES, header.codes, Dtype::I8, vec![rows, dim]),
            (SCALES, header.scales, Dtype::F32, vec![rows]),
            (SLACK, header.slack, Dtype::F32, vec![rows]),
            (MEAN, header.mean, Dtype::F32, vec![dim]),
            (SPREAD, header.spread, Dtype::F32, vec![dim]),
        ];
        let mut present = Vec::new();
        for (name, info, dtype, wanted) in tensors {
            let Some(info) = info else { continue };
            if info.dtype != dtype || info.shape != wanted {
                let found = format!("{name} {} {}", info.dtype, shape(&info));
                return Err(damaged("tensor", format!("{name} {dtype} {wanted:?}"), found));
            }
            present.push((name.to_owned(), info));
        }
        // No overflow: the ends are at most `held` below, as the offsets end there.
        let places: HashMap<String, (usize, usize)> =
            present.iter().map(|(name, info)| (name.clone(), info.data_offsets)).collect();
        present.sort_by_key(|(_, info)| info.data_offsets);
        // The container's own rules: offsets without gap or overlap, sizes that
        // follow from shape and type, no overflow. (`SafeTensors::read_metadata`
        // ends with an unchecked sum over the offsets, so its last rule, that
        // they end with the file, is kept here.)
        let metadata = Metadata::new(None, present)
            .map_err(|e| damaged("offsets", "contiguous tensors".into(), e.to_string()))?;
        let held = bytes.as_ref().len() - start; // read_header found `start` inside
        if metadata.data_len() != held {
            return Err(damaged(
                "size",
                format!("{} bytes", metadata.data_len()),
                held.to_string(),
            ));
        }
        let place = |name: &str| {
            let &(from, to) = places.get(name)?;
            Some(start + from..start + to)
        };
        let embeds = place(EMBEDS).unwrap_or_default(); // it is always there
        let coded: Vec<_> = CODED.iter().filter_map(|name| place(name)).collect();
        let found = coded.len();
        let codes = <[Range<usize>; 4]>::try_from(coded).ok();
        if codes.is_none() && found > 0 {
            let expected = format!("{}, or none of them", CODED.join(", "));
            return Err(damaged("tensors", expected, format!("{found} of them")));
        }
        let spread = place(SPREAD);
        if codes.is_none() && spread.is_some() {
            return Err(damaged("tensors", format!("{CODES} beside {SPREAD}"), "none".into()));
        }
        let shard = Shard { bytes, rows, dim, embeds, codes, spread };
        if shard.try_rows().is_none() {
            return Err(damaged("rows", "at an even address".into(), "an odd one".into()));
        }
        if shard.codes.is_some() && shard.codes().is_none() {
            let expected = "at a multiple of 4 bytes".to_owned();
            return Err(damaged(
                "scales, slack, mean and spread",
                expected,
                "another place".into(),
            ));
        }
        Ok(shard)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The rows (rows, dim), one behind the other, where they lie.
    pub fn rows(&self) -> &[f16] {
        // `open` has tried just this on the same bytes; should a `D` give others
        // the second time, there are no rows.
        self.try_rows().unwrap_or_default()
    }

    fn try_rows(&self) -> Option<&[f16]> {
        <[f16]>::ref_from_bytes(self.bytes.as_ref().get(self.embeds.clone())?).ok()
    }

    /// The rows' codes, where the shard has them.
    pub fn codes(&self) -> Option<Codes<'_>> {
        let bytes = |place: &Range<usize>| self.bytes.as_ref().get(place.clone());
        let floats = |place| <[f32]>::ref_from_bytes(bytes(place)?).ok();
        let [codes, scales, slack, mean] = self.codes.as_ref()?;
        let codes = <[i8]>::ref_from_bytes(bytes(codes)?).ok()?;
        let spread = match &self.spread {
            Some(place) => Some(floats(place)?),
            None => None,
        };
        Codes::new(floats(mean)?, spread, floats(scales)?, floats(slack)?, codes).ok()
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Where the tensors begin, and what the header says of them.
fn read_header(path: &Path, bytes: &[u8]) -> Result<(usize, Header)> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(Error::damaged(path, "size", "at least 8 bytes", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER as u64 {
        return Err(Error::damaged(path, "header", format!("at most {MAX_HEADER} bytes"), length));
    }
    let length = length as usize; // at most MAX_HEADER
    let Some(json) = rest.get(..length) else {
        return Err(Error::damaged(path, "header", format!("{length} bytes"), rest.len()));
    };
    let header = serde_json::from_slice(json)
        .map_err(|e| Error::damaged(path, "header", "a shard's tensors", e))?;
    Ok((8 + length, header))
}

/// A tensor's shape as a message shows it.
fn shape(info: &TensorInfo) -> String {
    format!("{:?}", info.shape)
}

#[cfg(test)]
mod tests;
