//! Attention by this library's kernels, on CUDA: one launch, no score in memory.
//!
//! - `lists.cu`: each query has its own rows, read 16 bytes a lane; bound by the L2 cache. Rows
//!   are f32, f16 or bf16, in a KV cache and in the current call. Few queries with long lists are
//!   split over the warps of a block.
//! - `spans.cu`: the queries of a span share its rows; on the tensor cores, in f16 or bf16.
//!
//! Spans of f32, those over a KV cache and the current call at once, very short ones, and heads
//! of more than 128 values use `lists.cu`, with ranges for lists. No kernel takes heads of more
//! than 256 values.

mod launch;
mod source;

use candle_core::{DType, Device, Result, Tensor};

use super::super::super::{Heads, RelativeBias};
use super::super::kv::KeysAndValues;
use super::super::scope::GpuScope;
use launch::{ListsLaunch, SpansLaunch};
pub(in super::super) use source::sources;
use source::{FEW_QUERIES, LIST_STEP, LISTS_MAX_HEAD, SPANS_MAX_HEAD, TILE_QUERIES};

/// Spans of at most [`FEW_QUERIES`] queries and this number of rows use `lists.cu`.
const SHORT_ROWS: usize = 32;

/// Lists are split over the warps of a block if there are fewer warps: 32 for each
/// multiprocessor of an H100.
const SPLIT_BELOW_WARPS: usize = 4096;

/// How the rows of queries are given.
#[derive(Clone, Debug)]
pub(super) enum Ranges {
    /// The bounds of the list of each query, (queries, 2), then the lists.
    Lists(Tensor),
    /// The range of rows of each query, (queries, 2).
    Each(Tensor),
    /// Groups of this many queries, and of this many rows.
    Groups(usize, usize),
}

/// A relative bias on the device.
#[derive(Clone, Debug)]
pub(super) struct DeviceBias {
    /// (heads, offsets) in f32.
    values: Tensor,
    /// The index among the offsets for a row at the query's position.
    before: usize,
}

/// Returns the attention of `queries` to `kv`, or `None` if no kernel takes these shapes.
pub(super) fn attend(
    heads: Heads,
    queries: &Tensor,
    kv: KeysAndValues<'_>,
    scope: &GpuScope,
    bias: Option<&RelativeBias>,
) -> Result<Option<Tensor>> {
    let Device::Cuda(_) = queries.device() else { return Ok(None) };
    let Some(problem) = Problem::new(heads, queries, kv)? else { return Ok(None) };
    match scope {
        GpuScope::Lists(lists) => {
            let packed = lists.packed()?;
            if lists.len() != problem.queries || packed.rows > problem.rows {
                candle_core::bail!("the lists do not match the queries and rows");
            }
            let longest = lists.longest();
            let bias = problem.bias(bias, longest.saturating_sub(1), 1)?;
            problem.lists(Ranges::Lists(packed.numbers.clone()), longest, bias)
        }
        GpuScope::Groups(count) => {
            let [queries, rows] = [problem.queries, problem.rows].map(|all| all / (*count).max(1));
            if queries * count != problem.queries || rows * count != problem.rows {
                candle_core::bail!("the groups do not match the queries and rows");
            }
            let bias = problem.bias(bias, queries - 1, rows)?;
            problem.groups(*count, [queries, rows], bias)
        }
        GpuScope::FirstGroups { .. } | GpuScope::Spans(_) if bias.is_some() => {
            candle_core::bail!("spans have no relative bias")
        }
        GpuScope::FirstGroups { count, rows } => {
            let of_group = [problem.queries, *rows].map(|all| all / (*count).max(1));
            if of_group[0] * count != problem.queries || *rows > problem.rows {
                candle_core::bail!("the groups do not match the queries and rows");
            }
            problem.groups(*count, of_group, None)
        }
        GpuScope::Spans(spans) => {
            spans.check(problem.queries, problem.rows)?;
            let longest = [spans.most_queries(), spans.most_rows()];
            match problem.tile(longest) {
                None => problem.lists(Ranges::Each(spans.ranges()?.clone()), longest[1], None),
                Some(tile) => {
                    let tiles = spans.tiles(tile)?;
                    let count = tiles.dim(0)?;
                    problem.spans(tile, count, Err(tiles.clone()), None)
                }
            }
        }
    }
}

/// Queries, keys and values as the kernels take them.
#[derive(Debug)]
struct Problem {
    heads: Heads,
    /// The values of a head.
    head: usize,
    /// Number of queries.
    queries: usize,
    /// Number of cached and current rows.
    rows: usize,
    query: Tensor,
    /// Keys, values and the number of rows.
    cached: Option<([Tensor; 2], usize)>,
    current: Option<[Tensor; 2]>,
}

impl Problem {
    /// Returns `None` if no kernel takes this type or size of heads.
    fn new(heads: Heads, queries: &Tensor, kv: KeysAndValues<'_>) -> Result<Option<Self>> {
        let (n, width) = queries.dims2()?;
        let (head, dtype) = (width / heads.count.max(1), queries.dtype());
        let whole = head * heads.count == width && (1..=LISTS_MAX_HEAD).contains(&head);
        let known = matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
        let all = kv.cached.iter().flat_map(|(rows, _)| rows).chain(kv.current.iter().flatten());
        let same = all.clone().all(|rows| rows.dtype() == dtype);
        if !whole || !known || !same || all.clone().count() == 0 {
            return Ok(None);
        }
        for rows in all {
            if rows.dims2()?.1 != width || !rows.device().same_device(queries.device()) {
                candle_core::bail!("keys or values of another width or device than the queries");
            }
        }
        for [keys, values] in kv.cached.map(|(rows, _)| rows).into_iter().chain(kv.current) {
            if keys.dim(0)? != values.dim(0)? {
                candle_core::bail!("not as many keys as values");
            }
        }
        let rows = kv.rows()?;
        // The kernels count rows and queries in 32 bits, a few beyond the last.
        if i32::try_from(rows.max(n)).is_err() || heads.count > usize::from(u16::MAX) {
            return Ok(None);
        }
        let aligned = |rows: &Tensor| aligned(rows, head);
        let pair = |[keys, values]: [&Tensor; 2]| -> Result<[Tensor; 2]> {
            Ok([aligned(keys)?, aligned(values)?])
        };
        let cached = |(pair_of, count)| pair(pair_of).map(|rows| (rows, count));
        Ok(Some(Problem {
            heads,
            head,
            queries: n,
            rows,
            query: aligned(queries)?,
            cached: kv.cached.map(cached).transpose()?,
            current: kv.current.map(pair).transpose()?,
        }))
    }

    /// Copies a bias to the device, if it has values for all queries: the last is at `position`,
    /// and the first has `rows` rows from its position on.
    fn bias(
        &self,
        bias: Option<&RelativeBias>,
        position: usize,
        rows: usize,
    ) -> Result<Option<DeviceBias>> {
        let Some(bias) = bias else { return Ok(None) };
        bias.first_offset(position, 1)?;
        let before = bias.first_offset(0, rows)?;
        let values = bias.on_device(self.query.device())?;
        if values.dim(0)? != self.heads.count {
            candle_core::bail!("a relative bias of another number of heads");
        }
        Ok(Some(DeviceBias { values, before }))
    }

    /// The number of queries of a tile in `spans.cu` for spans of at most this many queries and
    /// rows; `None` if `lists.cu` is to be used.
    fn tile(&self, [queries, rows]: [usize; 2]) -> Option<usize> {
        let both = self.cached.is_some() && self.current.is_some();
        let few = queries <= FEW_QUERIES;
        let short = few && rows <= SHORT_ROWS;
        let fits = self.head <= SPANS_MAX_HEAD && self.query.dtype() != DType::F32;
        (fits && !both && !short).then_some(if few { FEW_QUERIES } else { TILE_QUERIES })
    }

    fn groups(
        &self,
        count: usize,
        [queries, rows]: [usize; 2],
        bias: Option<DeviceBias>,
    ) -> Result<Option<Tensor>> {
        match self.tile([queries, rows]) {
            None => self.lists(Ranges::Groups(queries, rows), rows, bias),
            Some(tile) => {
                self.spans(tile, count * queries.div_ceil(tile), Ok([queries, rows]), bias)
            }
        }
    }

    /// Attention by `lists.cu`, of at most `longest` rows for each query.
    fn lists(
        &self,
        ranges: Ranges,
        longest: usize,
        bias: Option<DeviceBias>,
    ) -> Result<Option<Tensor>> {
        let warps = self.queries * self.heads.count.div_ceil(source::heads_per_warp(self.head));
        if i32::try_from(warps).is_err() {
            return Ok(None);
        }
        let split = warps < SPLIT_BELOW_WARPS && longest > LIST_STEP;
        let launch = ListsLaunch { problem: self, ranges, bias, warps, split };
        self.query.apply_op1_no_bwd(&launch).map(Some)
    }

    /// Attention by `spans.cu`, of `count` tiles: of groups of equal size, or as listed.
    fn spans(
        &self,
        tile: usize,
        count: usize,
        groups: std::result::Result<[usize; 2], Tensor>,
        bias: Option<DeviceBias>,
    ) -> Result<Option<Tensor>> {
        if i32::try_from(count).is_err() {
            return Ok(None);
        }
        let launch = SpansLaunch { problem: self, tile, count, groups, bias };
        self.query.apply_op1_no_bwd(&launch).map(Some)
    }
}

/// Returns rows (n, width) whose heads start at multiples of 16 bytes, if those have a multiple
/// of 8 values: as they are, or copied.
fn aligned(rows: &Tensor, head: usize) -> Result<Tensor> {
    let layout = rows.layout();
    let (strides, start) = (layout.stride(), layout.start_offset());
    let whole = !head.is_multiple_of(8) || strides[0].is_multiple_of(8) && start.is_multiple_of(8);
    if strides[1] == 1 && whole { Ok(rows.clone()) } else { rows.force_contiguous() }
}
