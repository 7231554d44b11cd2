//! The input of a product, in blocks along `k`.

use super::super::super::scratch::Scratch;

/// Values along `k` that are summed per lane before the lanes are added: six rows of the input
/// and four of the weight fit a first-level cache of 32 KiB.
pub(super) const BLOCK: usize = 512;

/// Values from one packed row to the next: not a power of two, so that rows do not map to one
/// set of the cache (48 rows of 1,024 values: 62 GFLOP/s unpacked, and 93 packed).
const STRIDE: usize = BLOCK + 16;

/// Some input rows of `k` values.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    values: &'a [f32],
    /// Values from one block to the next, and from one row to the next in it.
    block: usize,
    pub(super) row: usize,
}

impl<'a> Input<'a> {
    /// Calls `with` with the `count` rows of `x`. Several are copied first, in blocks: all rows
    /// of a block, then those of the next.
    pub(super) fn pack(x: &[f32], count: usize, k: usize, with: impl FnOnce(Input<'_>)) {
        if count == 1 {
            return with(Input { values: x, block: BLOCK, row: k });
        }
        let mut packed = Scratch::with_len(k.div_ceil(BLOCK) * count * STRIDE);
        for (block, to) in packed.chunks_exact_mut(count * STRIDE).enumerate() {
            let part = block * BLOCK..k.min((block + 1) * BLOCK);
            for (row, to) in x.chunks_exact(k).zip(to.chunks_exact_mut(STRIDE)) {
                to[..part.len()].copy_from_slice(&row[part.clone()]);
            }
        }
        with(Input { values: &packed, block: count * STRIDE, row: STRIDE });
    }

    /// The values from row `row` and value `from` on, which begins a block.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, from: usize) -> &'a [f32] {
        &self.values[from / BLOCK * self.block + row * self.row..]
    }
}
