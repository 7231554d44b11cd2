//! Rankings on a GPU, or on any device of the tensor engine: exact as those of the
//! processor, by another way to the same two stages.
//!
//! # Two stages
//! The rows lie on the device as f16, as they lie in the file; what does not fit its
//! memory streams by, piece after piece, at every ranking. Stage one multiplies a
//! piece with all queries, keeps the best of it for each query on the device, and
//! merges those with what it has: only `m` rows a query come back, some more than the
//! `k` that are asked for. Stage two scores those `m` as `rank::dot` defines a
//! score, from the rows where the caller has them.
//!
//! # Why the answer is exact
//! A device adds up in an order of its own, so that its scores are not the ranking's.
//! But they are off by no more than a bound `e` (`tensors` and `cuda` say which for
//! theirs). Every row that did not come back has, on the device, at most the score
//! `s` of the last that did; so its true score is at most `s + e`. Where the `k`-th
//! of the true scores is greater than that, no other row is among the first `k`, not
//! by a tie either. Where it is not, the query is asked again with four times as many
//! rows; and one that more than an eighth of the table, or more than [`MOST`] rows,
//! leaves in doubt (a table of one row a million times is one) is ranked from the
//! rows themselves, by the processor.
//!
//! # Memory
//! Queries go through in batches. Where the device is out of memory the batch is
//! halved and tried again, down to one query: then it is an error that says so.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(test, feature = "cuda"))]
mod keys;
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
use crate::nn::{even, halving};
use crate::{Device, Error, Result};
use rescore::CoarseTop;
use tensors::Tensors;

/// Rows that a query may bring back. Two lists of so many are still one sort of the
/// engine's, which on CUDA takes rows of 8,192 at most.
pub const MAX_REQUESTED: usize = 4096;

/// How many times more a query is asked for that one answer left in doubt.
const GROWTH: usize = 4;

/// Of a table more than one row in so many is in doubt: then the rows themselves are
/// as quick.
const MAX_DEVICE_SHARE: usize = 8;

/// Queries in a batch: a piece's scores are 32 MiB.
const BATCH: usize = 1024;

/// The same where rows stream by, which costs more than room for scores.
const STREAMED_BATCH: usize = 8192;

/// Rows that the fused kernels bring back for a query, as their source has it.
const LIST: usize = 32;

/// Queries that they score truly: SCAN_QUERIES of the source.
#[cfg(any(test, feature = "cuda"))]
const FEW: usize = 8;

/// Rows that are asked for where `k` are wanted: up to 15 they fit a [`LIST`].
fn requested(k: usize) -> usize {
    k.saturating_add(k / 8 + 16)
}

/// Kernels of this library's own for stage one, for rows of one width.
trait Kernels: Debug + Send + Sync {
    /// The [`LIST`] best rows of each of `queries`, at least one; the resident ones
    /// are `tensors`'.
    fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        tensors: &Tensors,
    ) -> candle_core::Result<Vec<CoarseTop>>;
}

/// The kernels for rows of `dim`, where `device` runs any.
#[cfg(feature = "cuda")]
fn kernels(
    device: &candle_core::Device,
    dim: usize,
) -> candle_core::Result<Option<Box<dyn Kernels>>> {
    Ok(cuda::Fused::new(device, dim)?.map(|fused| Box::new(fused) as Box<dyn Kernels>))
}

/// The kernels for rows of `dim`, where `device` runs any: none in this build.
#[cfg(not(feature = "cuda"))]
fn kernels(_: &candle_core::Device, _: usize) -> candle_core::Result<Option<Box<dyn Kernels>>> {
    Ok(None)
}

/// Rows of a table on a device.
///
/// It borrows nothing: whoever ranks brings the rows again, from which scores are
/// taken and what is not resident is streamed.
#[derive(Debug)]
pub struct Resident {
    dim: usize,
    len: usize,
    engine: Tensors,
    fused: Option<Box<dyn Kernels>>,
}

impl Resident {
    /// Copies as many of `rows` to `device` as `bytes` hold, and fewer where its
    /// memory ends before. The others will be streamed.
    ///
    /// # Errors
    /// Those of [`Device::check`]; [`Error::Engine`] where the device fails otherwise,
    /// [`Error::Dim`] where there are 2^32 rows or more.
    pub fn new(device: Device, rows: &Rows<'_>, bytes: u64) -> Result<Self> {
        Self::on_engine(&device.open()?, rows, bytes)
    }

    /// The same on the tensor engine's handle of a device.
    pub(super) fn on_engine(
        device: &candle_core::Device,
        rows: &Rows<'_>,
        bytes: u64,
    ) -> Result<Self> {
        let row = (rows.dim() * size_of::<f16>()) as u64;
        let fit = usize::try_from(bytes / row.max(1)).unwrap_or(usize::MAX);
        let most = u32::MAX as usize - 1;
        if rows.len() > most {
            let found = rows.len();
            return Err(Error::Dim { what: "a table on a device", expected: most, found });
        }
        let engine = Tensors::new(device, rows, fit.min(rows.len()))
            .map_err(Error::engine("copy rows to the device"))?;
        Ok(Resident {
            dim: rows.dim(),
            len: rows.len(),
            fused: kernels(device, rows.dim())
                .map_err(Error::engine("compile the device's kernels"))?,
            engine,
        })
    }

    /// How many rows are resident, the first of the table; the others stream.
    pub fn resident(&self) -> usize {
        self.engine.resident()
    }

    /// What [`Rows::top_k`] gives, to the last bit. `rows` are those that this was
    /// made of.
    ///
    /// # Errors
    /// [`Error::Dim`] where a query or `rows` are of another width or number,
    /// [`Error::DeviceMemory`] where not even one query fits, [`Error::Engine`].
    pub fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Hit>>> {
        let unlike = |what, expected, found| Err(Error::Dim { what, expected, found });
        if (rows.dim(), rows.len()) != (self.dim, self.len) {
            let (expected, found) = (self.len * self.dim, rows.len() * rows.dim());
            return unlike("a resident table", expected, found);
        }
        if let Some(query) = queries.iter().find(|query| query.dim() != self.dim) {
            return unlike("a query", self.dim, query.dim());
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
            let batch = if self.resident() < self.len { STREAMED_BATCH } else { BATCH };
            let signed = |number: &usize| -> Vec<f32> {
                let sign = order.sign();
                queries[*number].as_slice().iter().map(|value| sign * value).collect()
            };
            let found = halving("a ranking", even(undecided.len(), batch), |part| {
                let queries: Vec<Vec<f32>> = undecided[part].iter().map(signed).collect();
                let best = self.best(rows, &queries, m.min(self.len));
                best.map_err(Error::engine("compute on the device"))
            })?;
            let rescored = |(number, coarse): (usize, CoarseTop)| {
                (number, rescore::hits(rows, &queries[number], k, order, &coarse))
            };
            let found = found.into_iter().flatten();
            let pairs: Vec<_> = undecided.iter().copied().zip(found).collect();
            let pairs: Vec<_> = pairs.into_par_iter().map(rescored).collect();
            undecided.clear();
            for (number, hits) in pairs {
                match hits {
                    Some(hits) => answers[number] = hits,
                    None => undecided.push(number),
                }
            }
            (m, first) = (m * GROWTH, false);
        }
        let rest: Vec<Features> = undecided.iter().map(|&number| queries[number].clone()).collect();
        for (number, hits) in undecided.iter().zip(rows.top_k(&rest, k, order)?) {
            answers[*number] = hits;
        }
        Ok(answers)
    }

    /// At least the `m` best rows of each query: by the kernels, where there are any
    /// and a list of theirs holds as many, else in the engine's operations.
    fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        m: usize,
    ) -> candle_core::Result<Vec<CoarseTop>> {
        match &self.fused {
            Some(kernels) if m <= LIST => kernels.best(rows, queries, &self.engine),
            _ => self.engine.best(rows, queries, m),
        }
    }
}
