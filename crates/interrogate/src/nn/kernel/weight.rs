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

    /// Computes the products of one input with several weights of as many inputs. If all have
    /// the same packed layout, the input is packed once for them; else the tasks of all products run
    /// together, so that threads wait for each other once.
    ///
    /// # Panics
    /// If a slice is shorter than its shape.
    pub(crate) fn products(of: &[Product<'_>], x: &[f32], m: usize) {
        if let Some(parts) = parts(of, Weight::as_panels, Panels::same_layout) {
            Panels::products(&parts, x, m);
        } else if let Some(parts) = parts(of, Weight::as_tiles, Tiles::same_layout) {
            Tiles::products(&parts, x, m);
        } else if let Some(parts) = parts(of, Weight::as_q8, Q8::same_layout) {
            Q8::products(&parts, x, m);
        } else {
            of.par_iter().for_each(|&(weight, out, fused)| weight.product_to(x, m, out, fused));
        }
    }

    fn as_panels(&self) -> Option<&Panels> {
        if let Weight::Panels(weight) = self { Some(weight) } else { None }
    }

    fn as_tiles(&self) -> Option<&Tiles> {
        if let Weight::Tiles(weight) = self { Some(weight) } else { None }
    }

    fn as_q8(&self) -> Option<&Q8> {
        if let Weight::Q8(weight) = self { Some(weight) } else { None }
    }

    fn product_to(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        match self {
            Weight::Panels(weight) => Panels::products(&[Part { weight, out, fused }], x, m),
            Weight::Tiles(weight) => Tiles::products(&[Part { weight, out, fused }], x, m),
            Weight::Q8(weight) => Q8::products(&[Part { weight, out, fused }], x, m),
            Weight::Rows(rows) => rows.product(x, m, out, fused),
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

/// A weight, the output of its product, and what is fused to it.
pub(crate) type Product<'a> = (&'a Weight, Out<'a>, &'a Fused<'a>);

/// The products of weights of one kind and layout, or `None`.
fn parts<'a, W>(
    of: &[Product<'a>],
    kind: impl Fn(&'a Weight) -> Option<&'a W>,
    same_layout: impl Fn(&W, &W) -> bool,
) -> Option<Vec<Part<'a, W>>> {
    let part =
        |&(weight, out, fused): &Product<'a>| Some(Part { weight: kind(weight)?, out, fused });
    let parts: Vec<Part<'a, W>> = of.iter().map(part).collect::<Option<_>>()?;
    parts.windows(2).all(|two| same_layout(two[0].weight, two[1].weight)).then_some(parts)
}
