//! Attention of a learned query to the rows of an image, and an MLP: SigLIP's head.
//!
//! `SiglipMultiheadAttentionPoolingHead` of transformers 5.23
//! (src/transformers/models/siglip/modeling_siglip.py).

use crate::Result;
use crate::nn::{
    Activation, Backend, Epilogue, Heads, KvView, Loader, PreNormSizes, Scope, Workspace,
};
use crate::weights::Shapes;

const PREFIX: &str = "vision_model.head";

/// The head: `x = attention(probe, rows)`, then `x + fc2(activation(fc1(norm(x))))`.
#[derive(Debug)]
pub(super) struct AttentionPool<B: Backend> {
    heads: Heads,
    activation: Activation,
    /// The learned query (1, width).
    probe: B::Rows,
    query: B::Linear,
    key: B::Linear,
    value: B::Linear,
    out: B::Linear,
    norm: B::Norm,
    fc1: B::Linear,
    fc2: B::Linear,
}

/// Adds the weights of a head of `width` with an MLP of `inner`.
pub(super) fn shapes(shapes: &mut Shapes, [width, inner]: [usize; 2]) {
    let at = |name: &str| format!("{PREFIX}.{name}");
    shapes.add(at("probe"), &[1, 1, width]);
    for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        shapes.layer(&at(&format!("attention.{name}")), &[width, width], true);
    }
    shapes.layer(&at("layernorm"), &[width], true);
    shapes.layer(&at("mlp.fc1"), &[inner, width], true);
    shapes.layer(&at("mlp.fc2"), &[width, inner], true);
}

impl<B: Backend> AttentionPool<B> {
    pub(super) fn load(loader: &Loader<'_, B>, sizes: &PreNormSizes) -> Result<Self> {
        let (width, inner) = (sizes.width, sizes.inner);
        let at = |name: &str| format!("{PREFIX}.{name}");
        let projection =
            |name: &str| loader.linear(&at(&format!("attention.{name}")), [width, width]);
        Ok(AttentionPool {
            heads: Heads::scaled(sizes.heads, width),
            activation: sizes.activation,
            probe: loader.rows(&at("probe"), &[1, 1, width])?,
            query: projection("q_proj")?,
            key: projection("k_proj")?,
            value: projection("v_proj")?,
            out: projection("out_proj")?,
            norm: loader.layer_norm(&at("layernorm"), width, sizes.eps)?,
            fc1: loader.linear(&at("mlp.fc1"), [inner, width])?,
            fc2: loader.linear(&at("mlp.fc2"), [width, inner])?,
        })
    }

    /// Pools the normalized rows of `work` (images * positions, width), and leaves (images,
    /// width) in their place.
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        images: usize,
    ) -> Result<()> {
        let Workspace { rows, normed, queries, keys, values, context, next, inner } = work;
        backend.apply_each(&mut [(&self.key, &mut *keys), (&self.value, &mut *values)], normed)?;
        backend.repeat(&self.probe, images, next)?;
        backend.apply(&self.query, next, Epilogue::none(), queries)?;
        let scope = backend.scope(Scope::Groups(images))?;
        let kv = KvView::uncached(keys, values);
        backend.attend(self.heads, queries, kv, &scope, None, context)?;
        backend.apply(&self.out, context, Epilogue::none(), rows)?;
        backend.normalize(&self.norm, rows, normed)?;
        backend.apply(&self.fc1, normed, Epilogue::activation(self.activation), inner)?;
        backend.apply(&self.fc2, inner, Epilogue::plus(rows), next)?;
        std::mem::swap(normed, next);
        Ok(())
    }
}
