//! Spans of rows on a device.

use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor};

use super::super::super::backend::Span;
#[cfg(feature = "cuda")]
use super::super::transfer::upload_ids;
use super::once;

/// Spans of any lengths.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    spans: Vec<Span>,
    device: Device,
    padded: OnceLock<PaddedSpans>,
    /// The tiles of 64 queries, and of 16.
    #[cfg(feature = "cuda")]
    tiles: [OnceLock<Tensor>; 2],
    #[cfg(feature = "cuda")]
    ranges: OnceLock<Tensor>,
}

/// Spans padded to equal numbers of queries and rows: for candle's operations.
#[derive(Clone, Debug)]
pub(in crate::nn::gpu) struct PaddedSpans {
    /// (count * longest) in u32: the queries of each span, then padding.
    pub(in crate::nn::gpu) queries: Tensor,
    /// (count * longest) in u32: the rows of each span, then padding.
    pub(in crate::nn::gpu) rows: Tensor,
    /// (count, 1, 1, longest): 0, or minus infinity after a span's end.
    pub(in crate::nn::gpu) mask: Tensor,
    /// (count, longest, 1): 1 over the length, or 0 after the end.
    pub(in crate::nn::gpu) shares: Tensor,
    /// (queries) in u32: the position of each query among the padded ones.
    pub(in crate::nn::gpu) back: Tensor,
}

impl Spans {
    pub(in crate::nn::gpu) fn new(spans: Vec<Span>, device: &Device) -> Self {
        Spans {
            spans,
            device: device.clone(),
            padded: OnceLock::new(),
            #[cfg(feature = "cuda")]
            tiles: [OnceLock::new(), OnceLock::new()],
            #[cfg(feature = "cuda")]
            ranges: OnceLock::new(),
        }
    }

    /// Number of spans.
    pub(in crate::nn::gpu) fn count(&self) -> usize {
        self.spans.len()
    }

    /// The most queries of a span.
    pub(in crate::nn::gpu) fn most_queries(&self) -> usize {
        self.spans.iter().map(|span| span.queries.len()).max().unwrap_or(0)
    }

    /// The most rows of a span.
    pub(in crate::nn::gpu) fn most_rows(&self) -> usize {
        self.spans.iter().map(|span| span.rows.len()).max().unwrap_or(0)
    }

    pub(in crate::nn::gpu) fn padded(&self) -> Result<&PaddedSpans> {
        once(&self.padded, || {
            let (count, most_queries, most_rows) =
                (self.count(), self.most_queries(), self.most_rows());
            let mut queries = vec![0u32; count * most_queries];
            let mut back = Vec::new();
            let mut rows = vec![0u32; count * most_rows];
            let mut mask = vec![f32::NEG_INFINITY; count * most_rows];
            let mut shares = vec![0.0; count * most_rows];
            for (number, span) in self.spans.iter().enumerate() {
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
            let device = &self.device;
            Ok(PaddedSpans {
                queries: Tensor::new(queries, device)?,
                rows: Tensor::new(rows, device)?,
                mask: Tensor::from_vec(mask, (count, 1, 1, most_rows), device)?,
                shares: Tensor::from_vec(shares, (count, most_rows, 1), device)?,
                back: Tensor::new(back, device)?,
            })
        })
    }
}

#[cfg(feature = "cuda")]
impl Spans {
    /// Checks that the spans are those of queries 0 to `queries` in order, and that their rows
    /// are among `rows`, whose numbers have 31 bits.
    pub(in crate::nn::gpu) fn check(&self, queries: usize, rows: usize) -> Result<()> {
        let mut end = 0;
        let follows = self.spans.iter().all(|span| {
            let follows = span.queries.start == end && span.queries.end >= end;
            end = span.queries.end;
            follows
        });
        let inside = |span: &Span| span.rows.start <= span.rows.end && span.rows.end <= rows;
        let small = i32::try_from(queries.max(rows)).is_ok();
        if follows && end == queries && self.spans.iter().all(inside) && small {
            return Ok(());
        }
        candle_core::bail!("the spans of {queries} queries over {rows} rows are inconsistent")
    }

    /// Returns the tiles of at most `tile` queries, 64 or 16, (tiles, 4) in u32: the first and
    /// the last query, the first and the last row; lasts are exclusive.
    pub(in crate::nn::gpu) fn tiles(&self, tile: usize) -> Result<&Tensor> {
        once(&self.tiles[usize::from(tile == 16)], || {
            let mut tiles = Vec::new();
            for span in &self.spans {
                for first in span.queries.clone().step_by(tile) {
                    let last = span.queries.end.min(first + tile);
                    let entry = [first, last, span.rows.start, span.rows.end];
                    tiles.extend(entry.map(|number| number as u32));
                }
            }
            upload_ids(&tiles, (tiles.len() / 4, 4), &self.device)
        })
    }

    /// Returns the range of rows of each query, (queries, 2) in u32.
    pub(in crate::nn::gpu) fn ranges(&self) -> Result<&Tensor> {
        once(&self.ranges, || {
            let ranges = self.spans.iter().flat_map(|span| {
                let range = [span.rows.start as u32, span.rows.end as u32];
                std::iter::repeat_n(range, span.queries.len())
            });
            let ranges: Vec<u32> = ranges.flatten().collect();
            let queries = ranges.len() / 2;
            upload_ids(&ranges, (queries, 2), &self.device)
        })
    }
}
