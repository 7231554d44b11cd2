//! Attention by candle's operations, in f32: on Metal, on candle's CPU device, and for shapes
//! that the kernels do not take.

use candle_core::{D, DType, Result, Tensor};

use super::super::super::{Heads, RelativeBias};
use super::super::kv::KeysAndValues;
use super::super::scope::{GpuScope, Lists, Spans};

/// The most values of gathered keys in memory at once: 256 MiB.
const GATHERED: usize = 1 << 26;

/// Returns the attention of `queries` to `kv`, in the type of the queries.
pub(super) fn attend(
    heads: Heads,
    queries: &Tensor,
    kv: KeysAndValues<'_>,
    scope: &GpuScope,
    bias: Option<&RelativeBias>,
) -> Result<Tensor> {
    let dtype = queries.dtype();
    let queries = &queries.to_dtype(DType::F32)?;
    let [keys, values] = &kv.joined()?;
    let attended = match scope {
        GpuScope::Groups(count) => {
            let bias = bias.map(|bias| group_bias(*count, [queries, keys], bias));
            groups(heads, *count, [queries, keys, values], bias.transpose()?.as_ref())
        }
        GpuScope::Lists(lists) => {
            let bias = bias.map(|bias| list_bias(lists, queries, bias)).transpose()?;
            self::lists(heads, lists, [queries, keys, values], bias.as_ref())
        }
        GpuScope::FirstGroups { .. } | GpuScope::Spans(_) if bias.is_some() => {
            candle_core::bail!("spans have no relative bias")
        }
        GpuScope::FirstGroups { count, rows } => {
            let (keys, values) = (keys.narrow(0, 0, *rows)?, values.narrow(0, 0, *rows)?);
            groups(heads, *count, [queries, &keys, &values], None)
        }
        GpuScope::Spans(spans) => self::spans(heads, spans, [queries, keys, values]),
    };
    attended?.to_dtype(dtype)
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
    let (padded, longest) = (lists.padded()?, lists.longest());
    let step = (GATHERED / (longest * width).max(1)).max(1);
    let part = |first| {
        let count = step.min(n - first);
        let rows = padded.rows.narrow(0, first, count)?.flatten_all()?;
        let split = |all: &Tensor| {
            let gathered = all.index_select(&rows, 0)?;
            gathered.reshape((count, longest, heads.count, width / heads.count))
        };
        let queries = queries.narrow(0, first, count)?.contiguous()?;
        let queries = queries.reshape((count, 1, heads.count, width / heads.count))?;
        let scores = split(keys)?.broadcast_mul(&queries)?.sum(D::Minus1)?;
        let mut scores = (scores * f64::from(heads.scale))?;
        if let Some(bias) = bias {
            scores = (scores + bias.narrow(0, first, count)?)?;
        }
        let scores = scores.broadcast_add(&padded.mask.narrow(0, first, count)?)?;
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
    let padded = spans.padded()?;
    let queries = queries.index_select(&padded.queries, 0)?;
    let keys = keys.index_select(&padded.rows, 0)?;
    let values = values.index_select(&padded.rows, 0)?;
    let filled = groups(heads, spans.count(), [&queries, &keys, &values], Some(&padded.mask))?;
    filled.index_select(&padded.back, 0)
}

/// The bias of a group, (1, heads, queries of a group, rows of a group).
fn group_bias(count: usize, [queries, keys]: [&Tensor; 2], bias: &RelativeBias) -> Result<Tensor> {
    let (n, m) = (queries.dim(0)? / count, keys.dim(0)? / count);
    let mut offsets = Vec::with_capacity(n * m);
    for query in 0..n {
        let first = bias.first_offset(query, m)? as u32;
        offsets.extend((0..m as u32).map(|row| first + row));
    }
    let values = bias.on_device(queries.device())?;
    let offsets = Tensor::new(offsets, queries.device())?;
    values.index_select(&offsets, 1)?.reshape((1, (), n, m))
}

/// The bias of lists, (queries, longest, heads); that after a list's end has no meaning.
fn list_bias(lists: &Lists, queries: &Tensor, bias: &RelativeBias) -> Result<Tensor> {
    let longest = lists.longest();
    let mut offsets = vec![0u32; lists.len() * longest];
    for (query, offsets) in offsets.chunks_exact_mut(longest.max(1)).enumerate() {
        let length = lists.length(query);
        let Some(last) = length.checked_sub(1) else { continue };
        let first = bias.first_offset(last, length)? as u32;
        (first..).zip(&mut offsets[..length]).for_each(|(offset, at)| *at = offset);
    }
    let values = bias.on_device(queries.device())?;
    let offsets = Tensor::new(offsets, queries.device())?;
    let values = values.index_select(&offsets, 1)?.t()?.contiguous()?;
    values.reshape((lists.len(), longest, ()))
}
