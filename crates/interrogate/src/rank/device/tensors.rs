//! The coarse scan by operations of candle, for any of its devices.
//!
//! Candle has no top-k, and its sort on CUDA takes at most 8,192 values. So rows are
//! processed in pieces of 8,192: product, sort, the first `m`; then the lists are merged by
//! sorting, in as few rounds as 8,192 allows.
//!
//! The products are in f32, of rows widened from f16. Sums of `dim` products in any order are
//! off by at most `dim 2^-24` of the sum of magnitudes, to first order, which is at most `|q|
//! |x|`; a true score is off by less. The bound used is `(dim + 8) 2^-23 |q| |x|`, more than
//! both together, with the longest row for `x`.

use candle_core::{DType, Device, Result, Tensor};
use half::f16;

use super::super::Rows;
use super::rescore::{CoarseTop, RestBound};
use crate::nn::is_out_of_memory;

/// Rows of a piece, and the most values of a sort.
const PIECE: usize = 8192;

/// Rows per copy.
const COPY: usize = 4 * PIECE;

/// The first rows of a table on a device.
#[derive(Debug)]
pub(super) struct Tensors {
    device: Device,
    /// (resident, dim) in f16; `None` if all rows are streamed.
    values: Option<Tensor>,
    resident: usize,
}

/// The best rows of each query of a batch, best first: scores (queries, m) in f32 and row
/// numbers (queries, m) in u32.
struct Lists {
    scores: Tensor,
    rows: Tensor,
}

impl Tensors {
    /// Copies the first `fit` of `rows`; halves that number as often as the device runs out of
    /// memory.
    pub(super) fn new(device: &Device, rows: &Rows<'_>, fit: usize) -> Result<Self> {
        let mut fit = fit;
        loop {
            match copied(device, rows, fit) {
                Ok(values) => return Ok(Tensors { device: device.clone(), values, resident: fit }),
                Err(error) if is_out_of_memory(&error) && fit > 0 => fit /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn values(&self) -> Option<&Tensor> {
        self.values.as_ref()
    }

    pub(super) fn resident(&self) -> usize {
        self.resident
    }

    /// Returns the `m` best rows of each of `queries`, all of the rows' dim and at least one;
    /// `m` is between 1 and the number of rows.
    pub(super) fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        m: usize,
    ) -> Result<Vec<CoarseTop>> {
        let shape = (queries.len(), rows.dim());
        let batch = Tensor::from_vec(queries.concat(), shape, &self.device)?;
        let mut longest = Tensor::zeros(1, DType::F32, &self.device)?;
        let mut pending: Vec<Lists> = Vec::new();
        let mut scan = |first: usize, piece: &Tensor| -> Result<()> {
            let piece = piece.to_dtype(DType::F32)?;
            longest = longest.maximum(&piece.sqr()?.sum(1)?.max_keepdim(0)?)?;
            pending.push(Lists::of(&batch, &piece, first, m)?);
            let width: usize = pending.iter().map(Lists::len).sum();
            // One more list might be too many for a sort.
            if width + m.min(PIECE) > PIECE {
                let merged = Lists::merged(&pending, m)?;
                pending.clear();
                pending.push(merged);
            }
            Ok(())
        };
        if let Some(values) = &self.values {
            for first in (0..self.resident).step_by(PIECE) {
                scan(first, &values.narrow(0, first, PIECE.min(self.resident - first))?)?;
            }
        }
        for first in (self.resident..rows.len()).step_by(PIECE) {
            let piece = uploaded(&self.device, rows, first, PIECE.min(rows.len() - first))?;
            scan(first, &piece)?;
        }
        let best = Lists::merged(&pending, m)?;
        let longest = longest.to_vec1::<f32>()?[0].sqrt();
        let (scores, rows) = (best.scores.to_vec2::<f32>()?, best.rows.to_vec2::<u32>()?);
        let top = |((query, scores), rows): ((&Vec<f32>, Vec<f32>), Vec<u32>)| {
            let length = query.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let bound = (query.len() + 8) as f64 * 2f64.powi(-23) * length * f64::from(longest);
            let last = scores.last().copied().unwrap_or(f32::NAN);
            let rest = RestBound { max_score: last, error: (bound as f32).next_up() };
            CoarseTop { rows, rest: Some(rest) }
        };
        Ok(queries.iter().zip(scores).zip(rows).map(top).collect())
    }
}

impl Lists {
    /// The `m` best rows of a piece (rows, dim), whose first row has the number `first`.
    fn of(queries: &Tensor, piece: &Tensor, first: usize, m: usize) -> Result<Self> {
        let scores = queries.matmul(&piece.t()?)?;
        // NaN ranks first here: such a row is returned and rescored.
        let unknown = Tensor::full(f32::INFINITY, scores.shape(), scores.device())?;
        let scores = scores.eq(&scores)?.where_cond(&scores, &unknown)?;
        let (scores, rows) = first_of(&scores, m)?;
        let first = Tensor::full(first as u32, rows.shape(), rows.device())?;
        Ok(Lists { scores, rows: (rows + first)? })
    }

    fn len(&self) -> usize {
        self.rows.dims()[1]
    }

    /// The `m` best of all lists.
    fn merged(lists: &[Lists], m: usize) -> Result<Self> {
        let cat = |of: fn(&Lists) -> &Tensor| {
            Tensor::cat(&lists.iter().map(of).collect::<Vec<_>>(), 1)?.contiguous()
        };
        let (scores, rows) = (cat(|lists| &lists.scores)?, cat(|lists| &lists.rows)?);
        let (scores, places) = first_of(&scores, m)?;
        Ok(Lists { scores, rows: rows.gather(&places, 1)? })
    }
}

/// The `m` greatest of each row of `scores`, greatest first, and their positions.
fn first_of(scores: &Tensor, m: usize) -> Result<(Tensor, Tensor)> {
    let places = scores.contiguous()?.arg_sort_last_dim(false)?;
    let places = places.narrow(1, 0, m.min(scores.dims()[1]))?.contiguous()?;
    Ok((scores.gather(&places, 1)?, places))
}

/// Copies the first `count` rows to the device.
fn copied(device: &Device, rows: &Rows<'_>, count: usize) -> Result<Option<Tensor>> {
    if count == 0 {
        return Ok(None);
    }
    let values = Tensor::zeros((count, rows.dim()), DType::F16, device)?;
    for first in (0..count).step_by(COPY) {
        let piece = uploaded(device, rows, first, COPY.min(count - first))?;
        values.slice_set(&piece, 0, first)?;
    }
    Ok(Some(values))
}

/// Copies `count` rows from `first` on to the device, (count, dim).
fn uploaded(device: &Device, rows: &Rows<'_>, first: usize, count: usize) -> Result<Tensor> {
    let dim = rows.dim();
    let of = |values: &[f16]| Tensor::from_slice(values, (values.len() / dim, dim), device);
    let spans = rows.spans(first..first + count).filter(|(_, values)| !values.is_empty());
    let mut pieces: Vec<Tensor> = spans.map(|(_, values)| of(values)).collect::<Result<_>>()?;
    match pieces.len() {
        1 => Ok(pieces.remove(0)),
        _ => Tensor::cat(&pieces, 0),
    }
}
