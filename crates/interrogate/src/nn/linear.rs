//! The fully connected layer: `y = x W^T + b`, and what is fused to it.

use std::sync::Arc;

use candle_core::{D, DType, Tensor};

use super::activation::{Activation, Fused};
use super::kernel::{Element, Out, Panels, Q8, Rows, Tiles, Weight};
use super::precision::Precision;
use super::simd::{Amx, Level};
use super::values::{on_cpu, values};
use crate::{Error, Result};

/// Bytes that a layer keeps alive, such as a map of the checkpoint.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A weight of the checkpoint, `(out, in)`, with its bias.
///
/// On the CPU the products run on this library's kernels and on all threads. A
/// row of the output depends on its own row of the input alone, bit for bit: it
/// is the same in any batch. On another device the tensor engine multiplies.
#[derive(Clone, Debug)]
pub struct Linear(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    weight: Kept,
    bias: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Kept {
    Cpu(Weight),
    Device {
        /// `(out, in)` in the precision's type.
        weight: Tensor,
        bias: Option<Tensor>,
    },
}

/// What a layer does to its output before it leaves the cache:
/// `activation(x W^T + b) + residual`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// The non-linear step.
    pub activation: Activation,
    /// `(rows, out)`, added last.
    pub residual: Option<&'a [f32]>,
}

impl Linear {
    /// Keeps `weight` `(out, in)` of any float type, and `bias` `(out)`, in
    /// `precision` on the weight's device. Reads each weight once.
    ///
    /// # Errors
    /// [`Error::Dim`] where the bias is not `out` values or the weight has no
    /// values, [`Error::Engine`] where it is no matrix or cannot be converted.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, precision: Precision) -> Result<Self> {
        let engine = || Error::engine("keep a layer's weight");
        let (n, k) = weight.dims2().map_err(engine())?;
        check("weight", 1.max(n * k), n * k)?;
        if let Some(bias) = bias {
            check("bias", n, bias.elem_count())?;
        }
        if !on_cpu(weight) {
            let weight = weight.to_dtype(precision.dtype()).map_err(engine())?;
            let bias = bias.map(|bias| bias.to_dtype(DType::F32)).transpose().map_err(engine())?;
            return Ok(Linear(Arc::new(Inner {
                weight: Kept::Device { weight, bias },
                bias: None,
            })));
        }
        let rows = |dtype, element| -> Result<Rows> {
            let bytes = stored(weight, dtype).map_err(engine())?;
            Rows::new(Level::best(), bytes, 0, element, (n, k)).ok_or_else(|| short(n * k, 0))
        };
        let panels = |level| {
            values(weight, |w| Weight::Panels(Panels::pack(level, w, n, k))).map_err(engine())
        };
        let tiles = |pack: fn(Amx, &[f32], usize, usize) -> Tiles, amx| {
            values(weight, |w| Weight::Tiles(pack(amx, w, n, k))).map_err(engine())
        };
        let weight = match (precision, Amx::get(), Level::pairs()) {
            (Precision::F32, Some(amx), _) => tiles(Tiles::whole, amx)?,
            (Precision::F32, None, _) => panels(Level::best())?,
            (Precision::Bf16, Some(amx), _) => tiles(Tiles::rounded, amx)?,
            (Precision::Bf16, None, Some(level)) => panels(level)?,
            (Precision::Bf16, ..) => Weight::RowsOfRounded(rows(DType::BF16, Element::Bf16)?),
            (Precision::F16, ..) => Weight::Rows(rows(DType::F16, Element::F16)?),
        };
        Self::cpu(weight, bias)
    }

    /// A layer over the `n * k` values of a checkpoint that begin at byte
    /// `start` of `bytes`, `(out, in)`, little endian, of any alignment. They
    /// stay where they are, are widened on the way, and are multiplied in f32.
    /// Reads nothing now.
    ///
    /// # Errors
    /// [`Error::Dim`] where the weight ends beyond the bytes or the bias is not
    /// `out` values, [`Error::Engine`] where `dtype` is none of f32, f16, bf16.
    pub fn mapped(
        bytes: Bytes,
        start: usize,
        dtype: DType,
        (n, k): (usize, usize),
        bias: Option<&Tensor>,
    ) -> Result<Self> {
        let element = match dtype {
            DType::F32 => Element::F32,
            DType::F16 => Element::F16,
            DType::BF16 => Element::Bf16,
            dtype => {
                let error = candle_core::Error::UnsupportedDTypeForOp(dtype, "mapped weight");
                return Err(Error::engine("map a layer's weight")(error));
            }
        };
        check("weight", 1.max(n.saturating_mul(k)), n.saturating_mul(k))?;
        let found = (*bytes).as_ref().len().saturating_sub(start) / element.size();
        let rows = Rows::new(Level::best(), bytes, start, element, (n, k))
            .ok_or_else(|| short(n.saturating_mul(k), found))?;
        Self::cpu(Weight::Rows(rows), bias)
    }

    /// A layer of eight-bit weights `(out, in)`, rounded in blocks of 64 along a
    /// row with a scale of f32 each: 8.5 bits a weight. `fill` writes row number
    /// `j` of the weight as f32; it is called once a row, from all threads.
    ///
    /// The input is rounded likewise at each product. Either side is off by at
    /// most a 254th of its block's largest value. The products have the same
    /// bits on every machine.
    ///
    /// # Errors
    /// [`Error::Dim`] where the bias is not `out` values or the weight has none.
    pub fn q8(
        (n, k): (usize, usize),
        fill: impl Fn(usize, &mut [f32]) + Sync,
        bias: Option<&Tensor>,
    ) -> Result<Self> {
        check("weight", 1.max(n.saturating_mul(k)), n.saturating_mul(k))?;
        Self::cpu(Weight::Q8(Q8::pack(Level::bytes(), (n, k), fill)), bias)
    }

    fn cpu(weight: Weight, bias: Option<&Tensor>) -> Result<Self> {
        let bias = bias.map(|bias| values(bias, <[f32]>::to_vec)).transpose();
        let bias = bias.map_err(Error::engine("keep a layer's bias"))?;
        if let Some(bias) = &bias {
            check("bias", weight.n(), bias.len())?;
        }
        Ok(Linear(Arc::new(Inner { weight: Kept::Cpu(weight), bias })))
    }

    /// Values of an input row.
    pub fn inputs(&self) -> usize {
        match &self.0.weight {
            Kept::Cpu(weight) => weight.k(),
            Kept::Device { weight, .. } => weight.dims()[1],
        }
    }

    /// Values of an output row.
    pub fn outputs(&self) -> usize {
        match &self.0.weight {
            Kept::Cpu(weight) => weight.n(),
            Kept::Device { weight, .. } => weight.dims()[0],
        }
    }

    /// `x W^T + b`: `(.., in)` to `(.., out)` in f32.
    ///
    /// # Errors
    /// [`Error::Dim`] where a row of `x` is not `in` values, [`Error::Engine`]
    /// where the engine fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_fused(x, Activation::None, None)
    }

    /// `activation(x W^T + b)`.
    ///
    /// # Errors
    /// As for [`forward`](Self::forward).
    pub fn forward_with(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.forward_fused(x, activation, None)
    }

    /// `x W^T + b + residual`, where `residual` is `(.., out)`.
    ///
    /// # Errors
    /// As for [`forward`](Self::forward), and [`Error::Dim`] where `residual`
    /// has another number of values than the output.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.forward_fused(x, Activation::None, Some(residual))
    }

    fn forward_fused(
        &self,
        x: &Tensor,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        check("layer's input", self.inputs(), x.dims().last().copied().unwrap_or(0))?;
        let m = x.elem_count() / self.inputs();
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(self.outputs());
        if let Some(residual) = residual {
            check("residual", m * self.outputs(), residual.elem_count())?;
        }
        let out = match &self.0.weight {
            Kept::Device { weight, bias } => {
                on_device(x, m, weight, bias.as_ref(), activation, residual)
            }
            Kept::Cpu(weight) => {
                let product = |x: &[f32], residual: Option<&[f32]>| {
                    let bias = self.0.bias.as_deref();
                    weight.product_vec(x, m, &Fused { bias, activation, residual })
                };
                let out = match residual {
                    None => values(x, |x| product(x, None)),
                    Some(r) => values(x, |x| values(r, |r| product(x, Some(r)))).and_then(|v| v),
                };
                out.and_then(|out| Tensor::from_vec(out, (m, self.outputs()), x.device()))
            }
        };
        out.and_then(|out| out.reshape(shape)).map_err(Error::engine("apply a layer"))
    }

    /// `x W^T + b` of several layers over one input `x (m, in)`, each into its own
    /// slice: what the input needs before it is multiplied is done once for all.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_each(layers: &mut [(&Linear, &mut [f32])], x: &[f32], m: usize) -> Result<()> {
        let mut fused = Vec::with_capacity(layers.len());
        for (layer, out) in &*layers {
            check("layer's input", m.saturating_mul(layer.inputs()), x.len())?;
            check("layer's output", m.saturating_mul(layer.outputs()), out.len())?;
            fused.push(Fused { bias: layer.0.bias.as_deref(), ..Fused::default() });
        }
        if layers.iter().any(|(layer, _)| matches!(layer.0.weight, Kept::Device { .. })) {
            let one = |(layer, out): &mut (&Linear, &mut [f32])| {
                layer.apply(x, m, out, Epilogue::default())
            };
            return layers.iter_mut().try_for_each(one);
        }
        let products: Vec<_> = layers
            .iter_mut()
            .zip(&fused)
            .filter_map(|((layer, out), fused)| match &layer.0.weight {
                Kept::Cpu(weight) => Some((weight, Out::new(out, weight.n()), fused)),
                Kept::Device { .. } => None,
            })
            .collect();
        Weight::products(&products, x, m);
        Ok(())
    }

    /// `out (m, out) = activation(x (m, in) W^T + b) + residual` over slices,
    /// without allocating on the CPU.
    ///
    /// # Errors
    /// [`Error::Dim`] where a slice is not as long as its shape,
    /// [`Error::Engine`] where the engine fails, on a device alone.
    pub fn apply(
        &self,
        x: &[f32],
        m: usize,
        out: &mut [f32],
        epilogue: Epilogue<'_>,
    ) -> Result<()> {
        let (n, k) = (self.outputs(), self.inputs());
        check("layer's input", m.saturating_mul(k), x.len())?;
        check("layer's output", m.saturating_mul(n), out.len())?;
        if let Some(residual) = epilogue.residual {
            check("residual", out.len(), residual.len())?;
        }
        let Epilogue { activation, residual } = epilogue;
        match &self.0.weight {
            Kept::Cpu(weight) => {
                let bias = self.0.bias.as_deref();
                weight.product(x, m, out, &Fused { bias, activation, residual });
            }
            Kept::Device { weight, .. } => {
                let device = weight.device();
                let engine = || Error::engine("apply a layer");
                let x = Tensor::from_slice(x, (m, k), device).map_err(engine())?;
                let residual = residual.map(|r| Tensor::from_slice(r, (m, n), device));
                let residual = residual.transpose().map_err(engine())?;
                let y = self.forward_fused(&x, activation, residual.as_ref())?;
                let y = y.flatten_all().and_then(|y| y.to_vec1::<f32>()).map_err(engine())?;
                out.copy_from_slice(&y);
            }
        }
        Ok(())
    }
}

/// The layer by the engine's own operations.
pub(super) fn on_device(
    x: &Tensor,
    m: usize,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    residual: Option<&Tensor>,
) -> candle_core::Result<Tensor> {
    let x = x.reshape((m, weight.dim(D::Minus1)?))?.to_dtype(weight.dtype())?;
    let mut y = x.matmul(&weight.t()?)?.to_dtype(DType::F32)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(bias)?;
    }
    y = match activation {
        Activation::None => y,
        Activation::QuickGelu => (&y * candle_nn::ops::sigmoid(&(&y * 1.702)?)?)?,
        Activation::Gelu => y.gelu_erf()?,
        Activation::GeluTanh => y.gelu()?,
        Activation::Relu => y.relu()?,
    };
    match residual {
        Some(residual) => y.add(&residual.to_dtype(DType::F32)?.reshape(y.shape())?),
        None => Ok(y),
    }
}

/// The values of `weight` as bytes of `dtype`.
fn stored(weight: &Tensor, dtype: DType) -> candle_core::Result<Bytes> {
    let flat = weight.to_dtype(dtype)?.flatten_all()?;
    let mut bytes = vec![0; flat.elem_count() * dtype.size_in_bytes()];
    let pairs = bytes.chunks_exact_mut(2);
    match dtype {
        DType::F16 => {
            let values = flat.to_vec1::<half::f16>()?;
            pairs.zip(values).for_each(|(to, v)| to.copy_from_slice(&v.to_le_bytes()));
        }
        _ => {
            let values = flat.to_vec1::<half::bf16>()?;
            pairs.zip(values).for_each(|(to, v)| to.copy_from_slice(&v.to_le_bytes()));
        }
    }
    Ok(Arc::new(bytes))
}

fn check(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Dim { what, expected, found }) }
}

fn short(expected: usize, found: usize) -> Error {
    Error::Dim { what: "mapped weight", expected, found }
}
