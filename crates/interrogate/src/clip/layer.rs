//! The transformer layer that both towers are made of.
//!
//! Follows `CLIPEncoderLayer` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py), with rows lying flat
//! (tokens of all sequences, width): nothing here but attention knows which rows
//! belong together.

use candle_core::Tensor;
use candle_nn::{LayerNorm, Module};

use super::activation::Activation;
use super::attention::{Scope, attend};
use super::linear::Linear;
use crate::weights::Weights;
use crate::{Error, Result};

/// The sizes of a tower that its layers need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) width: usize,
    pub(super) inner: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) eps: f64,
    pub(super) activation: Activation,
}

#[derive(Debug)]
struct Attention {
    heads: usize,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
}

impl Attention {
    fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let shape = [sizes.width, sizes.width];
        let proj = |name| linear(weights, &format!("{prefix}.{name}"), shape, true);
        Ok(Attention {
            heads: sizes.heads,
            q_proj: proj("q_proj")?,
            k_proj: proj("k_proj")?,
            v_proj: proj("v_proj")?,
            out_proj: proj("out_proj")?,
        })
    }

    /// The attention of `queries` over `xs`, plus `residual`.
    fn forward(
        &self,
        queries: &Tensor,
        xs: &Tensor,
        scope: Scope<'_>,
        residual: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let queries = self.q_proj.forward(queries)?;
        let keys = self.k_proj.forward(xs)?;
        let values = self.v_proj.forward(xs)?;
        let sums = attend(self.heads, &queries, &keys, &values, scope)?;
        self.out_proj.forward_add(&sums, residual)
    }
}

#[derive(Debug)]
struct Mlp {
    fc1: Linear,
    activation: Activation,
    fc2: Linear,
}

impl Mlp {
    fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        Ok(Mlp {
            fc1: linear(weights, &format!("{prefix}.fc1"), [sizes.inner, sizes.width], true)?,
            activation: sizes.activation,
            fc2: linear(weights, &format!("{prefix}.fc2"), [sizes.width, sizes.inner], true)?,
        })
    }

    fn forward(&self, xs: &Tensor, residual: &Tensor) -> candle_core::Result<Tensor> {
        let inner = self.fc1.forward_with(xs, Some(self.activation))?;
        self.fc2.forward_add(&inner, residual)
    }
}

#[derive(Debug)]
struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

impl EncoderLayer {
    fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let norm = |name| norm(weights, &format!("{prefix}.{name}"), sizes.width, sizes.eps);
        Ok(EncoderLayer {
            layer_norm1: norm("layer_norm1")?,
            self_attn: Attention::new(weights, &format!("{prefix}.self_attn"), sizes)?,
            layer_norm2: norm("layer_norm2")?,
            mlp: Mlp::new(weights, &format!("{prefix}.mlp"), sizes)?,
        })
    }

    /// Rows `xs` to rows of the same shape or, where `only` names some of them
    /// by number, to those.
    fn forward(
        &self,
        xs: &Tensor,
        scope: Scope<'_>,
        only: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let normed = self.layer_norm1.forward(xs)?;
        let (queries, residual) = match only {
            None => (normed.clone(), xs.clone()),
            Some(rows) => (normed.index_select(rows, 0)?, xs.index_select(rows, 0)?),
        };
        let xs = self.self_attn.forward(&queries, &normed, scope, &residual)?;
        self.mlp.forward(&self.layer_norm2.forward(&xs)?, &xs)
    }
}

/// All layers of a tower.
#[derive(Debug)]
pub(super) struct Encoder {
    layers: Vec<EncoderLayer>,
}

/// The rows that a tower's result is read from, and what each of them attends
/// to: in the last layer no other row goes on past the keys and values.
pub(super) struct Readout<'a> {
    pub(super) rows: &'a Tensor,
    pub(super) scope: Scope<'a>,
}

impl Encoder {
    /// Takes `{prefix}.layers.0` and on.
    pub(super) fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let layer = |n| EncoderLayer::new(weights, &format!("{prefix}.layers.{n}"), sizes);
        Ok(Encoder { layers: (0..sizes.layers).map(layer).collect::<Result<_>>()? })
    }

    /// Rows (n, width) to the rows that `readout` names (rows, width).
    pub(super) fn forward(
        &self,
        xs: Tensor,
        scope: Scope<'_>,
        readout: &Readout<'_>,
    ) -> candle_core::Result<Tensor> {
        let Some((last, layers)) = self.layers.split_last() else {
            return xs.index_select(readout.rows, 0);
        };
        let mut xs = xs;
        for layer in layers {
            xs = layer.forward(&xs, scope, None)?;
        }
        last.forward(&xs, readout.scope, Some(readout.rows))
    }
}

/// The product with `{prefix}.weight` (out, in), and `{prefix}.bias` where it
/// has one.
pub(super) fn linear(
    weights: &Weights,
    prefix: &str,
    [out, inner]: [usize; 2],
    biased: bool,
) -> Result<Linear> {
    let weight = weights.take(&format!("{prefix}.weight"), &[out, inner])?;
    let bias = biased.then(|| weights.take(&format!("{prefix}.bias"), &[out])).transpose()?;
    Linear::new(&weight, bias).map_err(Error::engine("lay out a weight"))
}

/// The layer norm of `{prefix}.weight` and `{prefix}.bias`.
pub(super) fn norm(weights: &Weights, prefix: &str, width: usize, eps: f64) -> Result<LayerNorm> {
    let weight = weights.take(&format!("{prefix}.weight"), &[width])?;
    let bias = weights.take(&format!("{prefix}.bias"), &[width])?;
    Ok(LayerNorm::new(weight, bias, eps))
}
