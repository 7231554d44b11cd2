//! Products of rounded input rows with panels of rounded weights.

use std::ops::Range;

use super::super::super::simd::{BLOCK, Kernel, MAX_ROWS, Simd, TILE_VECTORS};
use super::super::part::each_part;
use super::super::{Part, split};
use super::{LINE, Q8, Rounded, STEP, STEPS};

/// How far ahead a single row prefetches, in bytes: it reads two lines a step.
const AHEAD_ONE_ROW: usize = 32 * LINE;

/// Products of some input rows with some panels.
pub(super) struct Multiply<'a> {
    pub(super) parts: &'a [Part<'a, Q8>],
    pub(super) x: &'a Rounded,
    /// The first output row.
    pub(super) row: usize,
    /// The panels, numbered through all parts.
    pub(super) panels: Range<usize>,
}

impl Kernel for Multiply<'_> {
    const BYTES: bool = true;
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = TILE_VECTORS * S::LANES;
        for (part, panels) in each_part(self.parts, self.panels.clone(), Q8::panels) {
            assert_eq!(part.weight.isa.panel(), width);
            for panel in panels {
                self.panel(s, part, panel);
            }
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn panel<S: Simd>(&self, s: S, part: &Part<'_, Q8>, number: usize) {
        let &Part { weight, out, fused } = part;
        let (blocks, width) = (weight.blocks(), TILE_VECTORS * S::LANES);
        let lines = blocks * width;
        let codes = &weight.codes[number * lines..][..lines];
        let scales = &weight.scales[number * lines..][..lines];
        let column = number * width;
        let columns = width.min(weight.n - column);
        let mut sums = [0.0f32; MAX_ROWS * 32];
        let tiles = split::even(self.x.rows(), S::BYTE_ROWS);
        // Each tile prefetches its share of the next panel.
        let share = (width * STEP).div_ceil(tiles.len()).min(LINE);
        for (t, rows) in tiles.enumerate() {
            let count = rows.len();
            let at = Tile {
                x: self.x,
                row: rows.start,
                codes: codes.as_ptr().cast(),
                scales: scales.as_ptr(),
                blocks,
                ahead: codes
                    .as_ptr_range()
                    .end
                    .cast::<u8>()
                    .wrapping_add(t * share * STEPS * blocks),
                share,
                sums: &mut sums,
            };
            // SAFETY: `codes` and `scales` are those of one panel of `blocks` blocks, and the
            // rows of `x` have as many.
            unsafe { tile(s, count, at) };
            for (i, sums) in sums.chunks_exact(width).take(count).enumerate() {
                let row = self.row + rows.start + i;
                let to = out.at(row, column, columns);
                // SAFETY: `columns` values that only this task has, checked by `at`.
                let values = unsafe {
                    to.copy_from_nonoverlapping(sums.as_ptr(), columns);
                    out.part(row, column, columns)
                };
                if !fused.is_none() {
                    fused.finish(s, values, column, row * out.stride + column);
                }
            }
        }
    }
}

/// The operands of a tile: some rows and one panel.
struct Tile<'a> {
    x: &'a Rounded,
    /// The first input row.
    row: usize,
    codes: *const u8,
    scales: *const f32,
    blocks: usize,
    /// What to prefetch, and how far from a step to the next.
    ahead: *const u8,
    share: usize,
    /// (rows, outputs), written.
    sums: &'a mut [f32; MAX_ROWS * 32],
}

/// Computes `M` rows: `sums[i, c] = sum over blocks of products[i, c, block] * scale[c, block] *
/// scale[i, block]`.
///
/// # Safety
/// Readable: `blocks` blocks of the panel's codes and scales; `x` has them too.
#[inline(always)]
unsafe fn block<S: Simd, const M: usize>(s: S, at: Tile<'_>) {
    let Tile { x, row, mut codes, mut scales, blocks, mut ahead, share, sums: to } = at;
    let width = TILE_VECTORS * S::LANES;
    let mut sums = [[s.splat(0.0); TILE_VECTORS]; M];
    for number in 0..blocks {
        let block = x.block(number);
        let inputs = block.codes(row, M);
        let mut products = [[s.start_sums(0); TILE_VECTORS]; M];
        for (i, products) in products.iter_mut().enumerate() {
            *products = [s.start_sums(block.sum(row + i)); TILE_VECTORS];
        }
        for step in 0..STEPS {
            if M == 1 {
                (0..TILE_VECTORS * S::LANES * STEP)
                    .step_by(LINE)
                    .for_each(|line| s.prefetch(codes.wrapping_add(AHEAD_ONE_ROW + line)));
            } else {
                s.prefetch(ahead);
            }
            // SAFETY: this step of the panel.
            let w: [S::Bytes; TILE_VECTORS] =
                std::array::from_fn(|c| unsafe { s.load_bytes(codes.add(c * S::LANES * STEP)) });
            for (i, products) in products.iter_mut().enumerate() {
                for (sums, &w) in products.iter_mut().zip(&w) {
                    // SAFETY: `inputs` holds M rows of BLOCK codes.
                    *sums =
                        unsafe { s.add_products(*sums, inputs.add(i * BLOCK + step * STEP), w) };
                }
            }
            (codes, ahead) = (codes.wrapping_add(width * STEP), ahead.wrapping_add(share));
        }
        // SAFETY: this block's scales of the panel.
        let weight: [S::V; TILE_VECTORS] =
            std::array::from_fn(|c| unsafe { s.load(scales.add(c * S::LANES)) });
        scales = scales.wrapping_add(width);
        for (i, (sums, products)) in sums.iter_mut().zip(products).enumerate() {
            let input = s.splat(block.scale(row + i));
            for ((sum, product), &weight) in sums.iter_mut().zip(products).zip(&weight) {
                let scaled = s.mul(s.sums_to_f32(product), s.mul(weight, input));
                *sum = s.add(*sum, scaled);
            }
        }
    }
    for (to, sums) in to.chunks_exact_mut(width).zip(sums) {
        for (to, sum) in to.chunks_exact_mut(S::LANES).zip(sums) {
            s.write(to, sum);
        }
    }
}

/// A [`block`] of `rows` rows.
///
/// # Safety
/// As for `block`, with `rows` in `1..=S::BYTE_ROWS`.
#[inline(always)]
unsafe fn tile<S: Simd>(s: S, rows: usize, at: Tile<'_>) {
    macro_rules! choose {
        ($($m:literal),*) => {
            match rows {
                // SAFETY: by the caller's contract; `rows` selects its own M.
                $($m if $m <= S::BYTE_ROWS => unsafe { block::<S, $m>(s, at) },)*
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    choose!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
}
