//! Attention of all queries of a group to all of its keys.
//!
//! A task is one head of one group. Keys are packed like a weight and queries like an input, and
//! both products run in the tiles of the dense layers. The first product writes scores in the
//! layout that the second one reads.

use rayon::prelude::*;

use super::super::RelativeBias;
use super::super::kernel::{Operands, Out, Prefetch, STEPS, STRIDE, split, tile};
use super::super::scratch::Scratch;
use super::super::simd::{Isa, Kernel, Simd, TILE_VECTORS};
use super::Heads;
use super::lists::softmax;

/// Writes to `out` the attention of `queries` to `keys` and `values`. All are split into `count`
/// groups of equally many rows of `width` values, and each query attends to all rows of its
/// group. `bias` is added to the scaled products, for a query at its position in its group.
///
/// # Panics
/// If the slices cannot be split so, or a group has no keys.
pub(crate) fn attend_groups(
    heads: Heads,
    width: usize,
    count: usize,
    queries: &[f32],
    [keys, values]: [&[f32]; 2],
    bias: Option<&RelativeBias>,
    out: &mut [f32],
) {
    if count == 0 {
        return;
    }
    let (n, m) = (queries.len() / width / count, keys.len() / width / count);
    assert!(width.is_multiple_of(heads.count) && m > 0);
    assert!(queries.len() == count * n * width && out.len() == queries.len());
    assert!(keys.len() == count * m * width && values.len() == keys.len());
    let head = width / heads.count;
    let out = Out::new(out, width);
    (0..count * heads.count).into_par_iter().for_each(|task| {
        let (group, column) = (task / heads.count, task % heads.count * head);
        let part = |all, rows| Columns { all, width, row: group * rows, rows, column, head };
        Isa::best().run(Head {
            scale: heads.scale,
            bias: bias.map(|bias| (bias, task % heads.count)),
            queries: part(queries, n),
            keys: part(keys, m),
            values: part(values, m),
            out,
        });
    });
}

/// The columns of one head, in the rows of one group.
#[derive(Clone, Copy)]
struct Columns<'a> {
    all: &'a [f32],
    width: usize,
    /// The group's first row, and its number of rows.
    row: usize,
    rows: usize,
    column: usize,
    head: usize,
}

impl<'a> Columns<'a> {
    fn row(&self, number: usize) -> &'a [f32] {
        &self.all[(self.row + number) * self.width + self.column..][..self.head]
    }

    fn iter(&self) -> impl Iterator<Item = &'a [f32]> + '_ {
        (0..self.rows).map(|number| self.row(number))
    }
}

/// One head of one group.
struct Head<'a> {
    scale: f32,
    /// The bias, and the number of this head.
    bias: Option<(&'a RelativeBias, usize)>,
    queries: Columns<'a>,
    keys: Columns<'a>,
    values: Columns<'a>,
    out: Out<'a>,
}

impl Kernel for Head<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Head { scale, bias, queries, keys, values, out } = self;
        let (n, m, head) = (queries.rows, keys.rows, queries.head);
        let panel = TILE_VECTORS * S::LANES;
        let (keys_wide, head_wide) = (m.next_multiple_of(panel), head.next_multiple_of(panel));

        // Keys as panels: for each value of a head, `panel` keys side by side.
        let mut packed_keys = Scratch::with_len(keys_wide * head);
        packed_keys.fill(0.0);
        for (number, key) in keys.iter().enumerate() {
            let at = number / panel * panel * head + number % panel;
            key.iter().enumerate().for_each(|(step, &v)| packed_keys[at + step * panel] = v);
        }
        // Values as panels: for each key, `panel` values of the head.
        let mut packed_values = Scratch::with_len(head_wide * m);
        packed_values.fill(0.0);
        for (step, value) in values.iter().enumerate() {
            for (p, value) in value.chunks(panel).enumerate() {
                packed_values[(p * m + step) * panel..][..value.len()].copy_from_slice(value);
            }
        }
        // Scaled queries in blocks of steps, as a tile reads them.
        let mut packed_queries = Scratch::with_len(head.div_ceil(STEPS) * n * STRIDE);
        for (row, query) in queries.iter().enumerate() {
            for (block, query) in query.chunks(STEPS).enumerate() {
                let to = &mut packed_queries[(block * n + row) * STRIDE..][..query.len()];
                to.iter_mut().zip(query).for_each(|(to, v)| *to = v * scale);
            }
        }
        // Scores in blocks of keys, as a tile reads them. STEPS is a multiple of every panel
        // width, so no panel spans two blocks.
        let mut scores = Scratch::with_len(keys_wide.div_ceil(STEPS) * n * STRIDE);
        for (p, keys) in packed_keys.chunks_exact(panel * head).enumerate() {
            let (block, column) = (p * panel / STEPS, p * panel % STEPS);
            let to = &mut scores[block * n * STRIDE..][..n * STRIDE];
            multiply(s, n, &packed_queries, keys, Out::new(&mut to[..], STRIDE), column);
        }
        let mut row = vec![f32::NEG_INFINITY; keys_wide];
        for number in 0..n {
            let blocks = |block: usize| (block * n + number) * STRIDE;
            for (block, row) in row[..m].chunks_mut(STEPS).enumerate() {
                row.copy_from_slice(&scores[blocks(block)..][..row.len()]);
            }
            row[m..].fill(f32::NEG_INFINITY);
            if let Some((bias, head)) = bias {
                row[..m].iter_mut().zip(bias.of(head, number)).for_each(|(s, b)| *s += b);
            }
            softmax(s, &mut row);
            for (block, row) in row[..m].chunks(STEPS).enumerate() {
                scores[blocks(block)..][..row.len()].copy_from_slice(row);
            }
        }
        let mut sums = Scratch::with_len(n * head_wide);
        for (p, values) in packed_values.chunks_exact(panel * m).enumerate() {
            multiply(s, n, &scores, values, Out::new(&mut sums[..], head_wide), p * panel);
        }
        for (number, sums) in sums.chunks_exact(head_wide).enumerate() {
            // SAFETY: only this task has these columns of these rows, and `out` is initialized
            // memory.
            let to = unsafe { out.part(queries.row + number, queries.column, head) };
            to.copy_from_slice(&sums[..head]);
        }
    }
}

/// Multiplies rows `a`, packed in blocks of [`STEPS`], with one panel of weights, into the
/// panel's columns of `out` from `column` on.
#[inline(always)]
fn multiply<S: Simd>(s: S, n: usize, a: &[f32], weights: &[f32], out: Out<'_>, column: usize) {
    let panel = TILE_VECTORS * S::LANES;
    for (block, weights) in weights.chunks(STEPS * panel).enumerate() {
        let a = &a[block * n * STRIDE..][..n * STRIDE];
        let steps = weights.len() / panel;
        for part in split::even(n, S::ROWS) {
            out.at(part.end - 1, column, panel);
            let at = Operands {
                a: a[part.start * STRIDE..].as_ptr(),
                w: weights.as_ptr(),
                step: panel,
                panel: 0,
                out: out.at(part.start, column, panel),
                stride: out.stride,
                prefetch: Prefetch::none(weights.as_ptr()),
            };
            // SAFETY: `a` has part.len() more rows of STRIDE, of which `steps` <= STEPS values
            // are read; `weights` is `steps` steps of one panel; the first and the last output
            // row were checked, and block 0, the fresh one, wrote them.
            unsafe { tile(s, part.len(), false, steps, at, block == 0) };
        }
    }
}
