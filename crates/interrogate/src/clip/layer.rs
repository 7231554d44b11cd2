//! The transformer layer that both towers are made of.
//!
//! Follows `CLIPEncoderLayer` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py), with rows lying flat
//! (nodes or patches, width): nothing here but attention knows which rows belong
//! together, and that is `scope`'s to say.

use candle_core::Tensor;

use super::activation;
use super::config::{Config, VisionConfig};
use super::room::Room;
use super::scope::Scope;
use crate::nn::attention::{Heads, Seen};
use crate::nn::{Activation, Compute, Epilogue, LayerNorm, Linear, Precision};
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
    pub(super) precision: Precision,
}

impl Sizes {
    pub(super) fn of_text(weights: &Weights, config: &Config, compute: &Compute) -> Result<Self> {
        let text = &config.text;
        Ok(Sizes {
            width: text.hidden_size,
            inner: text.intermediate_size,
            layers: text.num_hidden_layers,
            heads: text.num_attention_heads,
            eps: text.layer_norm_eps,
            activation: activation(&text.hidden_act, weights.path())?,
            precision: compute.precision,
        })
    }

    pub(super) fn of_vision(
        weights: &Weights,
        config: &VisionConfig,
        compute: &Compute,
    ) -> Result<Self> {
        Ok(Sizes {
            width: config.hidden_size,
            inner: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: activation(&config.hidden_act, weights.path())?,
            precision: compute.precision,
        })
    }
}

#[derive(Debug)]
struct Attention {
    heads: Heads,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
}

impl Attention {
    fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let shape = [sizes.width, sizes.width];
        let proj = |name| linear(weights, &format!("{prefix}.{name}"), shape, sizes.precision);
        Ok(Attention {
            heads: Heads::scaled(sizes.heads, sizes.width),
            q_proj: proj("q_proj")?,
            k_proj: proj("k_proj")?,
            v_proj: proj("v_proj")?,
            out_proj: proj("out_proj")?,
        })
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
        let proj =
            |name, shape| linear(weights, &format!("{prefix}.{name}"), shape, sizes.precision);
        Ok(Mlp {
            fc1: proj("fc1", [sizes.inner, sizes.width])?,
            activation: sizes.activation,
            fc2: proj("fc2", [sizes.width, sizes.inner])?,
        })
    }
}

/// One layer.
#[derive(Debug)]
pub(super) struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

impl EncoderLayer {
    pub(super) fn new(weights: &Weights, prefix: &str, sizes: &Sizes) -> Result<Self> {
        let norm = |name| norm(weights, &format!("{prefix}.{name}"), sizes.width, sizes.eps);
        Ok(EncoderLayer {
            layer_norm1: norm("layer_norm1")?,
            self_attn: Attention::new(weights, &format!("{prefix}.self_attn"), sizes)?,
            layer_norm2: norm("layer_norm2")?,
            mlp: Mlp::new(weights, &format!("{prefix}.mlp"), sizes)?,
        })
    }

    /// Takes the rows of `room`, in place, through layer number `layer`; where
    /// `only` names some of them by number, those alone come out of it.
    ///
    /// Keys and values of all rows are in `room` afterwards, behind those that
    /// `scope` brought.
    pub(super) fn forward(
        &self,
        layer: usize,
        room: &mut Room,
        scope: &Scope<'_>,
        only: Option<&[u32]>,
    ) -> Result<()> {
        let Attention { heads, q_proj, k_proj, v_proj, out_proj } = &self.self_attn;
        let Room { width, rows, normed, queries, keys, values, sums, next, inner } = room;
        let n = rows.len() / *width;
        self.layer_norm1.apply(rows, size(normed, rows.len()))?;
        let past = scope.past(layer);
        let own_keys = behind(keys, past.keys, n * *width);
        let own_values = behind(values, past.values, n * *width);
        let m = match only {
            None => {
                let queries = &mut size(queries, n * *width)[..];
                let mut each = [(k_proj, own_keys), (v_proj, own_values), (q_proj, queries)];
                Linear::apply_each(&mut each, normed, n)?;
                n
            }
            Some(only) => {
                Linear::apply_each(&mut [(k_proj, own_keys), (v_proj, own_values)], normed, n)?;
                select(normed, only, *width, next);
                select(rows, only, *width, next);
                let m = only.len();
                q_proj.apply(normed, m, size(queries, m * *width), Epilogue::default())?;
                m
            }
        };
        let seen = Seen { keys, values };
        scope.attend(*heads, *width, only, queries, seen, size(sums, m * *width));
        out_proj.apply(sums, m, size(next, m * *width), plus(rows))?;
        let Mlp { fc1, activation, fc2 } = &self.mlp;
        self.layer_norm2.apply(next, normed)?;
        let activated = Epilogue { activation: *activation, residual: None };
        fc1.apply(normed, m, size(inner, m * fc1.outputs()), activated)?;
        fc2.apply(inner, m, rows, plus(next))
    }
}

/// A product's output plus `residual`.
fn plus(residual: &[f32]) -> Epilogue<'_> {
    Epilogue { residual: Some(residual), ..Epilogue::default() }
}

/// Makes `values` as long as it must be, whatever they are.
fn size(values: &mut Vec<f32>, len: usize) -> &mut Vec<f32> {
    values.resize(len, 0.0);
    values
}

/// Makes `all` what was before, and behind it `len` values, whatever they are: these.
fn behind<'a>(all: &'a mut Vec<f32>, before: &[f32], len: usize) -> &'a mut [f32] {
    let (past, own) = size(all, before.len() + len).split_at_mut(before.len());
    past.copy_from_slice(before);
    own
}

/// Leaves of `values`, rows of `width`, those numbered `only`, in that order.
fn select(values: &mut Vec<f32>, only: &[u32], width: usize, spare: &mut Vec<f32>) {
    spare.clear();
    only.iter().for_each(|&row| spare.extend_from_slice(&values[row as usize * width..][..width]));
    std::mem::swap(values, spare);
}

/// The product with `{prefix}.weight` (out, in) and `{prefix}.bias`.
pub(super) fn linear(
    weights: &Weights,
    prefix: &str,
    [out, inner]: [usize; 2],
    precision: Precision,
) -> Result<Linear> {
    let bias = weights.take(&format!("{prefix}.bias"), &[out])?;
    linear_of(weights, prefix, [out, inner], Some(&bias), precision)
}

/// The product with `{prefix}.weight` (out, in) and `bias`.
pub(super) fn linear_of(
    weights: &Weights,
    prefix: &str,
    [out, inner]: [usize; 2],
    bias: Option<&Tensor>,
    precision: Precision,
) -> Result<Linear> {
    Linear::new(&weights.take(&format!("{prefix}.weight"), &[out, inner])?, bias, precision)
}

/// The layer norm of `{prefix}.weight` and `{prefix}.bias`.
pub(super) fn norm(weights: &Weights, prefix: &str, width: usize, eps: f64) -> Result<LayerNorm> {
    let weight = weights.take(&format!("{prefix}.weight"), &[width])?;
    let bias = weights.take(&format!("{prefix}.bias"), &[width])?;
    LayerNorm::new(&weight, &bias, eps)
}

/// The values of the weight `name` of exactly `shape`.
pub(super) fn values(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let flat = weights.take(name, shape)?.flatten_all().and_then(|flat| flat.to_vec1());
    flat.map_err(Error::engine("read a weight"))
}
