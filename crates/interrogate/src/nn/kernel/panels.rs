//! Weights packed in panels: strips of outputs, step by step.

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::scratch::{Aligned, Scratch};
use super::super::simd::{Isa, Kernel, MAX_ROWS, Simd};
use super::Out;
use super::split;
use super::tile::{self, LINE, Operands, Prefetch, STEPS, STRIDE, tile};

/// The most input rows that a task packs at once: [`STEPS`] values of each take a small part of
/// the second-level cache.
const ROWS: usize = 6 * MAX_ROWS;

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

    /// Computes `out (m, n) = fused(x (m, k) weight^T)`.
    ///
    /// # Panics
    /// If `x` or `out` is shorter than that.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        assert!(x.len() >= m * self.k && out.stride == self.n);
        if m == 0 || self.n == 0 {
            return;
        }
        let panels = self.n.div_ceil(self.isa.panel());
        let blocks = row_blocks(m);
        if blocks == 1 {
            // Few rows: they are packed once, and the panels are split among tasks.
            let mut packed = Scratch::with_len(self.packed(m));
            self.isa.run(Pack { weight: self, x, rows: m, to: &mut packed });
            let shares = split::ranges(panels, MIN_PANELS, 1);
            (0..shares).into_par_iter().for_each(|i| {
                let panels = split::part(panels, shares, i);
                let packed = &packed;
                self.isa.run(Multiply {
                    weight: self,
                    packed,
                    row: 0,
                    rows: m,
                    panels,
                    out,
                    fused,
                });
            });
            return;
        }
        // Many rows: a task packs its own, and computes all panels if there are enough tasks for
        // every thread.
        let shares = split::ranges(panels, 4 * MIN_PANELS, blocks);
        (0..blocks * shares).into_par_iter().for_each(|task| {
            let rows = split::part(m, blocks, task / shares);
            let panels = split::part(panels, shares, task % shares);
            let mut packed = Scratch::with_len(self.packed(rows.len()));
            let x = &x[rows.start * self.k..rows.end * self.k];
            self.isa.run(Pack { weight: self, x, rows: rows.len(), to: &mut packed });
            let (row, rows) = (rows.start, rows.len());
            let packed = &packed;
            self.isa.run(Multiply { weight: self, packed, row, rows, panels, out, fused });
        });
    }

    /// The length of `rows` packed input rows, in f32 values.
    fn packed(&self, rows: usize) -> usize {
        self.steps.div_ceil(STEPS) * rows * STRIDE
    }
}

/// The number of blocks to split `m` input rows into: a multiple of the number of threads, so
/// that none waits for another that has one more (1,024 rows on two threads: 288 GFLOP/s in nine
/// blocks, 340 in fourteen).
fn row_blocks(m: usize) -> usize {
    match m.div_ceil(ROWS) {
        0 | 1 => 1,
        some => some.next_multiple_of(rayon::current_num_threads()).min(m.div_ceil(MAX_ROWS)),
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
    weight: &'a Panels,
    packed: &'a [f32],
    /// The first output row, and the number of rows.
    row: usize,
    rows: usize,
    panels: std::ops::Range<usize>,
    out: Out<'a>,
    fused: &'a Fused<'a>,
}

impl Kernel for Multiply<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Multiply { weight, packed, row, rows, panels, out, fused } = self;
        let Panels { n, k: _, steps, ref values, isa } = *weight;
        let width = super::super::simd::TILE_VECTORS * S::LANES;
        assert_eq!(width, isa.panel());
        let panel = steps * width;
        let last = split::even(steps, STEPS).len().saturating_sub(1);
        for (b, block) in split::even(steps, STEPS).enumerate() {
            let packed = &packed[b * rows * STRIDE..(b + 1) * rows * STRIDE];
            let mut p = panels.start;
            while p < panels.end {
                // One panel, or a few side by side for few rows. Only the last panel of all may
                // be narrower than its width.
                let abreast = tile::panels_abreast::<S>(rows);
                let wide = abreast > 1 && p + abreast <= panels.end && (p + abreast) * width <= n;
                let count = if wide { abreast } else { 1 };
                let column = p * width;
                let columns = (count * width).min(n - column);
                // The next panel's part of this block, prefetched by the first two tiles, two
                // lines per step.
                let next = (p + count) * panel + block.start * width;
                for (t, part) in split::even(rows, S::ROWS).enumerate() {
                    let first = row + part.start;
                    // The tile of a narrow panel is computed in a buffer of full width.
                    let mut buffer = [0.0f32; MAX_ROWS * 32];
                    let narrow = columns < width;
                    if narrow && b > 0 {
                        for (i, to) in buffer.chunks_exact_mut(width).take(part.len()).enumerate() {
                            // SAFETY: initialized at an earlier block; only this task has these
                            // rows and columns.
                            let from = unsafe { out.part(first + i, column, columns) };
                            to[..columns].copy_from_slice(from);
                        }
                    }
                    let weights = &values[p * panel..(p + count) * panel];
                    let a = &packed[part.start * STRIDE..part.end * STRIDE];
                    assert!(block.len() <= STEPS && part.len() <= MAX_ROWS);
                    // `at` checks the ends of the rows.
                    let (to, stride) = if narrow {
                        (buffer.as_mut_ptr(), width)
                    } else {
                        out.at(first + part.len() - 1, column, columns);
                        (out.at(first, column, columns), out.stride)
                    };
                    let at = Operands {
                        a: a.as_ptr(),
                        w: weights[block.start * width..].as_ptr(),
                        step: width,
                        panel,
                        out: to,
                        stride,
                        prefetch: match t {
                            0 | 1 => Prefetch::lines(
                                values.as_ptr().wrapping_add(next + t * block.len() * LINE),
                            ),
                            _ => Prefetch::none(weights.as_ptr()),
                        },
                    };
                    // SAFETY: `a` has part.len() rows of STRIDE >= block.len(); `weights` has
                    // `count` panels, each with the block's steps from its start on; the output
                    // rows were checked, or are the buffer's MAX_ROWS of at most 32; block 0,
                    // the fresh one, initialized them.
                    unsafe { tile(s, part.len(), wide, block.len(), at, b == 0) };
                    if narrow || b == last && !fused.is_none() {
                        for i in 0..part.len() {
                            if narrow {
                                let from = &buffer[i * width..i * width + columns];
                                // SAFETY: in bounds, and only this task has these values.
                                unsafe {
                                    let to = out.at(first + i, column, columns);
                                    to.copy_from_nonoverlapping(from.as_ptr(), columns);
                                }
                            }
                            if b == last {
                                // SAFETY: just written; only this task has these values.
                                let values = unsafe { out.part(first + i, column, columns) };
                                fused.finish(s, values, column, (first + i) * n + column);
                            }
                        }
                    }
                }
                p += count;
            }
        }
    }
}
