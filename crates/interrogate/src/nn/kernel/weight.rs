//! A weight in any layout.

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::scratch::Scratch;
use super::{Out, Panels, Part, Q8, Rows, Tiles};

/// A weight `(n, k)`, ready for products.
#[derive(Clone, Debug)]
pub(crate) enum Weight {
    /// Packed in strips of outputs.
    Panels(Panels),
    /// Packed in tiles, for AMX.
    Tiles(Tiles),
    /// As stored.
    Rows(Rows),
    /// As stored, with inputs rounded to bf16 first: the same product as panels of pairs, for
    /// processors without AVX512-BF16.
    RowsOfRounded(Rows),
    /// Rounded to eight bits, like the inputs.
    Q8(Q8),
}

impl Weight {
    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        match self {
            Weight::Panels(panels) => panels.n(),
            Weight::Tiles(tiles) => tiles.n(),
            Weight::Rows(rows) | Weight::RowsOfRounded(rows) => rows.n(),
            Weight::Q8(weight) => weight.n(),
        }
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        match self {
            Weight::Panels(panels) => panels.k(),
            Weight::Tiles(tiles) => tiles.k(),
            Weight::Rows(rows) | Weight::RowsOfRounded(rows) => rows.k(),
            Weight::Q8(weight) => weight.k(),
        }
    }

    /// Computes `out (m, n) = fused(x (m, k) weight^T)`.
    ///
    /// # Panics
    /// If a slice is shorter than its shape.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: &mut [f32], fused: &Fused<'_>) {
        let n = self.n();
        self.product_to(x, m, Out::new(&mut out[..m * n], n), fused);
    }

    /// Computes the products of one input with several weights of as many inputs, side by side.
    /// If all are tiles, the input is packed once for them.
    ///
    /// # Panics
    /// If a slice is shorter than its shape.
    pub(crate) fn products(of: &[(&Weight, Out<'_>, &Fused<'_>)], x: &[f32], m: usize) {
        let tiles = of.iter().map(|&(weight, out, fused)| match weight {
            Weight::Tiles(weight) => Some(Part { weight, out, fused }),
            _ => None,
        });
        let tiles: Option<Vec<Part<'_>>> = tiles.collect();
        match tiles
            .filter(|parts| parts.windows(2).all(|pair| pair[0].weight.same_layout(pair[1].weight)))
        {
            Some(parts) => Tiles::products(&parts, x, m),
            // The tasks of all products together: the threads wait for each other once.
            None => of.par_iter().for_each(|&(weight, out, fused)| {
                weight.product_to(x, m, out, fused);
            }),
        }
    }

    fn product_to(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        match self {
            Weight::Panels(panels) => panels.product(x, m, out, fused),
            Weight::Tiles(weight) => Tiles::products(&[Part { weight, out, fused }], x, m),
            Weight::Rows(rows) => rows.product(x, m, out, fused),
            Weight::Q8(weight) => weight.product(x, m, out, fused),
            Weight::RowsOfRounded(rows) => {
                let x = &x[..m * rows.k()];
                let mut rounded = Scratch::with_len(x.len());
                for (to, &from) in rounded.iter_mut().zip(x) {
                    *to = half::bf16::from_f32(from).to_f32();
                }
                rows.product(&rounded, m, out, fused);
            }
        }
    }
}
