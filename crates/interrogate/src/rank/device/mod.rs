//! Exact top-k on a GPU, or on any device of candle: the same result as on the CPU,
//! by a coarse scan on the device and rescoring.
//!
//! # Coarse scan and rescore
//! The rows are on the device as f16, as in the file; rows that do not fit its memory are
//! streamed, piece by piece, at every ranking. The coarse scan multiplies a piece with all
//! queries and keeps the best rows of all pieces for each query, `m` of them, somewhat more than
//! `k`. These are rescored as `rank::dot` defines a score: on CUDA by this library's kernels
//! (see `cuda`), so that only the first `k` are copied back; by candle's operations, or if rows
//! are streamed, the `m` rows come back and are rescored from the caller's rows.
//!
//! # Why the result is exact
//! A device sums in its own order, so its scores differ from the ranking's by up to an error
//! bound `e` (see `tensors` and `cuda`). Every row that is not rescored has, on the device, at
//! most the score `s` of the last row that is; so its true score is at most `s + e`. If the
//! `k`-th true score is greater than that, no other row is among the first `k`, not even by a
//! tie. Otherwise the query is undecided and runs again with four times as many rows. A query
//! that is undecided with more than 1/8 of the table or more than [`MAX_REQUESTED`] rows (a
//! table of one row a million times, for example) is ranked on the CPU.
//!
//! # Memory
//! Queries run in batches. If the device runs out of memory, the batch is halved and tried
//! again; if one query does not fit, that is an error.

#[cfg(doc)]
use crate::error::DeviceError;

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(test, feature = "cuda"))]
mod keys;
#[cfg(any(test, feature = "cuda"))]
mod plan;
mod ranker;
mod rescore;
mod tensors;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use half::f16;
use rayon::prelude::*;

pub use ranker::DeviceRanker;

use super::{Hit, Order, Rows};
use crate::encoder::Features;
use crate::error::RowsError;
use crate::nn::{even, halving};
use crate::{Device, Error, Result};
use rescore::CoarseTop;
use tensors::Tensors;

/// The most rows per query that are rescored. Two lists of this length are still one
/// sort of candle, which on CUDA sorts at most 8,192 values.
pub const MAX_REQUESTED: usize = 4096;

/// How many times more rows an undecided query requests.
const GROWTH: usize = 4;

/// Above 1/8 of the rows, a full scan on the CPU is as fast.
const MAX_DEVICE_SHARE: usize = 8;

/// Queries per batch of candle's operations: a piece's scores take 32 MiB.
const BATCH: usize = 1024;

/// Queries per batch when rows are streamed, which costs more than memory for scores.
const STREAMED_BATCH: usize = 8192;

/// Queries per call of the kernels, which process them in batches of their own.
const KERNELS_BATCH: usize = 8192;

/// Rows that the coarse scan requests for `k`.
fn requested(k: usize) -> usize {
    k.saturating_add(k / 8 + 16)
}

/// What the kernels rank.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "read by kernels alone"))]
struct Search {
    k: usize,
    /// Rows that are rescored, at least `k` and at most [`MAX_REQUESTED`].
    requested: usize,
    order: Order,
}

/// A query's result on a device.
#[derive(Clone, Debug)]
#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "made by kernels alone"))]
enum Found {
    /// The ranking.
    Hits(Vec<Hit>),
    /// More rows have to be rescored.
    Undecided,
    /// Rows to be rescored on the host.
    Rows(CoarseTop),
}

/// This library's kernels, for rows of one dim.
trait Kernels: Debug + Send + Sync {
    /// Whether the kernels rescore `requested` rows per query.
    fn takes(&self, requested: usize) -> bool;

    /// Ranks `queries`, at least one, each of the rows' dim; `tensors` holds the resident rows.
    fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[&Features],
        search: Search,
        tensors: &Tensors,
    ) -> candle_core::Result<Vec<Found>>;
}

/// The kernels for rows of `dim`, if `device` runs them.
#[cfg(feature = "cuda")]
fn kernels(
    device: &candle_core::Device,
    dim: usize,
) -> candle_core::Result<Option<Box<dyn Kernels>>> {
    Ok(cuda::Fused::new(device, dim)?.map(|fused| Box::new(fused) as Box<dyn Kernels>))
}

/// The kernels for rows of `dim`: none in this build.
#[cfg(not(feature = "cuda"))]
fn kernels(_: &candle_core::Device, _: usize) -> candle_core::Result<Option<Box<dyn Kernels>>> {
    Ok(None)
}

/// The rows of a table on a device.
///
/// It does not borrow the rows: every ranking gets them again, for rescoring and for streaming.
#[derive(Debug)]
pub struct Resident {
    dim: usize,
    len: usize,
    tensors: Tensors,
    fused: Option<Box<dyn Kernels>>,
}

impl Resident {
    /// Copies as many of `rows` to `device` as fit in `bytes`, and fewer if its memory ends
    /// before. The others are streamed at every ranking.
    ///
    /// # Errors
    /// As of [`Device::check`]; [`DeviceError::Tensors`] if the device fails otherwise, [`RowsError::Dim`]
    /// if there are 2^32 rows or more.
    pub fn new(device: Device, rows: &Rows<'_>, bytes: u64) -> Result<Self> {
        Self::on_candle(&device.open()?, rows, bytes)
    }

    /// Like [`new`](Self::new), on an open device of candle.
    pub(super) fn on_candle(
        device: &candle_core::Device,
        rows: &Rows<'_>,
        bytes: u64,
    ) -> Result<Self> {
        let row = (rows.dim() * size_of::<f16>()) as u64;
        let fit = usize::try_from(bytes / row.max(1)).unwrap_or(usize::MAX);
        let most = u32::MAX as usize - 1;
        if rows.len() > most {
            let found = rows.len();
            return Err(Error::Rows(RowsError::Dim {
                what: "a table on a device",
                expected: most,
                found,
            }));
        }
        let tensors = Tensors::new(device, rows, fit.min(rows.len()))
            .map_err(Error::tensors("copy rows to the device"))?;
        Ok(Resident {
            dim: rows.dim(),
            len: rows.len(),
            fused: kernels(device, rows.dim())
                .map_err(Error::tensors("compile the device's kernels"))?,
            tensors,
        })
    }

    /// The number of resident rows, the first of the table; the others are streamed.
    pub fn resident(&self) -> usize {
        self.tensors.resident()
    }

    /// Returns the same as [`Rows::top_k`], bit for bit. `rows` must be the rows that this was
    /// created from.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if a query or `rows` have another shape, [`DeviceError::OutOfMemory`] if not
    /// even one query fits, [`DeviceError::Tensors`] if the device fails otherwise.
    pub fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Hit>>> {
        let mismatch =
            |what, expected, found| Err(Error::Rows(RowsError::Dim { what, expected, found }));
        if (rows.dim(), rows.len()) != (self.dim, self.len) {
            let (expected, found) = (self.len * self.dim, rows.len() * rows.dim());
            return mismatch("a resident table", expected, found);
        }
        if let Some(query) = queries.iter().find(|query| query.dim() != self.dim) {
            return mismatch("a query", self.dim, query.dim());
        }
        let k = k.min(self.len);
        let mut answers = vec![Vec::new(); queries.len()];
        let mut undecided: Vec<usize> =
            if k == 0 { Vec::new() } else { (0..queries.len()).collect() };
        let mut m = requested(k);
        let mut first = true;
        while !undecided.is_empty()
            && m <= MAX_REQUESTED
            && (first || m <= self.len / MAX_DEVICE_SHARE)
        {
            let search = Search { k, requested: m.min(self.len), order };
            let kernels = self.fused.as_ref().filter(|kernels| kernels.takes(search.requested));
            let batch = match kernels {
                Some(_) => KERNELS_BATCH,
                None if self.resident() < self.len => STREAMED_BATCH,
                None => BATCH,
            };
            let found = halving("a ranking", even(undecided.len(), batch), |part| {
                let queries: Vec<&Features> =
                    undecided[part].iter().map(|&number| &queries[number]).collect();
                let found = match kernels {
                    Some(kernels) => kernels.top_k(rows, &queries, search, &self.tensors),
                    None => self.coarse(rows, &queries, search),
                };
                found.map_err(Error::tensors("compute on the device"))
            })?;
            let mut pending = Vec::new();
            let mut left = Vec::new();
            for (number, found) in undecided.iter().copied().zip(found.into_iter().flatten()) {
                match found {
                    Found::Hits(hits) => answers[number] = hits,
                    Found::Undecided => left.push(number),
                    Found::Rows(coarse) => pending.push((number, coarse)),
                }
            }
            let rescored = |(number, coarse): (usize, CoarseTop)| {
                (number, rescore::hits(rows, &queries[number], k, order, &coarse))
            };
            let rescored: Vec<_> = pending.into_par_iter().map(rescored).collect();
            for (number, hits) in rescored {
                match hits {
                    Some(hits) => answers[number] = hits,
                    None => left.push(number),
                }
            }
            undecided = left;
            (m, first) = (m * GROWTH, false);
        }
        let rest: Vec<Features> = undecided.iter().map(|&number| queries[number].clone()).collect();
        for (number, hits) in undecided.iter().zip(rows.top_k(&rest, k, order)?) {
            answers[*number] = hits;
        }
        Ok(answers)
    }

    /// Returns at least the requested rows of each query, by operations of candle.
    fn coarse(
        &self,
        rows: &Rows<'_>,
        queries: &[&Features],
        search: Search,
    ) -> candle_core::Result<Vec<Found>> {
        let sign = search.order.sign();
        let signed =
            |query: &&Features| query.as_slice().iter().map(|value| sign * value).collect();
        let queries: Vec<Vec<f32>> = queries.iter().map(signed).collect();
        let tops = self.tensors.best(rows, &queries, search.requested)?;
        Ok(tops.into_iter().map(Found::Rows).collect())
    }
}
