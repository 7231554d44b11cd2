//! Weights as stored in the file, in 16 bits, widened on the fly.

mod dots;
mod input;
mod stored;

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::simd::Isa;
use super::{Out, split};
use crate::weights::Bytes;
use dots::Dots;
use input::Input;
use stored::{Bf16, F16};

/// Input rows per task, which all meet each of its outputs.
const INPUTS: usize = 96;

/// The fewest outputs per task.
const MIN_OUTPUTS: usize = 16;

/// The type of the stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    Bf16,
}

impl Element {
    /// Bytes of a value.
    pub(crate) const SIZE: usize = 2;
}

/// A row-major weight `(n, k)`, of any alignment, little endian.
#[derive(Clone)]
pub(crate) struct Rows {
    isa: Isa,
    bytes: Bytes,
    start: usize,
    element: Element,
    n: usize,
    k: usize,
}

impl Rows {
    /// Creates a weight of the `n` rows of `k` values at byte `start`; `None` if they end beyond
    /// `bytes`.
    pub(crate) fn new(
        isa: Isa,
        bytes: Bytes,
        start: usize,
        element: Element,
        (n, k): (usize, usize),
    ) -> Option<Self> {
        let size = n.checked_mul(k)?.checked_mul(Element::SIZE)?;
        (*bytes).as_ref().get(start..start.checked_add(size)?)?;
        Some(Rows { isa, bytes, start, element, n, k })
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Computes `out (m, n) = fused(x (m, k) weight^T)`. Reads the weight once for each 96 rows
    /// of `x`.
    ///
    /// # Panics
    /// If `x` or `out` is shorter than that, or the bytes shrank.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        assert!(x.len() >= m * self.k && out.stride == self.n);
        let blocks = split::even(m, INPUTS).len();
        let shares = split::ranges(self.n, MIN_OUTPUTS, blocks);
        if blocks == 1 {
            Input::pack(x, m, self.k, |x| {
                (0..shares).into_par_iter().for_each(|share| {
                    let outputs = split::part(self.n, shares, share);
                    self.part(x, 0..m, outputs, out, fused);
                });
            });
            return;
        }
        (0..blocks * shares).into_par_iter().for_each(|task| {
            let rows = split::part(m, blocks, task / shares);
            let outputs = split::part(self.n, shares, task % shares);
            let x = &x[rows.start * self.k..rows.end * self.k];
            Input::pack(x, rows.len(), self.k, |x| self.part(x, rows, outputs, out, fused));
        });
    }

    /// Computes `rows` and `outputs` of a product. `x` is the input of these rows.
    fn part(
        &self,
        x: Input<'_>,
        rows: Range<usize>,
        outputs: Range<usize>,
        out: Out<'_>,
        fused: &Fused<'_>,
    ) {
        let size = self.n * self.k * Element::SIZE;
        let weight = &(*self.bytes).as_ref()[self.start..self.start + size];
        let (row, rows) = (rows.start, rows.len());
        let dots = Dots { weight, k: self.k, x, row, rows, outputs, out, fused };
        match self.element {
            Element::F16 => self.isa.run(dots.with(F16)),
            Element::Bf16 => self.isa.run(dots.with(Bf16)),
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}, {}) of {:?}", self.n, self.k, self.element)
    }
}
