//! Scopes of the GPU backend.

use candle_core::{Device, Result, Tensor};

use super::super::backend::{RowLists, Scope, Span};

/// A [`Scope`] prepared for a device.
#[derive(Clone, Debug)]
pub(crate) enum GpuScope {
    Groups(usize),
    /// Groups that cover only the first `rows`.
    FirstGroups {
        count: usize,
        rows: usize,
    },
    Lists(Lists),
    Spans(Spans),
}

/// Lists padded to equal length, and the mask that excludes the padding.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// (queries, longest) in u32.
    pub(super) rows: Tensor,
    /// (queries, longest, 1): 0, or minus infinity after a list's end.
    pub(super) mask: Tensor,
    pub(super) longest: usize,
    /// The length of each list.
    pub(super) lengths: Vec<usize>,
}

/// Spans padded to equal numbers of queries and rows.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    pub(super) count: usize,
    /// (count * longest) in u32: the queries of each span, then padding.
    pub(super) queries: Tensor,
    /// (count * longest) in u32: the rows of each span, then padding.
    pub(super) rows: Tensor,
    /// (count, 1, 1, longest): 0, or minus infinity after a span's end.
    pub(super) mask: Tensor,
    /// (count, longest, 1): 1 over the length, or 0 after the end.
    pub(super) shares: Tensor,
    /// (queries) in u32: the position of each query among the padded ones.
    pub(super) back: Tensor,
}

impl GpuScope {
    pub(super) fn new(scope: Scope, device: &Device) -> Result<Self> {
        Ok(match scope {
            Scope::Groups(count) => GpuScope::Groups(count),
            Scope::Lists(lists) => GpuScope::Lists(Lists::new(&lists, device)?),
            Scope::Spans(spans) => match groups(&spans) {
                Some(rows) => GpuScope::FirstGroups { count: spans.len(), rows },
                None => GpuScope::Spans(Spans::new(&spans, device)?),
            },
        })
    }

    /// The mean row of each span of `x`; none for other scopes.
    pub(super) fn means(&self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(1)?;
        match self {
            GpuScope::FirstGroups { count, rows } => {
                x.narrow(0, 0, *rows)?.reshape((*count, rows / count, width))?.mean(1)
            }
            GpuScope::Groups(_) | GpuScope::Lists(_) => x.narrow(0, 0, 0),
            GpuScope::Spans(spans) => {
                let x = x.index_select(&spans.rows, 0)?.reshape((spans.count, (), width))?;
                x.broadcast_mul(&spans.shares)?.sum(1)
            }
        }
    }
}

impl Lists {
    fn new(lists: &RowLists, device: &Device) -> Result<Self> {
        let (queries, longest) = (lists.len(), lists.longest());
        let mut rows = vec![0u32; queries * longest];
        let mut mask = vec![f32::NEG_INFINITY; queries * longest];
        for query in 0..queries {
            let list = lists.get(query);
            rows[query * longest..][..list.len()].copy_from_slice(list);
            mask[query * longest..][..list.len()].fill(0.0);
        }
        Ok(Lists {
            rows: Tensor::from_vec(rows, (queries, longest), device)?,
            mask: Tensor::from_vec(mask, (queries, longest, 1), device)?,
            longest,
            lengths: (0..queries).map(|query| lists.get(query).len()).collect(),
        })
    }
}

impl Spans {
    fn new(spans: &[Span], device: &Device) -> Result<Self> {
        let longest = |length: fn(&Span) -> usize| spans.iter().map(length).max().unwrap_or(0);
        let (most_queries, most_rows) = (longest(|s| s.queries.len()), longest(|s| s.rows.len()));
        let mut queries = vec![0u32; spans.len() * most_queries];
        let mut back = Vec::new();
        let mut rows = vec![0u32; spans.len() * most_rows];
        let mut mask = vec![f32::NEG_INFINITY; spans.len() * most_rows];
        let mut shares = vec![0.0; spans.len() * most_rows];
        for (number, span) in spans.iter().enumerate() {
            for (place, query) in span.queries.clone().enumerate() {
                queries[number * most_queries + place] = query as u32;
                back.push((number * most_queries + place) as u32);
            }
            for (place, row) in span.rows.clone().enumerate() {
                let at = number * most_rows + place;
                (rows[at], mask[at]) = (row as u32, 0.0);
                shares[at] = 1.0 / span.rows.len() as f32;
            }
        }
        Ok(Spans {
            count: spans.len(),
            queries: Tensor::new(queries, device)?,
            rows: Tensor::new(rows, device)?,
            mask: Tensor::from_vec(mask, (spans.len(), 1, 1, most_rows), device)?,
            shares: Tensor::from_vec(shares, (spans.len(), most_rows, 1), device)?,
            back: Tensor::new(back, device)?,
        })
    }
}

/// The number of rows that `spans` cover if they are groups: adjacent, of equal length, starting
/// at row 0.
fn groups(spans: &[Span]) -> Option<usize> {
    let first = spans.first()?;
    let (queries, rows) = (first.queries.len(), first.rows.len());
    let follows = |(number, span): (usize, &Span)| {
        span.queries == (number * queries..(number + 1) * queries)
            && span.rows == (number * rows..(number + 1) * rows)
    };
    spans.iter().enumerate().all(follows).then_some(rows * spans.len())
}
