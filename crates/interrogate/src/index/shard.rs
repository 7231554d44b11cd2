//! One shard: a safetensors file of rows, read where it lies.
//!
//! It owns the header's layout and the checks on it. Which shards there are is
//! the manifest's; what the rows mean is the table's.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
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
        Self::open_with_prefix(path, &[], bytes)
    }

    /// The same where the first bytes have been read already, as many as may be: a
    /// header that is whole in them is not looked for in `bytes`.
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
        let mut places = [None; 6];
        for ((name, info, dtype, wanted), place) in tensors.into_iter().zip(&mut places) {
            let Some(info) = info else { continue };
            if info.dtype != dtype || info.shape != wanted {
                let found = format!("{name} {} {}", info.dtype, shape(info));
                return Err(damaged("tensor", format!("{name} {dtype} {wanted:?}"), found));
            }
            let size =
                wanted.iter().try_fold(dtype.bitsize() / 8, |size, &side| size.checked_mul(side));
            let (from, to) = info.data_offsets;
            if size.is_none() || size != to.checked_sub(from) {
                let found = format!("{name} from {from} to {to}");
                return Err(damaged("offsets", format!("those of {dtype} {wanted:?}"), found));
            }
            *place = Some((from, to));
        }
        // The container's rule: one behind the other, from the header to the file's
        // last byte.
        let mut order = places;
        order.sort_unstable();
        let mut end = 0;
        for (from, to) in order.into_iter().flatten() {
            if from != end {
                let found = format!("{end} and then {from}");
                return Err(damaged("offsets", "contiguous tensors".into(), found));
            }
            end = to;
        }
        let held = bytes.as_ref().len().checked_sub(start);
        if held != Some(end) {
            let found = held.map_or("fewer than its header".to_owned(), |held| held.to_string());
            return Err(damaged("size", format!("{end} bytes"), found));
        }
        // No overflow: `to` is at most `held`.
        let [embeds, coded @ .., spread] =
            places.map(|place| place.map(|(from, to)| start + from..start + to));
        let embeds = embeds.unwrap_or_default(); // it is always there
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
    // Copied: text of a map may change between its check and its use.
    let json = json.to_vec();
    let header = serde_json::from_slice(&json)
        .map_err(|e| Error::damaged(path, "header", "a shard's tensors", e))?;
    Ok((8 + length, header))
}

/// A tensor's shape as a message shows it.
fn shape(info: &TensorInfo) -> String {
    format!("{:?}", info.shape)
}

#[cfg(test)]
mod tests;
