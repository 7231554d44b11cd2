//! The fully connected layer on the processor: `y = x W^T + b`, and what is fused to it.

use super::activation::{Activation, Fused};
use super::check;
use super::kernel::{Element, Out, Panels, Q8, Rows, Tiles, Weight};
use super::precision::Precision;
use super::simd::{Amx, Level};
use crate::weights::{Float, Values};
use crate::{Error, Result};

/// A weight of the checkpoint, `(out, in)`, with its bias.
///
/// Products run on all threads. A row of the output depends on its own row of the input
/// alone, bit for bit: it is the same in any batch.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
}

/// What a layer does to its output before it leaves the cache:
/// `activation(x W^T + b) + residual`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epilogue<'a> {
    /// The non-linear step.
    pub(crate) activation: Activation,
    /// `(rows, out)`, added last.
    pub(crate) residual: Option<&'a [f32]>,
}

impl Linear {
    /// Keeps the weight `stored` `(out, in)` in `precision`, and `bias` `(out)`. Reads each weight once,
    /// or none where halves stay as the file has them: `mapped` leaves bf16 there as well,
    /// and then rounds no input.
    ///
    /// # Errors
    /// [`Error::Dim`] where the weight is not of that shape or has no values, and where the
    /// bias is not `out` values.
    pub(crate) fn new(
        stored: &Values,
        [n, k]: [usize; 2],
        bias: Option<Vec<f32>>,
        precision: Precision,
        mapped: bool,
    ) -> Result<Self> {
        check("weight", 1.max(n.saturating_mul(k)), stored.len())?;
        if let Some(bias) = &bias {
            check("bias", n, bias.len())?;
        }
        let rows = |float, element| -> Result<Rows> {
            let (bytes, start) = stored.clone().into_float(float).bytes_and_offset();
            let rows = Rows::new(Level::best(), bytes, start, element, (n, k));
            rows.ok_or(Error::Dim { what: "mapped weight", expected: n * k, found: 0 })
        };
        let panels = |level| Weight::Panels(Panels::pack(level, &stored.to_f32(), n, k));
        let (weight, copied) = match (precision, Amx::get(), Level::pairs()) {
            (Precision::F16, ..) => (Weight::Rows(rows(Float::F16, Element::F16)?), false),
            (Precision::Bf16, ..) if mapped => {
                (Weight::Rows(rows(Float::Bf16, Element::Bf16)?), false)
            }
            (Precision::F32, Some(amx), _) => {
                (Weight::Tiles(Tiles::whole(amx, &stored.to_f32(), n, k)), true)
            }
            (Precision::F32, None, _) => (panels(Level::best()), true),
            (Precision::Bf16, Some(amx), _) => {
                (Weight::Tiles(Tiles::rounded(amx, &stored.to_f32(), n, k)), true)
            }
            (Precision::Bf16, None, Some(level)) => (panels(level), true),
            (Precision::Bf16, None, None) => {
                (Weight::RowsOfRounded(rows(Float::Bf16, Element::Bf16)?), false)
            }
            (Precision::Q8, ..) => {
                let fill = |row: usize, out: &mut [f32]| stored.widen(row * k, out);
                (Weight::Q8(Q8::pack(Level::bytes(), (n, k), fill)), true)
            }
        };
        if copied {
            stored.release();
        }
        Ok(Linear { weight, bias })
    }

    /// Values of an input row.
    pub(crate) fn inputs(&self) -> usize {
        self.weight.k()
    }

    /// Values of an output row.
    pub(crate) fn outputs(&self) -> usize {
        self.weight.n()
    }

    /// `x W^T + b` of several layers over one input `x (m, in)`, each into its own
    /// slice: what the input needs before it is multiplied is done once for all.
    ///
    /// # Errors
    /// [`Error::Dim`] where a slice is not as long as its shape.
    pub(crate) fn apply_each(
        layers: &mut [(&Linear, &mut [f32])],
        x: &[f32],
        m: usize,
    ) -> Result<()> {
        let mut fused = Vec::with_capacity(layers.len());
        for (layer, out) in &*layers {
            check("layer's input", m.saturating_mul(layer.inputs()), x.len())?;
            check("layer's output", m.saturating_mul(layer.outputs()), out.len())?;
            fused.push(Fused { bias: layer.bias.as_deref(), ..Fused::default() });
        }
        let products = layers.iter_mut().zip(&fused);
        let products: Vec<_> = products
            .map(|((layer, out), fused)| (&layer.weight, Out::new(out, layer.outputs()), fused))
            .collect();
        Weight::products(&products, x, m);
        Ok(())
    }

    /// `out (m, out) = activation(x (m, in) W^T + b) + residual` over slices, without
    /// allocating.
    ///
    /// # Errors
    /// [`Error::Dim`] where a slice is not as long as its shape.
    pub(crate) fn apply(
        &self,
        x: &[f32],
        m: usize,
        out: &mut [f32],
        Epilogue { activation, residual }: Epilogue<'_>,
    ) -> Result<()> {
        check("layer's input", m.saturating_mul(self.inputs()), x.len())?;
        check("layer's output", m.saturating_mul(self.outputs()), out.len())?;
        if let Some(residual) = residual {
            check("residual", out.len(), residual.len())?;
        }
        let bias = self.bias.as_deref();
        self.weight.product(x, m, out, &Fused { bias, activation, residual });
        Ok(())
    }
}
