//! Attention on a device.

use candle_core::{D, Result, Tensor};

use super::super::{Heads, RelativeBias};
use super::scope::{GpuScope, Lists, Spans};

/// The most values of gathered keys in memory at once: 256 MiB.
const GATHERED: usize = 1 << 26;

/// Returns the attention of `queries` to `keys` and `values`, (rows, width) each.
pub(super) fn attend(
    heads: Heads,
    [queries, keys, values]: [&Tensor; 3],
    scope: &GpuScope,
    bias: Option<&RelativeBias>,
) -> Result<Tensor> {
    if queries.dim(0)? == 0 {
        return Ok(queries.clone());
    }
    match scope {
        GpuScope::Groups(count) => {
            let bias = bias.map(|bias| group_bias(heads, *count, [queries, keys], bias));
            groups(heads, *count, [queries, keys, values], bias.transpose()?.as_ref())
        }
        GpuScope::FirstGroups { count, rows } => {
            let (keys, values) = (keys.narrow(0, 0, *rows)?, values.narrow(0, 0, *rows)?);
            groups(heads, *count, [queries, &keys, &values], None)
        }
        GpuScope::Lists(lists) => {
            let bias = bias.map(|bias| list_bias(heads, lists, queries, bias)).transpose()?;
            self::lists(heads, lists, [queries, keys, values], bias.as_ref())
        }
        GpuScope::Spans(spans) => self::spans(heads, spans, [queries, keys, values]),
    }
}

/// Attention of all queries of a group to all of its rows. `mask` is added to the scores
/// (groups, heads, queries, rows), to which it is broadcast.
fn groups(
    heads: Heads,
    count: usize,
    [queries, keys, values]: [&Tensor; 3],
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (rows, width) = queries.dims2()?;
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

/// Attention of each query to its list of rows, in batches of queries that bound the memory.
/// `bias` is (queries, longest, heads).
fn lists(
    heads: Heads,
    lists: &Lists,
    [queries, keys, values]: [&Tensor; 3],
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let (n, width) = queries.dims2()?;
    let step = (GATHERED / (lists.longest * width).max(1)).max(1);
    let part = |first| {
        let count = step.min(n - first);
        let rows = lists.rows.narrow(0, first, count)?.flatten_all()?;
        let split = |all: &Tensor| {
            let gathered = all.index_select(&rows, 0)?;
            gathered.reshape((count, lists.longest, heads.count, width / heads.count))
        };
        let queries = queries.narrow(0, first, count)?.contiguous()?;
        let queries = queries.reshape((count, 1, heads.count, width / heads.count))?;
        let scores = split(keys)?.broadcast_mul(&queries)?.sum(D::Minus1)?;
        let mut scores = (scores * f64::from(heads.scale))?;
        if let Some(bias) = bias {
            scores = (scores + bias.narrow(0, first, count)?)?;
        }
        let scores = scores.broadcast_add(&lists.mask.narrow(0, first, count)?)?;
        let weights = candle_nn::ops::softmax(&scores, 1)?.unsqueeze(D::Minus1)?;
        split(values)?.broadcast_mul(&weights)?.sum(1)?.reshape((count, width))
    };
    let parts: Vec<Tensor> = (0..n).step_by(step).map(part).collect::<Result<_>>()?;
    match &parts[..] {
        [one] => Ok(one.clone()),
        _ => Tensor::cat(&parts, 0),
    }
}

/// Attention of all queries of a span to all of its rows.
fn spans(heads: Heads, spans: &Spans, [queries, keys, values]: [&Tensor; 3]) -> Result<Tensor> {
    let queries = queries.index_select(&spans.queries, 0)?;
    let keys = keys.index_select(&spans.rows, 0)?;
    let values = values.index_select(&spans.rows, 0)?;
    let filled = groups(heads, spans.count, [&queries, &keys, &values], Some(&spans.mask))?;
    filled.index_select(&spans.back, 0)
}

/// The bias of a group, (1, heads, queries of a group, rows of a group).
fn group_bias(
    heads: Heads,
    count: usize,
    [queries, keys]: [&Tensor; 2],
    bias: &RelativeBias,
) -> Result<Tensor> {
    let (n, m) = (queries.dim(0)? / count, keys.dim(0)? / count);
    let mut values = Vec::with_capacity(heads.count * n * m);
    for head in 0..heads.count {
        (0..n).for_each(|query| values.extend_from_slice(&bias.of(head, query)[..m]));
    }
    Tensor::from_vec(values, (1, heads.count, n, m), queries.device())
}

/// The bias of lists, (queries, longest, heads); 0 after a list's end.
fn list_bias(heads: Heads, lists: &Lists, queries: &Tensor, bias: &RelativeBias) -> Result<Tensor> {
    let mut values = vec![0.0; lists.lengths.len() * lists.longest * heads.count];
    for (query, &length) in lists.lengths.iter().enumerate() {
        for head in 0..heads.count {
            let Some(last) = length.checked_sub(1) else { continue };
            for (place, &value) in bias.of(head, last)[..length].iter().enumerate() {
                values[(query * lists.longest + place) * heads.count + head] = value;
            }
        }
    }
    let shape = (lists.lengths.len(), lists.longest, heads.count);
    Tensor::from_vec(values, shape, queries.device())
}
