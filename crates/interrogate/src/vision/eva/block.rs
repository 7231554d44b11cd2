//! A block of EVA: attention and an MLP.
//!
//! `EvaBlock` and `EvaBlockPostNorm` of timm 1.0.31 (timm/models/eva.py).

use super::config::{EPS, EvaConfig, Layout};
use crate::Result;
use crate::nn::{Activation, Backend, Epilogue, Heads, KvView, Loader, SumAndNorm, Workspace};

/// Attention and an MLP, each added to its input.
#[derive(Debug)]
pub(super) struct EvaBlock<B: Backend> {
    query: B::Linear,
    /// Without a bias, which would not change the attention.
    key: B::Linear,
    value: B::Linear,
    attention_norm: Option<B::Norm>,
    proj: B::Linear,
    norm1: B::Norm,
    mlp: Mlp<B>,
    norm2: B::Norm,
    /// Whether the norms follow their branches; otherwise they precede them.
    post_norm: bool,
}

#[derive(Debug)]
enum Mlp<B: Backend> {
    /// `fc2(gelu(fc1(x)))`
    Plain { fc1: B::Linear, fc2: B::Linear },
    /// `fc2(norm(silu(fc1_g(x)) * fc1_x(x)))`
    Gated { fc1_g: B::Linear, fc1_x: B::Linear, norm: B::Norm, fc2: B::Linear },
}

/// What the blocks of a tower share in a call.
#[derive(Debug)]
pub(super) struct Shared<'a, B: Backend> {
    pub(super) heads: Heads,
    pub(super) rotary: Option<&'a B::Rotary>,
    /// One group an image.
    pub(super) scope: &'a B::Scope,
}

impl<B: Backend> EvaBlock<B> {
    /// Loads the block whose weights are named `at(name)`.
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &EvaConfig,
        at: impl Fn(&str) -> String,
    ) -> Result<Self> {
        let (width, inner) = (config.embed_dim, config.mlp_hidden);
        let norm = |name: &str, width| loader.layer_norm(&at(name), width, EPS);
        let linear = |name: &str, shape| loader.linear(&at(name), shape);
        let [query, key, value] = match config.layout {
            Layout::Eva | Layout::PostNorm => {
                let bias = |name: &str| loader.values(&at(name), &[width]);
                let biases = [Some(bias("attn.q_bias")?), None, Some(bias("attn.v_bias")?)];
                loader.stacked(&at("attn.qkv"), width, biases)?
            }
            Layout::Eva02 { .. } => [
                linear("attn.q_proj", [width, width])?,
                loader.linear_no_bias(&at("attn.k_proj"), [width, width])?,
                linear("attn.v_proj", [width, width])?,
            ],
        };
        let fc2 = linear("mlp.fc2", [width, inner])?;
        let mlp = match config.layout {
            Layout::Eva | Layout::PostNorm => {
                Mlp::Plain { fc1: linear("mlp.fc1", [inner, width])?, fc2 }
            }
            Layout::Eva02 { .. } => Mlp::Gated {
                fc1_g: linear("mlp.fc1_g", [inner, width])?,
                fc1_x: linear("mlp.fc1_x", [inner, width])?,
                norm: norm("mlp.norm", inner)?,
                fc2,
            },
        };
        let normalized = config.layout == Layout::Eva02 { scale_attn_inner: true };
        Ok(EvaBlock {
            query,
            key,
            value,
            attention_norm: normalized.then(|| norm("attn.norm", width)).transpose()?,
            proj: linear("attn.proj", [width, width])?,
            norm1: norm("norm1", width)?,
            mlp,
            norm2: norm("norm2", width)?,
            post_norm: config.layout == Layout::PostNorm,
        })
    }

    /// Runs the block on the rows of `work`, in place. With `only`, the numbers of rows that are
    /// not rotated, one an image, only these are computed and remain.
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        shared: &Shared<'_, B>,
        only: Option<&B::Ids>,
    ) -> Result<()> {
        let Workspace { rows, normed, queries, keys, values, context, next, inner } = work;
        if !self.post_norm {
            backend.normalize(&self.norm1, rows, normed)?;
        }
        let input: &B::Rows = if self.post_norm { rows } else { normed };
        let (query, key, value) = (&self.query, &self.key, &self.value);
        if let Some(only) = only {
            backend.apply_each(&mut [(key, &mut *keys), (value, &mut *values)], input)?;
            backend.select(input, only, next)?;
            backend.apply(query, next, Epilogue::none(), queries)?;
            backend.select(rows, only, next)?;
            std::mem::swap(rows, next);
        } else {
            let products = &mut [(query, &mut *queries), (key, &mut *keys), (value, &mut *values)];
            backend.apply_each(products, input)?;
        }
        if let Some(rotary) = shared.rotary {
            backend.rotate(rotary, keys)?;
            if only.is_none() {
                backend.rotate(rotary, queries)?;
            }
        }
        let view = KvView::uncached(keys, values);
        backend.attend(shared.heads, queries, view, shared.scope, None, context)?;
        if let Some(norm) = &self.attention_norm {
            backend.normalize(norm, context, queries)?;
            std::mem::swap(context, queries);
        }
        let buffers = [inner, keys, values];
        if self.post_norm {
            backend.apply(&self.proj, context, Epilogue::none(), next)?;
            backend.normalize(&self.norm1, next, normed)?;
            backend.add_to_groups(normed, rows)?;
            self.mlp.forward(backend, rows, buffers, Epilogue::none(), next)?;
            backend.normalize(&self.norm2, next, normed)?;
            backend.add_to_groups(normed, rows)
        } else {
            let sum = SumAndNorm { residual: rows, norm: &self.norm2, keep: true };
            backend.apply_and_normalize(&self.proj, context, sum, next, normed)?;
            self.mlp.forward(backend, normed, buffers, Epilogue::plus(next), rows)
        }
    }
}

impl<B: Backend> Mlp<B> {
    /// Runs the MLP on `x`, with `epilogue` after its last product.
    fn forward(
        &self,
        backend: &B,
        x: &B::Rows,
        [inner, other, normed]: [&mut B::Rows; 3],
        epilogue: Epilogue<'_, B>,
        out: &mut B::Rows,
    ) -> Result<()> {
        match self {
            Mlp::Plain { fc1, fc2 } => {
                backend.apply(fc1, x, Epilogue::activation(Activation::Gelu), inner)?;
                backend.apply(fc2, inner, epilogue, out)
            }
            Mlp::Gated { fc1_g, fc1_x, norm, fc2 } => {
                backend.apply(fc1_g, x, Epilogue::activation(Activation::Silu), inner)?;
                backend.apply(fc1_x, x, Epilogue::none(), other)?;
                backend.multiply(other, inner)?;
                backend.normalize(norm, inner, normed)?;
                backend.apply(fc2, normed, epilogue, out)
            }
        }
    }
}
