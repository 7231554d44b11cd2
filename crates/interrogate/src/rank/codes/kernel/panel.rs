//! The high parts of many queries, interleaved for a kernel.

use super::super::query::{LINE, Query};

/// Queries in a group.
pub(in crate::rank) const WIDTH: usize = 16;

/// Quads in a line of 64 codes.
pub(super) const SIXTEEN: usize = LINE / 4;

/// The threshold of each query of a group, for a row's upper bound.
pub(in crate::rank) type Thresholds = [f32; WIDTH];

/// Four values of each query of a group: the contents of one register.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Quads(pub(super) [[u8; 4]; WIDTH]);

/// The high parts of queries, in groups.
///
/// A row's upper bound for a query is `scale (step I) + width`, with `I` the product of codes
/// and high part and `width = error_bound length + scale |codes| error`. The greatest length and
/// error of all queries are used for each.
#[derive(Clone, Debug)]
pub(in crate::rank) struct Panel {
    /// Number of queries.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only the x86 kernels use it")
    )]
    pub(in crate::rank) len: usize,
    pub(in crate::rank) dim: usize,
    /// The high parts plus 128: quad by quad along the dim in whole lines, group by group.
    /// Missing queries are zero; values after the dim meet codes of zero.
    quads: Vec<[Quads; SIXTEEN]>,
    /// The high parts without the 128, one by one, for kernels that go query by query.
    pub(super) high: Vec<Vec<[i8; LINE]>>,
    /// The factor of each query's product.
    pub(super) steps: Vec<[f32; WIDTH]>,
    pub(super) length: f32,
    pub(super) error: f32,
}

impl Panel {
    /// Lays out `queries` of `dim` values; `sign` is 1 for the highest scores and -1 for the
    /// lowest.
    pub(in crate::rank) fn new(dim: usize, queries: &[Query], sign: f32) -> Self {
        let lines = dim.div_ceil(LINE);
        let groups = queries.len().div_ceil(WIDTH);
        let mut panel = Panel {
            len: queries.len(),
            dim,
            quads: vec![[Quads([[0; 4]; WIDTH]); SIXTEEN]; groups * lines],
            high: queries.iter().map(|query| query.high.clone()).collect(),
            steps: vec![[0.0; WIDTH]; groups],
            length: 0.0,
            error: 0.0,
        };
        let (mut length, mut error) = (0.0f64, 0.0f64);
        for (i, query) in queries.iter().enumerate() {
            let (group, lane) = (i / WIDTH, i % WIDTH);
            for (quads, line) in panel.quads[group * lines..].iter_mut().zip(&query.high) {
                for (quad, values) in quads.iter_mut().zip(line.as_chunks::<4>().0) {
                    quad.0[lane] = values.map(|value| value.cast_unsigned() ^ 0x80);
                }
            }
            panel.steps[group][lane] = sign * query.coarse_step() as f32;
            length = length.max(query.length);
            error = error.max(query.coarse_error);
        }
        // A few roundings to f32 on the way to the bound: each 2^-24 of a product, which is at
        // most |codes| scale length, or of the width.
        panel.length = (length * (1.0 + 2f64.powi(-20))) as f32;
        panel.error = (error * (1.0 + 2f64.powi(-20)) + length * 2f64.powi(-20)) as f32;
        panel
    }

    /// The lines of group number `group`.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only the x86 kernels use it")
    )]
    pub(super) fn quads(&self, group: usize) -> &[[Quads; SIXTEEN]] {
        let lines = self.dim.div_ceil(LINE);
        &self.quads[group * lines..][..lines]
    }

    /// A bit for each query that group number `group` has.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "only the x86 kernels use it")
    )]
    pub(super) fn valid(&self, group: usize) -> u16 {
        match self.len - group * WIDTH {
            some @ 0..WIDTH => (1 << some) - 1,
            _ => u16::MAX,
        }
    }

    /// The width of a row: how far its score may be from its product. `squares` is the sum of
    /// its squared codes.
    #[inline(always)]
    pub(super) fn width(&self, scale: f32, error_bound: f32, squares: i32) -> f32 {
        error_bound * self.length + scale * (squares as f32).sqrt() * self.error
    }
}
