//! Attention, twice: of whole sequences to each other, and of single positions
//! to the rows of a cache.

use candle_core::{Device, Tensor};

use super::linear::dot;
use super::states::States;
use crate::{Error, Result};

/// How an attention is cut up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    /// Number of heads; it divides the width.
    pub(crate) count: usize,
    /// What a dot product is multiplied by.
    pub(crate) scale: f32,
}

impl Heads {
    /// Heads over rows of `dim`, scaled by one over the root of a head's width.
    pub(crate) fn scaled(count: usize, dim: usize) -> Self {
        Heads { count, scale: 1.0 / ((dim / count) as f32).sqrt() }
    }
}

/// Every query of a sequence to every key of the same sequence's: `queries`
/// (batch * n, dim) to `keys` and `values` (batch * m, dim), giving (batch * n,
/// dim). `bias` (heads, n, m) is added to the scaled products.
///
/// # Errors
/// [`Error::Engine`] where the engine fails.
pub(crate) fn whole(
    batch: usize,
    heads: Heads,
    [queries, keys, values]: [&States; 3],
    bias: Option<&Tensor>,
) -> Result<States> {
    let dim = queries.dim();
    if batch == 0 {
        return Ok(States::zeros(0, dim));
    }
    let split = |x: &States| {
        let shape = (batch, x.len() / batch, heads.count, dim / heads.count);
        Tensor::from_slice(x.values(), shape, &Device::Cpu)?.transpose(1, 2)?.contiguous()
    };
    let out = || -> candle_core::Result<Vec<f32>> {
        let queries = (split(queries)? * f64::from(heads.scale))?;
        let mut scores = queries.matmul(&split(keys)?.transpose(2, 3)?)?;
        if let Some(bias) = bias {
            scores = scores.broadcast_add(bias)?;
        }
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        weights.matmul(&split(values)?)?.transpose(1, 2)?.flatten_all()?.to_vec1()
    };
    Ok(States::new(dim, out().map_err(Error::engine("attend"))?))
}

/// The keys and values of one layer for the positions of one image, a row each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Cache {
    /// Of whole sequences' keys and values.
    pub(crate) fn new(keys: Vec<f32>, values: Vec<f32>) -> Self {
        Cache { keys, values }
    }

    /// Where the keys stand.
    #[cfg(test)]
    pub(crate) fn place(&self) -> *const f32 {
        self.keys.as_ptr()
    }

    /// Appends one row.
    pub(crate) fn push(&mut self, key: &[f32], value: &[f32]) {
        self.keys.extend_from_slice(key);
        self.values.extend_from_slice(value);
    }

    /// Number of rows of `dim` values.
    pub(crate) fn len(&self, dim: usize) -> usize {
        self.keys.len() / dim
    }

    /// One query to the rows that `chain` numbers, in that order; `bias` of
    /// (head, place in the chain) is added to the scaled product. Writes to
    /// `out`, as wide as `query`.
    ///
    /// Cost: one pass over the chain's keys, one over its values.
    pub(crate) fn attend(
        &self,
        heads: Heads,
        query: &[f32],
        chain: &[u32],
        bias: impl Fn(usize, usize) -> f32,
        out: &mut [f32],
    ) {
        let (dim, width) = (query.len(), query.len() / heads.count);
        let row = |all: &'_ [f32], row: u32| -> std::ops::Range<usize> {
            debug_assert!(all.len() >= (row as usize + 1) * dim);
            row as usize * dim..(row as usize + 1) * dim
        };
        // (heads, places), head by head, so that a softmax is over a slice.
        let mut scores = vec![0.0f32; heads.count * chain.len()];
        for (place, &number) in chain.iter().enumerate() {
            let key = &self.keys[row(&self.keys, number)];
            let pairs = query.chunks_exact(width).zip(key.chunks_exact(width));
            for (head, (q, k)) in pairs.enumerate() {
                scores[head * chain.len() + place] = dot(q, k) * heads.scale + bias(head, place);
            }
        }
        scores.chunks_exact_mut(chain.len().max(1)).for_each(softmax);
        out.fill(0.0);
        for (place, &number) in chain.iter().enumerate() {
            let value = &self.values[row(&self.values, number)];
            let pairs = out.chunks_exact_mut(width).zip(value.chunks_exact(width));
            for (head, (out, value)) in pairs.enumerate() {
                let weight = scores[head * chain.len() + place];
                out.iter_mut().zip(value).for_each(|(o, v)| *o += weight * v);
            }
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - max).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(rows: usize, dim: usize, seed: f32) -> States {
        let value = |i: usize| ((i as f32 + seed) * 0.77).sin();
        States::new(dim, (0..rows * dim).map(value).collect())
    }

    #[test]
    fn a_row_attends_to_a_cache_as_it_does_in_a_sequence() {
        let (q, k, v) = (states(6, 20, 0.0), states(10, 20, 7.0), states(10, 20, 3.0));
        let heads = Heads::scaled(4, 20);
        let bias: Vec<f32> = (0..60u8).map(|i| f32::from(i % 7) * 0.1).collect();
        let table = Tensor::from_slice(&bias, (4, 3, 5), &Device::Cpu).unwrap();
        let together = whole(2, heads, [&q, &k, &v], Some(&table)).unwrap();
        let cache = Cache::new(k.values().to_vec(), v.values().to_vec());
        for row in 0..6 {
            let (image, place) = (row / 3, row % 3);
            let chain: Vec<u32> = (0..5).map(|i| image as u32 * 5 + i).collect();
            let mut out = vec![0.0; 20];
            let bias = |head: usize, j: usize| bias[(head * 3 + place) * 5 + j];
            cache.attend(heads, q.row(row), &chain, bias, &mut out);
            let far = out.iter().zip(together.row(row)).map(|(a, b)| (a - b).abs());
            assert!(far.fold(0.0, f32::max) < 1e-6);
        }
    }
}
