//! The transformer layers of a tower on a device.

use candle_core::{Device, Result, Tensor};

use super::super::layer::Sizes;
use super::past::Past;
use crate::Result as Checked;
use crate::nn::Activation;
use crate::nn::attention::Heads;
use crate::nn::engine::{Chains, Dense, Norm, dense, groups, norm};
use crate::weights::Weights;

/// Which rows each row attends to.
pub(in crate::clip) enum Scope<'a> {
    /// Rows are the nodes of a trie that hangs from the past, numbered behind it.
    Trie(&'a Chains, Option<&'a Past>),
    /// Rows are so many images of equal length.
    Images(usize),
}

/// The layers of a tower.
#[derive(Debug)]
pub(in crate::clip) struct Layers(Vec<Layer>);

#[derive(Debug)]
struct Layer {
    heads: Heads,
    activation: Activation,
    layer_norm1: Norm,
    q_proj: Dense,
    k_proj: Dense,
    v_proj: Dense,
    out_proj: Dense,
    layer_norm2: Norm,
    fc1: Dense,
    fc2: Dense,
}

/// The keys and values of one layer, each (past and rows, width).
type Seen = [Tensor; 2];

impl Layers {
    /// Takes `{prefix}.layers.0` and on, to `device`.
    pub(in crate::clip) fn new(
        weights: &Weights,
        prefix: &str,
        sizes: &Sizes,
        device: &Device,
    ) -> Checked<Self> {
        let layer = |n| Layer::new(weights, &format!("{prefix}.layers.{n}"), sizes, device);
        (0..sizes.layers).map(layer).collect::<Checked<_>>().map(Layers)
    }

    /// Takes `rows` (n, width) through all layers, to those that `readout` (read) in
    /// u32 numbers: in the last layer no other row goes on past keys and values.
    pub(in crate::clip) fn forward(
        &self,
        rows: Tensor,
        scope: &Scope<'_>,
        readout: &Tensor,
    ) -> Result<Tensor> {
        let mut rows = rows;
        for (number, layer) in self.0.iter().enumerate() {
            let last = number + 1 == self.0.len();
            rows = layer.forward(number, &rows, scope, last.then_some(readout))?.0;
        }
        Ok(rows)
    }

    /// The keys and values of a path's rows behind those of the past, for each layer.
    pub(in crate::clip) fn seen(&self, rows: Tensor, scope: &Scope<'_>) -> Result<Vec<Seen>> {
        let mut rows = rows;
        let mut all = Vec::with_capacity(self.0.len());
        for (number, layer) in self.0.iter().enumerate() {
            if number + 1 == self.0.len() {
                let normed = layer.layer_norm1.forward(&rows)?;
                all.push(layer.keys_and_values(number, &normed, scope)?);
            } else {
                let (next, seen) = layer.forward(number, &rows, scope, None)?;
                rows = next;
                all.push(seen);
            }
        }
        Ok(all)
    }
}

impl Layer {
    fn new(weights: &Weights, prefix: &str, sizes: &Sizes, device: &Device) -> Checked<Self> {
        let (width, inner) = (sizes.width, sizes.inner);
        let attn = |name: &str| {
            let prefix = format!("{prefix}.self_attn.{name}");
            dense(weights, &prefix, &[width, width], sizes.precision, device)
        };
        let mlp = |name: &str, shape: [usize; 2]| {
            let prefix = format!("{prefix}.mlp.{name}");
            dense(weights, &prefix, &shape, sizes.precision, device)
        };
        let norm =
            |name: &str| norm(weights, &format!("{prefix}.{name}"), width, sizes.eps, device);
        Ok(Layer {
            heads: Heads::scaled(sizes.heads, width),
            activation: sizes.activation,
            layer_norm1: norm("layer_norm1")?,
            q_proj: attn("q_proj")?,
            k_proj: attn("k_proj")?,
            v_proj: attn("v_proj")?,
            out_proj: attn("out_proj")?,
            layer_norm2: norm("layer_norm2")?,
            fc1: mlp("fc1", [inner, width])?,
            fc2: mlp("fc2", [width, inner])?,
        })
    }

    fn keys_and_values(&self, layer: usize, normed: &Tensor, scope: &Scope<'_>) -> Result<Seen> {
        let own = [self.k_proj.forward(normed)?, self.v_proj.forward(normed)?];
        let past = match scope {
            Scope::Trie(_, Some(past)) => past.layer(layer),
            _ => None,
        };
        let [keys, values] = own;
        match past {
            Some([k, v]) => Ok([Tensor::cat(&[k, &keys], 0)?, Tensor::cat(&[v, &values], 0)?]),
            None => Ok([keys, values]),
        }
    }

    fn forward(
        &self,
        layer: usize,
        rows: &Tensor,
        scope: &Scope<'_>,
        only: Option<&Tensor>,
    ) -> Result<(Tensor, Seen)> {
        let normed = self.layer_norm1.forward(rows)?;
        let seen = self.keys_and_values(layer, &normed, scope)?;
        let chosen = |all: &Tensor| only.map_or(Ok(all.clone()), |only| all.index_select(only, 0));
        let (normed, rows) = (chosen(&normed)?, chosen(rows)?);
        let queries = self.q_proj.forward(&normed)?;
        let [keys, values] = &seen;
        let sums = match scope {
            Scope::Trie(chains, _) => match only {
                Some(only) => chains.select(only)?.attend(self.heads, &queries, keys, values)?,
                None => chains.attend(self.heads, &queries, keys, values)?,
            },
            Scope::Images(count) => groups(self.heads, *count, [&queries, keys, values], None)?,
        };
        let next = self.out_proj.forward_with(&sums, Activation::None, Some(&rows))?;
        let normed = self.layer_norm2.forward(&next)?;
        let inner = self.fc1.forward_with(&normed, self.activation, None)?;
        Ok((self.fc2.forward_with(&inner, Activation::None, Some(&next))?, seen))
    }
}
