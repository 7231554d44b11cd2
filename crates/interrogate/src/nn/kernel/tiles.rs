//! Weights laid out for a unit that multiplies tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::scratch::{Aligned, Scratch};
use super::super::simd::{Amx, DEPTH, Kernel, Level, Simd, TILE, TILE_LEN, TileBlock};
use super::{Out, split};

/// Outputs in a panel: two tiles.
const PANEL: usize = 2 * TILE;

/// Rows that go through a block at once: two tiles.
const PAIR: usize = 2 * TILE;

/// Input rows that a task lays out at once, at most. The weights of a panel are
/// read once for them, and the pieces of a [`CHUNK`] of their inputs (0.9 MiB) stay
/// in the second level of cache.
const ROWS: usize = 6 * PAIR;

/// Steps of [`DEPTH`] inputs that go through at once, at most: their weights in a
/// panel (147 KiB) stay in the second level while all rows meet them.
const CHUNK: usize = 24;

/// Panels that are a task's least share.
const LEAST: usize = 2;

/// A weight `(n, k)` as panels of tiles, each value as one bf16 or, for the
/// products of f32, as the sum of three.
///
/// A panel holds, for each step along `k`, for each piece, two tiles; a tile holds,
/// for each pair of inputs, sixteen outputs' two values one beside the other.
/// What is missing at the ends is filled up with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    amx: Amx,
    pieces: usize,
    n: usize,
    k: usize,
    /// Steps along `k`.
    steps: usize,
    values: Aligned,
}

impl Tiles {
    /// Lays out `weight`, `n` rows of `k` values, for products of f32: six bytes a
    /// value.
    pub(crate) fn whole(amx: Amx, weight: &[f32], n: usize, k: usize) -> Self {
        Self::pack::<3>(amx, weight, n, k)
    }

    /// The same rounded to bf16, nearest even.
    pub(crate) fn rounded(amx: Amx, weight: &[f32], n: usize, k: usize) -> Self {
        Self::pack::<1>(amx, weight, n, k)
    }

    fn pack<const PIECES: usize>(amx: Amx, weight: &[f32], n: usize, k: usize) -> Self {
        assert_eq!(weight.len(), n * k);
        let steps = k.div_ceil(DEPTH);
        let panel = steps * PIECES * 2 * TILE_LEN;
        let mut values = Aligned::zeros(n.div_ceil(PANEL) * panel);
        values.par_chunks_mut(panel.max(1)).enumerate().for_each(|(p, panel)| {
            // Each output's values as a row of inputs is laid out, then a tile turned:
            // pair by pair instead of output by output.
            let outputs = (n - p * PANEL).min(PANEL);
            let rows = &weight[p * PANEL * k..][..outputs * k];
            let mut laid = Scratch::take(panel.len());
            laid.fill(0.0);
            amx.lay::<PIECES>(rows, (outputs, k), 0..steps, &mut laid);
            for (number, tile) in laid.chunks_exact(TILE_LEN).enumerate() {
                let (half, at) = (number / (steps * PIECES), number % (steps * PIECES));
                let to = &mut panel[(at * 2 + half) * TILE_LEN..][..TILE_LEN];
                for (output, pairs) in tile.chunks_exact(TILE).enumerate() {
                    for (pair, &values) in pairs.iter().enumerate() {
                        to[pair * TILE + output] = values;
                    }
                }
            }
        });
        Tiles { amx, pieces: PIECES, n, k, steps, values }
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// `out (m, n) = fused(x (m, k) weight^T)`.
    ///
    /// # Panics
    /// Where `x` or `out` is shorter than that.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        match self.pieces {
            3 => self.share::<3>(x, m, out, fused),
            _ => self.share::<1>(x, m, out, fused),
        }
    }

    fn share<const PIECES: usize>(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        assert!(x.len() >= m * self.k && out.stride == self.n);
        if m == 0 || self.n == 0 {
            return;
        }
        let panels = self.n.div_ceil(PANEL);
        let whole =
            Multiply::<PIECES> { weight: self, x, rows: 0..m, panels: 0..panels, out, fused };
        let blocks = row_blocks(m);
        if blocks == 1 {
            // Few rows: they are laid out once, and the panels are shared out.
            let tile = self.steps * PIECES * TILE_LEN;
            let mut laid = Scratch::take(m.div_ceil(TILE) * tile);
            let rows = laid.par_chunks_mut(tile).zip(x[..m * self.k].par_chunks(TILE * self.k));
            rows.for_each(|(to, x)| {
                self.amx.lay::<PIECES>(x, (x.len() / self.k, self.k), 0..self.steps, to);
            });
            let shares = split::ranges(panels, LEAST, 1);
            (0..shares).into_par_iter().for_each(|i| {
                let panels = split::part(panels, shares, i);
                Level::best().run(Laid { of: Multiply { panels, ..whole.clone() }, laid: &laid });
            });
            return;
        }
        // Many rows: a task lays out its own, and takes all panels if there are tasks
        // enough for every thread.
        let shares = split::ranges(panels, 4 * LEAST, blocks);
        (0..blocks * shares).into_par_iter().for_each(|task| {
            let rows = split::part(m, blocks, task / shares);
            let panels = split::part(panels, shares, task % shares);
            Level::best().run(Multiply { rows, panels, ..whole.clone() });
        });
    }
}

/// In how many blocks to cut `m` input rows: a whole number for each thread.
fn row_blocks(m: usize) -> usize {
    match m.div_ceil(ROWS) {
        0 | 1 => 1,
        some => some.next_multiple_of(rayon::current_num_threads()).min(m.div_ceil(PAIR)),
    }
}

/// Multiplies some input rows by some of the panels.
#[derive(Clone)]
struct Multiply<'a, const PIECES: usize> {
    weight: &'a Tiles,
    /// All input rows.
    x: &'a [f32],
    rows: Range<usize>,
    panels: Range<usize>,
    out: Out<'a>,
    fused: &'a Fused<'a>,
}

impl<const PIECES: usize> Kernel for Multiply<'_, PIECES> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let &Tiles { amx, k, steps, .. } = self.weight;
        let rows = self.rows.len();
        let x = &self.x[self.rows.start * k..self.rows.end * k];
        let most = steps.min(CHUNK);
        let mut laid = Scratch::take(rows.div_ceil(TILE) * most * PIECES * TILE_LEN);
        for chunk in split::even(steps, CHUNK) {
            amx.lay::<PIECES>(x, (rows, k), chunk.clone(), &mut laid);
            self.chunk(s, chunk.clone(), &laid, chunk);
        }
    }
}

/// The same where all input rows are laid out already.
struct Laid<'a, const PIECES: usize> {
    of: Multiply<'a, PIECES>,
    laid: &'a [f32],
}

impl<const PIECES: usize> Kernel for Laid<'_, PIECES> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let steps = self.of.weight.steps;
        for chunk in split::even(steps, CHUNK) {
            self.of.chunk(s, chunk, self.laid, 0..steps);
        }
    }
}

/// A block of sums: [`PAIR`] rows of [`PANEL`].
#[repr(align(64))]
struct Sums([f32; PAIR * PANEL]);

impl<const PIECES: usize> Multiply<'_, PIECES> {
    /// The steps `chunk`, where `laid` holds the steps `there` of the rows. Sums go
    /// from chunk to chunk by way of the output.
    #[inline(always)]
    fn chunk<S: Simd>(&self, s: S, chunk: Range<usize>, laid: &[f32], there: Range<usize>) {
        let Multiply { weight, ref rows, ref panels, out, fused, .. } = *self;
        let Tiles { amx, n, steps, ref values, .. } = *weight;
        let taken = amx.take();
        let mut sums = Sums([0.0; PAIR * PANEL]);
        let (first, last) = (chunk.start == 0, chunk.end == steps);
        let panel = steps * PIECES * 2 * TILE_LEN;
        let start = chunk.start * PIECES * 2 * TILE_LEN;
        let used = chunk.len() * PIECES * 2 * TILE_LEN;
        let tile = there.len() * PIECES * TILE_LEN;
        let pairs = rows.len().div_ceil(PAIR);
        for p in panels.clone() {
            let column = p * PANEL;
            let columns = PANEL.min(n - column);
            let weights = &values[p * panel + start..][..used];
            for pair in 0..pairs {
                let row = rows.start + pair * PAIR;
                let count = PAIR.min(rows.end - row);
                let two = count > TILE;
                let inputs = &laid[pair * 2 * tile..][..(1 + usize::from(two)) * tile];
                let inputs = &inputs[(chunk.start - there.start) * PIECES * TILE_LEN..];
                // Each pair asks for its share of the next panel's weights.
                let next = (p + 1) * panel + start + pair * used / pairs;
                if !first {
                    for i in 0..count {
                        // SAFETY: written at an earlier chunk; this task alone has
                        // these rows and columns.
                        let from = unsafe { out.part(row + i, column, columns) };
                        sums.0[i * PANEL..][..columns].copy_from_slice(from);
                    }
                }
                let at = TileBlock {
                    a: inputs.as_ptr(),
                    below: inputs.as_ptr().wrapping_add(if two { tile } else { 0 }),
                    b: weights.as_ptr(),
                    steps: chunk.len(),
                    sums: sums.0.as_mut_ptr(),
                    fresh: first,
                    ahead: values.as_ptr().wrapping_add(next),
                };
                assert!(
                    inputs.len() >= (usize::from(two) * tile) + chunk.len() * PIECES * TILE_LEN
                );
                // SAFETY: `inputs` holds the chunk's steps of one tile or, `tile`
                // behind, of two, as just asserted; `weights` those of a panel; the
                // sums are a block of their own.
                unsafe { taken.multiply::<PIECES>(two, at) };
                for (i, sums) in sums.0.chunks_exact_mut(PANEL).take(count).enumerate() {
                    let sums = &mut sums[..columns];
                    if last {
                        fused.finish(s, sums, column, (row + i) * n + column);
                    }
                    let to = out.at(row + i, column, columns);
                    // SAFETY: `columns` values of this task's own, checked by `at`.
                    unsafe { to.copy_from_nonoverlapping(sums.as_ptr(), columns) };
                }
            }
        }
    }
}
