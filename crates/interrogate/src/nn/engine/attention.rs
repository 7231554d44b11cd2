//! Attention on a device: a query over rows of its own choice, and all queries of a
//! group over all of its rows.

use candle_core::{D, Device, Result, Tensor};

use super::super::attention::Heads;

/// Values of gathered keys that are in memory together: 256 MiB.
const GATHERED: usize = 1 << 26;

/// Which rows each query attends to, laid out for a device: lists of one length, and
/// what takes the rows that only fill a list out of its sums.
#[derive(Clone, Debug)]
pub(crate) struct Chains {
    /// (queries, longest) in u32
    rows: Tensor,
    /// (queries, longest, 1): 0, or minus infinity behind a list's end.
    mask: Tensor,
    longest: usize,
}

impl Chains {
    /// Asks `chain` for the list of each of `queries`, none of them empty.
    pub(crate) fn new(
        queries: usize,
        chain: impl Fn(usize, &mut Vec<u32>),
        device: &Device,
    ) -> Result<Self> {
        let (mut all, mut ends) = (Vec::new(), Vec::with_capacity(queries));
        for query in 0..queries {
            chain(query, &mut all);
            ends.push(all.len());
        }
        let starts = || std::iter::once(0).chain(ends.iter().copied());
        let longest = starts().zip(&ends).map(|(start, end)| end - start).max().unwrap_or(0);
        let mut rows = vec![0u32; queries * longest];
        let mut mask = vec![f32::NEG_INFINITY; queries * longest];
        for (query, (start, &end)) in starts().zip(&ends).enumerate() {
            let at = query * longest;
            rows[at..at + end - start].copy_from_slice(&all[start..end]);
            mask[at..at + end - start].fill(0.0);
        }
        Ok(Chains {
            rows: Tensor::from_vec(rows, (queries, longest), device)?,
            mask: Tensor::from_vec(mask, (queries, longest, 1), device)?,
            longest,
        })
    }

    /// The lists of the queries that `only` (chosen) in u32 numbers.
    pub(crate) fn select(&self, only: &Tensor) -> Result<Self> {
        Ok(Chains {
            rows: self.rows.index_select(only, 0)?,
            mask: self.mask.index_select(only, 0)?,
            longest: self.longest,
        })
    }

    /// The attention of `queries` (queries, width) over `keys` and `values` (rows,
    /// width), as many queries at a time as memory is for.
    pub(crate) fn attend(
        &self,
        heads: Heads,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<Tensor> {
        let (n, width) = queries.dims2()?;
        let step = (GATHERED / (self.longest * width).max(1)).max(1);
        let part = |first| {
            let count = step.min(n - first);
            let rows = self.rows.narrow(0, first, count)?.flatten_all()?;
            let split = |all: &Tensor| {
                let gathered = all.index_select(&rows, 0)?;
                gathered.reshape((count, self.longest, heads.count, width / heads.count))
            };
            let queries = queries.narrow(0, first, count)?.contiguous()?;
            let queries = queries.reshape((count, 1, heads.count, width / heads.count))?;
            let scores = split(keys)?.broadcast_mul(&queries)?.sum(D::Minus1)?;
            let scores = (scores * f64::from(heads.scale))?;
            let scores = scores.broadcast_add(&self.mask.narrow(0, first, count)?)?;
            let weights = candle_nn::ops::softmax(&scores, 1)?.unsqueeze(D::Minus1)?;
            split(values)?.broadcast_mul(&weights)?.sum(1)?.reshape((count, width))
        };
        let parts: Vec<Tensor> = (0..n).step_by(step).map(part).collect::<Result<_>>()?;
        match &parts[..] {
            [one] => Ok(one.clone()),
            [] => Ok(queries.clone()),
            _ => Tensor::cat(&parts, 0),
        }
    }
}

/// The attention of `queries` over `keys` and `values`, each (count * rows, width)
/// and cut into `count` groups; those of a group attend to all of it, or to what `mask`
/// leaves: (count, 1, 1, keys of a group), 0 or minus infinity, not that for all of a
/// group.
pub(crate) fn groups(
    heads: Heads,
    count: usize,
    [queries, keys, values]: [&Tensor; 3],
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (rows, width) = queries.dims2()?;
    if rows == 0 {
        return Ok(queries.clone());
    }
    // (count, heads, rows of a group, head)
    let split = |all: &Tensor| {
        let of_group = all.dim(0)? / count;
        let parts = all.reshape((count, of_group, heads.count, width / heads.count))?;
        parts.transpose(1, 2)?.contiguous()
    };
    let scores = (split(queries)? * f64::from(heads.scale))?.matmul(&split(keys)?.t()?)?;
    let scores = mask.map_or(Ok(scores.clone()), |mask| scores.broadcast_add(mask))?;
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    weights.matmul(&split(values)?)?.transpose(1, 2)?.contiguous()?.reshape((rows, width))
}
