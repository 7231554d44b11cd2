//! Weights packed for AMX.

use std::ops::Range;

use rayon::prelude::*;

use super::super::scratch::{Aligned, Scratch};
use super::super::simd::{Amx, DEPTH, Isa, Kernel, PAIRED, Simd, TILE, TILE_LEN, TileBlock};
use super::part::each_part;
use super::{Part, split};

/// Outputs in a panel: two tiles.
const PANEL: usize = 2 * TILE;

/// Rows of a block: two tiles.
const PAIR: usize = 2 * TILE;

/// The most pairs of tile rows that a task packs at once. The weights of a panel are read once
/// for them, and the pieces of a [`CHUNK`] of their inputs (1 MiB) stay in the second-level
/// cache.
const PAIRS: usize = 7;

/// The most steps of [`DEPTH`] inputs per chunk: their weights in a panel (147 KiB) stay in the
/// second-level cache for all rows.
const CHUNK: usize = 24;

/// The fewest panels per task.
const MIN_PANELS: usize = 2;

/// A weight `(n, k)` as panels of tiles: one bf16 per value, or f32 values that are split into
/// three bf16 pieces on the fly. Storing the pieces would take 1.5 times the memory; it made a
/// batch of eight images 6 % faster, and one image and whole dictionaries not.
///
/// A panel holds, for each step along `k`, two tiles; a tile holds, for each pair of inputs, the
/// two values of each of sixteen outputs. The ends are padded with zeros.
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
    /// Packs `weight`, `n` rows of `k` values, for products of f32.
    pub(crate) fn f32(amx: Amx, weight: &[f32], n: usize, k: usize) -> Self {
        let write = |tile: &mut [f32], at: usize, value: f32| tile[at] = value;
        Self::pack(amx, 3, (weight, n, k), write)
    }

    /// Packs `weight` rounded to bf16, to nearest even.
    pub(crate) fn bf16(amx: Amx, weight: &[f32], n: usize, k: usize) -> Self {
        let write = |tile: &mut [f32], at: usize, value: f32| {
            let (bits, half) = (u32::from(half::bf16::from_f32(value).to_bits()), at % 2 * 16);
            let pair = &mut tile[at / 2];
            *pair = f32::from_bits(pair.to_bits() | bits << half);
        };
        Self::pack(amx, 1, (weight, n, k), write)
    }

    /// Packs `weight`. `write` stores a value at its position in a tile, which is zero before.
    fn pack(
        amx: Amx,
        pieces: usize,
        (weight, n, k): (&[f32], usize, usize),
        write: impl Fn(&mut [f32], usize, f32) + Sync,
    ) -> Self {
        assert_eq!(weight.len(), n * k);
        let steps = k.div_ceil(DEPTH);
        let tile = step_len(pieces) / 2;
        let panel = steps * 2 * tile;
        let mut values = Aligned::zeros(n.div_ceil(PANEL) * panel);
        values.par_chunks_mut(panel.max(1)).enumerate().for_each(|(p, panel)| {
            for (output, row) in
                weight.chunks_exact(k.max(1)).skip(p * PANEL).take(PANEL).enumerate()
            {
                for (step, row) in row.chunks(DEPTH).enumerate() {
                    let to = &mut panel[(step * 2 + output / TILE) * tile..][..tile];
                    for (input, &value) in row.iter().enumerate() {
                        write(to, input / 2 * DEPTH + output % TILE * 2 + input % 2, value);
                    }
                }
            }
        });
        Tiles { amx, pieces, n, k, steps, values }
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Whether both need inputs packed in the same way.
    pub(crate) fn same_layout(&self, other: &Tiles) -> bool {
        (self.k, self.pieces) == (other.k, other.pieces)
    }

    /// Panels.
    fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Computes the products of `x` (m, k) with `parts`, whose weights have the same layout: the
    /// input is packed once for all of them.
    ///
    /// # Panics
    /// If `x` or an output is shorter than its shape, or the weights differ in their inputs or
    /// pieces.
    pub(crate) fn products(parts: &[Part<'_, Tiles>], x: &[f32], m: usize) {
        let Some(Part { weight: first, .. }) = parts.first() else { return };
        for Part { weight, out, .. } in parts {
            assert!(weight.same_layout(first) && out.stride == weight.n);
        }
        match first.pieces {
            3 => share::<3>(parts, x, m),
            _ => share::<1>(parts, x, m),
        }
    }
}

/// The length of a step of a panel, in f32 values.
const fn step_len(pieces: usize) -> usize {
    match pieces {
        3 => 2 * PAIRED,
        _ => 2 * TILE_LEN,
    }
}

fn share<const PIECES: usize>(parts: &[Part<'_, Tiles>], x: &[f32], m: usize) {
    let &Tiles { amx, k, steps, .. } = parts[0].weight;
    assert!(x.len() >= m * k);
    let panels = parts.iter().map(|part| part.weight.panels()).sum();
    if m == 0 || panels == 0 {
        return;
    }
    let whole = Multiply::<PIECES> { parts, x, rows: 0..m, panels: 0..panels };
    let pairs = m.div_ceil(PAIR);
    let blocks = split::blocks(pairs, PAIRS, 1);
    if blocks == 1 {
        // Few rows: they are packed once, and the panels are split among tasks.
        let tile = steps * PIECES * TILE_LEN;
        let mut packed = Scratch::with_len(m.div_ceil(TILE) * tile);
        let rows = packed.par_chunks_mut(tile).zip(x[..m * k].par_chunks(TILE * k));
        rows.for_each(|(to, x)| amx.pack::<PIECES>(x, (x.len() / k, k), 0..steps, to));
        let shares = split::ranges(panels, MIN_PANELS, 1);
        (0..shares).into_par_iter().for_each(|i| {
            let panels = split::part(panels, shares, i);
            Isa::best().run(Packed { of: Multiply { panels, ..whole.clone() }, packed: &packed });
        });
        return;
    }
    // Many rows: a task packs its own, and computes all panels if there are enough tasks for
    // every thread.
    let shares = split::ranges(panels, 4 * MIN_PANELS, blocks);
    (0..blocks * shares).into_par_iter().for_each(|task| {
        let pairs = split::part(pairs, blocks, task / shares);
        let rows = pairs.start * PAIR..m.min(pairs.end * PAIR);
        let panels = split::part(panels, shares, task % shares);
        Isa::best().run(Multiply { rows, panels, ..whole.clone() });
    });
}

/// Multiplies some input rows by some of the panels.
#[derive(Clone)]
struct Multiply<'a, const PIECES: usize> {
    /// At least one.
    parts: &'a [Part<'a, Tiles>],
    /// All input rows.
    x: &'a [f32],
    rows: Range<usize>,
    /// The panels, numbered through all parts.
    panels: Range<usize>,
}

impl<const PIECES: usize> Kernel for Multiply<'_, PIECES> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let &Tiles { amx, k, steps, .. } = self.parts[0].weight;
        let rows = self.rows.len();
        let x = &self.x[self.rows.start * k..self.rows.end * k];
        let most = steps.min(CHUNK);
        let mut packed = Scratch::with_len(rows.div_ceil(TILE) * most * PIECES * TILE_LEN);
        for chunk in split::even(steps, CHUNK) {
            amx.pack::<PIECES>(x, (rows, k), chunk.clone(), &mut packed);
            self.chunk(s, chunk.clone(), &packed, chunk);
        }
    }
}

/// Multiplies as [`Multiply`] with all input rows packed already.
struct Packed<'a, const PIECES: usize> {
    of: Multiply<'a, PIECES>,
    packed: &'a [f32],
}

impl<const PIECES: usize> Kernel for Packed<'_, PIECES> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let steps = self.of.parts[0].weight.steps;
        for chunk in split::even(steps, CHUNK) {
            self.of.chunk(s, chunk, self.packed, 0..steps);
        }
    }
}

/// A block of sums, (PAIR, PANEL).
#[repr(align(64))]
struct Sums([f32; PAIR * PANEL]);

impl<const PIECES: usize> Multiply<'_, PIECES> {
    /// Multiplies the steps `chunk`; `packed` holds the steps `packed_steps` of the rows.
    #[inline(always)]
    fn chunk<S: Simd>(
        &self,
        s: S,
        chunk: Range<usize>,
        packed: &[f32],
        packed_steps: Range<usize>,
    ) {
        for (part, panels) in each_part(self.parts, self.panels.clone(), Tiles::panels) {
            for panel in panels {
                self.panel(s, part, panel, chunk.clone(), packed, packed_steps.clone());
            }
        }
    }

    /// Does the same for one panel. The output holds the sums between chunks.
    #[inline(always)]
    fn panel<S: Simd>(
        &self,
        s: S,
        part: &Part<'_, Tiles>,
        number: usize,
        chunk: Range<usize>,
        packed: &[f32],
        packed_steps: Range<usize>,
    ) {
        let &Part { weight, out, fused } = part;
        let Tiles { amx, n, steps, ref values, .. } = *weight;
        let config = amx.configure();
        let mut sums = Sums([0.0; PAIR * PANEL]);
        let (first, last) = (chunk.start == 0, chunk.end == steps);
        let step = PIECES * TILE_LEN;
        let panel = number * steps * step_len(PIECES);
        let stored = panel + chunk.start * step_len(PIECES)..panel + chunk.end * step_len(PIECES);
        let stored = &values[stored];
        let mut buffer;
        let weights = if PIECES == 3 {
            buffer = Scratch::with_len(chunk.len() * 2 * step);
            amx.split(stored, &mut buffer);
            &buffer[..]
        } else {
            stored
        };
        let tile = packed_steps.len() * step;
        let pairs = self.rows.len().div_ceil(PAIR);
        // Each pair prefetches its share of the next panel, in KiB per step. Memory bandwidth
        // allows no more than that.
        let kib = (step_len(PIECES) / TILE_LEN + pairs / 2) / pairs;
        let column = number * PANEL;
        let columns = PANEL.min(n - column);
        for pair in 0..pairs {
            let row = self.rows.start + pair * PAIR;
            let count = PAIR.min(self.rows.end - row);
            let two = count > TILE;
            let inputs = &packed[pair * 2 * tile..][..(1 + usize::from(two)) * tile];
            let inputs = &inputs[(chunk.start - packed_steps.start) * step..];
            if !first {
                for i in 0..count {
                    // SAFETY: initialized at an earlier chunk; only this task has these rows and
                    // columns.
                    let from = unsafe { out.part(row + i, column, columns) };
                    sums.0[i * PANEL..][..columns].copy_from_slice(from);
                }
            }
            let below = usize::from(two) * tile;
            assert!(inputs.len() >= below + chunk.len() * step && !chunk.is_empty());
            let at = TileBlock {
                a: inputs.as_ptr(),
                below: inputs.as_ptr().wrapping_add(below),
                b: weights.as_ptr(),
                steps: chunk.len(),
                sums: sums.0.as_mut_ptr(),
                fresh: first,
                // In the next panel.
                ahead: stored
                    .as_ptr()
                    .wrapping_add(steps * step_len(PIECES) + pair * kib * chunk.len() * TILE_LEN),
            };
            // SAFETY: `inputs` holds the chunk's steps of one tile or, `tile` values later, of
            // two, as just asserted; `weights` those of the panel, 2 PIECES tiles per step; the
            // sums are a local block.
            unsafe { config.multiply::<PIECES>(two, kib, at) };
            for (i, sums) in sums.0.chunks_exact_mut(PANEL).take(count).enumerate() {
                let sums = &mut sums[..columns];
                if last {
                    fused.finish(s, sums, column, (row + i) * n + column);
                }
                let to = out.at(row + i, column, columns);
                // SAFETY: `columns` values that only this task has, checked by `at`.
                unsafe { to.copy_from_nonoverlapping(sums.as_ptr(), columns) };
            }
        }
    }
}
