//! Reads one shard: a safetensors file of rows, used in place without copying.
//!
//! Parses and checks the header. The manifest lists the shards; the table combines them.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Deserialize;
use zerocopy::FromBytes;

use super::format::{CODES, EMBEDS, MAX_HEADER, MEAN, SCALES, SLACK, SPREAD};
#[cfg(doc)]
use crate::error::IndexError;
use crate::rank::codes::Codes;
use crate::{Error, Result};

#[cfg(target_endian = "big")]
compile_error!("rows are read in place as little-endian f16");

/// A shard over any bytes: a memory map in production, a `Vec` in a test.
#[derive(Debug)]
pub struct Shard<D> {
    bytes: D,
    rows: usize,
    dim: usize,
    /// The rows' range in `bytes`.
    embeds: Range<usize>,
    /// The ranges of codes, scales, slack and mean, if there are codes.
    codes: Option<[Range<usize>; 4]>,
    /// The range of their spread, if they have one.
    spread: Option<Range<usize>>,
}

/// The tensors of which a shard has all or none.
const CODED: [&str; 4] = [CODES, SCALES, SLACK, MEAN];

/// The header: each tensor that a shard may have, by the names in
/// [`format`](super::format). An unknown or repeated name is a parse error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "__metadata__")]
    _metadata: Option<HashMap<String, String>>,
    embeds: TensorInfo,
    codes: Option<TensorInfo>,
    scales: Option<TensorInfo>,
    slack: Option<TensorInfo>,
    mean: Option<TensorInfo>,
    spread: Option<TensorInfo>,
}

impl<D: AsRef<[u8]>> Shard<D> {
    /// Opens a shard. Reads only the header and copies no row; `path` is for messages.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if the header is invalid, or the tensors are not contiguous
    /// from the header to the last byte.
    pub fn open(path: &Path, bytes: D) -> Result<Self> {
        Self::open_with_prefix(path, &[], bytes)
    }

    /// Like [`open`](Self::open), with `first`, the start of the file, already read: if it
    /// contains the whole header, `bytes` is not read.
    pub(super) fn open_with_prefix(path: &Path, first: &[u8], bytes: D) -> Result<Self> {
        let damaged =
            |what, expected: String, found: String| Error::damaged(path, what, expected, found);
        let (start, header) = match read_header(path, first) {
            Ok(read) => read,
            Err(_) => read_header(path, bytes.as_ref())?,
        };
        let [rows, dim] = header.embeds.shape[..] else {
            return Err(damaged("shape of embeds", "(rows, dim)".into(), shape(&header.embeds)));
        };
        let tensors = [
            (EMBEDS, Some(&header.embeds), Dtype::F16, &[rows, dim][..]),
            (CODES, header.codes.as_ref(), Dtype::I8, &[rows, dim]),
            (SCALES, header.scales.as_ref(), Dtype::F32, &[rows]),
            (SLACK, header.slack.as_ref(), Dtype::F32, &[rows]),
            (MEAN, header.mean.as_ref(), Dtype::F32, &[dim]),
            (SPREAD, header.spread.as_ref(), Dtype::F32, &[dim]),
        ];
        let mut ranges = [None; 6];
        for ((name, info, dtype, expected), range) in tensors.into_iter().zip(&mut ranges) {
            let Some(info) = info else { continue };
            if info.dtype != dtype || info.shape != expected {
                let found = format!("{name} {} {}", info.dtype, shape(info));
                return Err(damaged("tensor", format!("{name} {dtype} {expected:?}"), found));
            }
            let size =
                expected.iter().try_fold(dtype.bitsize() / 8, |size, &side| size.checked_mul(side));
            let (from, to) = info.data_offsets;
            if size.is_none() || size != to.checked_sub(from) {
                let found = format!("{name} from {from} to {to}");
                return Err(damaged("offsets", format!("those of {dtype} {expected:?}"), found));
            }
            *range = Some((from, to));
        }
        // As safetensors requires: contiguous from the header to the last byte.
        let mut order = ranges;
        order.sort_unstable();
        let mut end = 0;
        for (from, to) in order.into_iter().flatten() {
            if from != end {
                let found = format!("{end} and then {from}");
                return Err(damaged("offsets", "contiguous tensors".into(), found));
            }
            end = to;
        }
        let size = bytes.as_ref().len().checked_sub(start);
        if size != Some(end) {
            let found = size.map_or("fewer than its header".to_owned(), |size| size.to_string());
            return Err(damaged("size", format!("{end} bytes"), found));
        }
        // No overflow: `to` is at most `size`.
        let [embeds, coded @ .., spread] =
            ranges.map(|range| range.map(|(from, to)| start + from..start + to));
        let embeds = embeds.unwrap_or_default(); // never `None`
        let codes = match coded {
            [Some(codes), Some(scales), Some(slack), Some(mean)] => {
                Some([codes, scales, slack, mean])
            }
            [None, None, None, None] => None,
            some => {
                let expected = format!("{}, or none of them", CODED.join(", "));
                let found = some.iter().flatten().count();
                return Err(damaged("tensors", expected, format!("{found} of them")));
            }
        };
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
                "another offset".into(),
            ));
        }
        Ok(shard)
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether the shard has no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the rows (rows, dim), contiguous, without copying.
    pub fn rows(&self) -> &[f16] {
        // `open` checked this cast. Only a `D` that returns other bytes the second time
        // fails here, and then has no rows.
        self.try_rows().unwrap_or_default()
    }

    fn try_rows(&self) -> Option<&[f16]> {
        <[f16]>::ref_from_bytes(self.bytes.as_ref().get(self.embeds.clone())?).ok()
    }

    /// Returns the rows' quantized codes, if the shard has them.
    pub fn codes(&self) -> Option<Codes<'_>> {
        let bytes = |range: &Range<usize>| self.bytes.as_ref().get(range.clone());
        let floats = |range| <[f32]>::ref_from_bytes(bytes(range)?).ok();
        let [codes, scales, slack, mean] = self.codes.as_ref()?;
        let codes = <[i8]>::ref_from_bytes(bytes(codes)?).ok()?;
        let spread = match &self.spread {
            Some(range) => Some(floats(range)?),
            None => None,
        };
        Codes::new(floats(mean)?, spread, floats(scales)?, floats(slack)?, codes).ok()
    }

    /// Returns the bytes of the whole file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Returns the offset of the tensors and the parsed header.
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
    // Copied, since mapped bytes may change between validation and use.
    let json = json.to_vec();
    let header = serde_json::from_slice(&json)
        .map_err(|e| Error::damaged(path, "header", "a shard's tensors", e))?;
    Ok((8 + length, header))
}

/// Returns a tensor's shape as messages write it.
fn shape(info: &TensorInfo) -> String {
    format!("{:?}", info.shape)
}

#[cfg(test)]
mod tests;
