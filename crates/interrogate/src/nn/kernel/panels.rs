//! Weights packed in panels: strips of outputs, step by step.

use std::ops::Range;

use rayon::prelude::*;

use super::super::scratch::{Aligned, Scratch};
use super::super::simd::{Isa, Kernel, MAX_ROWS, Simd, TILE_VECTORS};
use super::part::{each_part, each_task};
use super::tile::{self, LINE, Operands, Prefetch, STEPS, STRIDE, tile};
use super::{Part, split};

/// The fewest panels per task.
const MIN_PANELS: usize = 4;

/// A weight `(n, k)` as panels of [`Isa::panel`] outputs.
///
/// A panel holds, for each step along `k`, its outputs' values side by side; the last panel is
/// padded with zeros. A step is one f32, or two bf16 values in its place for an instruction set
/// of pairs.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    isa: Isa,
    n: usize,
    k: usize,
    /// Steps along `k`.
    steps: usize,
    values: Aligned,
}

impl Panels {
    /// Packs `weight`, `n` rows of `k` values, for `isa`.
    pub(crate) fn pack(isa: Isa, weight: &[f32], n: usize, k: usize) -> Self {
        assert_eq!(weight.len(), n * k);
        let pairs = Some(isa) == Isa::bf16_pairs();
        let steps = if pairs { k.div_ceil(2) } else { k };
        let width = isa.panel();
        let mut values = Aligned::zeros(n.div_ceil(width) * width * steps);
        values.par_chunks_mut((width * steps).max(1)).enumerate().for_each(|(p, panel)| {
            for (c, row) in weight.chunks_exact(k.max(1)).skip(p * width).take(width).enumerate() {
                for step in 0..steps {
                    let value = if pairs { pair(row, step) } else { row[step] };
                    panel[step * width + c] = value;
                }
            }
        });
        Panels { isa, n, k, steps, values }
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
    pub(crate) fn same_layout(&self, other: &Panels) -> bool {
        (self.k, self.isa) == (other.k, other.isa)
    }

    /// Panels.
    fn panels(&self) -> usize {
        self.n.div_ceil(self.isa.panel())
    }

    /// Computes the products of `x` (m, k) with `parts`, whose weights have the same layout: the
    /// input is packed once for all of them.
    ///
    /// # Panics
    /// If `x` or an output is shorter than its shape, or the weights differ in their inputs or
    /// instruction set.
    pub(crate) fn products(parts: &[Part<'_, Panels>], x: &[f32], m: usize) {
        let Some(&Part { weight: first, .. }) = parts.first() else { return };
        for Part { weight, out, .. } in parts {
            assert!(weight.same_layout(first) && out.stride == weight.n);
        }
        let (isa, k) = (first.isa, first.k);
        assert!(x.len() >= m * k);
        let panels = parts.iter().map(|part| part.weight.panels()).sum();
        let pack = |rows: Range<usize>, _| {
            let mut packed = Scratch::with_len(first.packed(rows.len()));
            let x = &x[rows.start * k..rows.end * k];
            isa.run(Pack { weight: first, x, rows: rows.len(), to: &mut packed });
            packed
        };
        each_task(m, panels, MIN_PANELS, pack, |packed, rows, panels| {
            let (row, rows) = (rows.start, rows.len());
            isa.run(Multiply { parts, packed, row, rows, panels });
        });
    }

    /// The length of `rows` packed input rows, in f32 values.
    fn packed(&self, rows: usize) -> usize {
        self.steps.div_ceil(STEPS) * rows * STRIDE
    }
}

/// Two values of a row, rounded to bf16, in the place of one f32.
fn pair(row: &[f32], step: usize) -> f32 {
    let bits = |at: usize| row.get(at).map_or(0, |&v| u32::from(half::bf16::from_f32(v).to_bits()));
    f32::from_bits(bits(2 * step) | bits(2 * step + 1) << 16)
}

/// Packs input rows: for each block of [`STEPS`] steps, all rows, each [`STRIDE`] long.
struct Pack<'a> {
    weight: &'a Panels,
    x: &'a [f32],
    rows: usize,
    to: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    const PAIRS: bool = true;
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pack { weight: &Panels { k, steps, .. }, x, rows, to } = self;
        for (block, to) in split::even(steps, STEPS).zip(to.chunks_exact_mut(rows * STRIDE)) {
            for (row, to) in x.chunks_exact(k).zip(to.chunks_exact_mut(STRIDE)) {
                if !S::PAIRS {
                    to[..block.len()].copy_from_slice(&row[block.clone()]);
                    continue;
                }
                let from = &row[2 * block.start..k.min(2 * block.end)];
                let whole = from.len() - from.len() % S::LANES;
                for at in (0..whole).step_by(S::LANES) {
                    // SAFETY: LANES values are left in `from` at `at`; `to` holds two of them in
                    // the place of one f32.
                    unsafe {
                        let to = to.as_mut_ptr().cast::<u16>().add(at);
                        s.round_bf16(from.as_ptr().add(at), to);
                    }
                }
                let rest = to[..block.len()].iter_mut().enumerate().skip(whole / 2);
                rest.for_each(|(step, to)| *to = pair(from, step));
            }
        }
    }
}

/// Multiplies packed rows by some of the panels.
struct Multiply<'a> {
    parts: &'a [Part<'a, Panels>],
    packed: &'a [f32],
    /// The first output row, and the number of rows.
    row: usize,
    rows: usize,
    /// The panels, numbered through all parts.
    panels: Range<usize>,
}

impl Kernel for Multiply<'_> {
    const PAIRS: bool = true;
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let steps = self.parts[0].weight.steps;
        let width = TILE_VECTORS * S::LANES;
        let isa = self.parts[0].weight.isa;
        assert_eq!((width, S::PAIRS), (isa.panel(), Some(isa) == Isa::bf16_pairs()));
        // The sums of a narrow panel, at full width.
        let mut buffer = [0.0f32; MAX_ROWS * 32];
        for (b, steps) in split::even(steps, STEPS).enumerate() {
            let packed = &self.packed[b * self.rows * STRIDE..][..self.rows * STRIDE];
            for (part, panels) in each_part(self.parts, self.panels.clone(), Panels::panels) {
                let mut first = panels.start;
                while first < panels.end {
                    // One panel, or a few side by side for few rows. Only the last panel of a
                    // weight may be narrower than its width.
                    let abreast = tile::panels_abreast::<S>(self.rows);
                    let end = first + abreast;
                    let wide = abreast > 1 && end <= panels.end && end * width <= part.weight.n;
                    let panels = first..if wide { end } else { first + 1 };
                    first = panels.end;
                    self.block(s, part, panels, steps.clone(), packed, &mut buffer);
                }
            }
        }
    }
}

impl Multiply<'_> {
    /// Multiplies the steps `block` of one panel, or of [`tile::panels_abreast`] panels.
    /// `packed` holds these steps of all rows.
    #[inline(always)]
    fn block<S: Simd>(
        &self,
        s: S,
        part: &Part<'_, Panels>,
        panels: Range<usize>,
        block: Range<usize>,
        packed: &[f32],
        buffer: &mut [f32; MAX_ROWS * 32],
    ) {
        let &Part { weight: &Panels { n, steps, ref values, .. }, out, fused } = part;
        let width = TILE_VECTORS * S::LANES;
        let panel = steps * width;
        let column = panels.start * width;
        let columns = (panels.len() * width).min(n - column);
        let (wide, narrow) = (panels.len() > 1, columns < width);
        let (fresh, last) = (block.start == 0, block.end == steps);
        let weights = &values[panels.start * panel..panels.end * panel];
        let tiles = split::even(self.rows, S::ROWS);
        // Each tile prefetches its share of this block of the next panel.
        let share = width.div_ceil(tiles.len()).min(LINE);
        let next = panels.end * panel + block.start * width;
        for (t, rows) in tiles.enumerate() {
            let (first, count) = (self.row + rows.start, rows.len());
            if narrow && !fresh {
                for (i, to) in buffer.chunks_exact_mut(width).take(count).enumerate() {
                    // SAFETY: initialized at an earlier block; only this task has these rows
                    // and columns.
                    let from = unsafe { out.part(first + i, column, columns) };
                    to[..columns].copy_from_slice(from);
                }
            }
            let a = &packed[rows.start * STRIDE..rows.end * STRIDE];
            assert!(block.len() <= STEPS && count <= MAX_ROWS);
            // `at` checks the ends of the rows.
            let (to, stride) = if narrow {
                (buffer.as_mut_ptr(), width)
            } else {
                out.at(first + count - 1, column, columns);
                (out.at(first, column, columns), out.stride)
            };
            let at = Operands {
                a: a.as_ptr(),
                w: weights[block.start * width..].as_ptr(),
                step: width,
                panel,
                out: to,
                stride,
                prefetch: Prefetch {
                    from: values.as_ptr().wrapping_add(next + t * block.len() * share),
                    step: share,
                },
            };
            // SAFETY: `a` has `count` rows of STRIDE >= block.len(); `weights` has the panels,
            // each with the block's steps from its start on; the output rows were checked, or
            // are the buffer's MAX_ROWS of at most 32; the fresh block initialized them.
            unsafe { tile(s, count, wide, block.len(), at, fresh) };
            if narrow {
                for (i, from) in buffer.chunks_exact(width).take(count).enumerate() {
                    let to = out.at(first + i, column, columns);
                    // SAFETY: checked by `at`, and only this task has these values.
                    unsafe { to.copy_from_nonoverlapping(from.as_ptr(), columns) };
                }
            }
            if last && !fused.is_none() {
                for row in first..first + count {
                    // SAFETY: just written; only this task has these values.
                    let values = unsafe { out.part(row, column, columns) };
                    fused.finish(s, values, column, row * n + column);
                }
            }
        }
    }
}
