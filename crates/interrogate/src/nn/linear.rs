//! The fully connected layer of the CPU backend: `y = x W^T + b`.

use super::activation::{Activation, Fused};
use super::check;
use super::kernel::{Element, Out, Panels, Q8, Rows, Tiles, Weight};
use super::precision::Precision;
use super::simd::{Amx, Isa};
use crate::error::RowsError;
use crate::weights::{Float, Values};
use crate::{Error, Result};

/// A weight of a checkpoint, `(out, in)`, with its bias.
///
/// Products run on all threads. An output row depends on its own input row alone, bit for bit:
/// it is the same in any batch.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
}

/// The operations fused to a product: `activation(x W^T + b) + residual`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epilogue<'a> {
    /// The activation function.
    pub(crate) activation: Activation,
    /// `(rows, out)`, added last.
    pub(crate) residual: Option<&'a [f32]>,
}

impl Linear {
    /// Packs the weight `stored` `(out, in)` for `precision`, with `bias` `(out)`. Reads each
    /// weight once, or leaves weights of 16 bits in the file: for f16, and for bf16 if `mapped`,
    /// which also rounds no input.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the weight has another shape or no values, or if the bias does not have
    /// `out` values.
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
            let rows = Rows::new(Isa::best(), bytes, start, element, (n, k));
            rows.ok_or(Error::Rows(RowsError::Dim {
                what: "mapped weight",
                expected: n * k,
                found: 0,
            }))
        };
        let panels = |isa| Weight::Panels(Panels::pack(isa, &stored.to_f32(), n, k));
        let (weight, copied) = match (precision, Amx::get(), Isa::bf16_pairs()) {
            (Precision::F16, ..) => (Weight::Rows(rows(Float::F16, Element::F16)?), false),
            (Precision::Bf16, ..) if mapped => {
                (Weight::Rows(rows(Float::Bf16, Element::Bf16)?), false)
            }
            (Precision::F32, Some(amx), _) => {
                (Weight::Tiles(Tiles::f32(amx, &stored.to_f32(), n, k)), true)
            }
            (Precision::F32, None, _) => (panels(Isa::best()), true),
            (Precision::Bf16, Some(amx), _) => {
                (Weight::Tiles(Tiles::bf16(amx, &stored.to_f32(), n, k)), true)
            }
            (Precision::Bf16, None, Some(isa)) => (panels(isa), true),
            (Precision::Bf16, None, None) => {
                (Weight::RowsOfRounded(rows(Float::Bf16, Element::Bf16)?), false)
            }
            (Precision::Q8, ..) => {
                let fill = |row: usize, out: &mut [f32]| stored.widen(row * k, out);
                (Weight::Q8(Q8::pack(Isa::int8(), (n, k), fill)), true)
            }
        };
        if copied {
            stored.release();
        }
        Ok(Linear { weight, bias })
    }

    /// Values in an input row.
    pub(crate) fn inputs(&self) -> usize {
        self.weight.k()
    }

    /// Values in an output row.
    pub(crate) fn outputs(&self) -> usize {
        self.weight.n()
    }

    /// Computes `x W^T + b` of several layers for one input `x (m, in)`, each into its own
    /// slice. The input is packed once for all layers.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if a slice does not have the length of its shape.
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

    /// Computes `out (m, out) = activation(x (m, in) W^T + b) + residual`.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if a slice does not have the length of its shape.
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
