//! The pre-norm layer: CLIP's towers, the image tower of BLIP and BLIP-2, and OPT.

use super::super::backend::{Backend, Epilogue, RowLists, Scope, SumAndNorm};
use super::super::{Activation, Heads, Kv, KvCache, Workspace};
use crate::Result;

/// `x + attention(norm1(x))`, then `x + fc2(activation(fc1(norm2(x))))`.
#[derive(Debug)]
pub(crate) struct PreNormLayer<B: Backend> {
    pub(crate) norm1: B::Norm,
    pub(crate) query: B::Linear,
    pub(crate) key: B::Linear,
    pub(crate) value: B::Linear,
    pub(crate) out: B::Linear,
    pub(crate) norm2: B::Norm,
    pub(crate) fc1: B::Linear,
    pub(crate) fc2: B::Linear,
}

/// The layers of a model, and their common parameters.
#[derive(Debug)]
pub(crate) struct PreNormLayers<B: Backend> {
    pub(crate) layers: Vec<PreNormLayer<B>>,
    pub(crate) heads: Heads,
    pub(crate) activation: Activation,
    /// The rotary position embedding of queries and keys.
    pub(crate) rotary: Option<B::Rotary>,
}

/// The sizes of pre-norm layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreNormSizes {
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) eps: f64,
    pub(crate) activation: Activation,
}

impl PreNormSizes {
    /// The bytes of a token's rows in f32 while a layer is computed: those of a workspace, and the
    /// inner rows before and after the activation.
    pub(crate) fn token_bytes(&self) -> usize {
        size_of::<f32>().saturating_mul(self.width * 7 + self.inner * 2)
    }
}

/// The rows that a model's output is read from. The last layer computes only these after its
/// keys and values.
#[derive(Debug)]
pub(crate) struct Readout<B: Backend> {
    ids: B::Ids,
    /// The scope of these rows alone.
    scope: B::Scope,
}

impl<B: Backend> Readout<B> {
    /// Reads rows `ids`, one from each of `groups` groups.
    pub(crate) fn groups(backend: &B, groups: usize, ids: &[u32]) -> Result<Self> {
        Ok(Readout { ids: backend.ids(ids)?, scope: backend.scope(Scope::Groups(groups))? })
    }

    /// Reads rows `ids`, which attend by `lists`.
    pub(crate) fn lists(backend: &B, lists: &RowLists, ids: &[u32]) -> Result<Self> {
        let lists = lists.select(ids);
        Ok(Readout { ids: backend.ids(ids)?, scope: backend.scope(Scope::Lists(lists))? })
    }
}

impl<B: Backend> PreNormLayers<B> {
    /// Loads layers of `sizes` by `layer(number)`.
    pub(crate) fn new(
        sizes: &PreNormSizes,
        layer: impl Fn(usize) -> Result<PreNormLayer<B>>,
    ) -> Result<Self> {
        Ok(PreNormLayers {
            layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
            heads: Heads::scaled(sizes.heads, sizes.width),
            activation: sizes.activation,
            rotary: None,
        })
    }

    /// Runs all layers on the rows of `work`, in place. Returns the rows of `readout` in them,
    /// or all.
    pub(crate) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        scope: &B::Scope,
        kv: &mut Kv<'_, B>,
        readout: Option<&Readout<B>>,
    ) -> Result<()> {
        self.normalize_first(backend, work)?;
        for number in 0..self.layers.len() {
            let last = number + 1 == self.layers.len();
            self.layer(backend, number, work, scope, kv, readout.filter(|_| last))?;
        }
        Ok(())
    }

    /// Appends the keys and values of the rows of `work` to `cache`. No output is read, so the
    /// last layer stops at its keys and values.
    pub(crate) fn extend(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        scope: &B::Scope,
        cache: &mut KvCache<B>,
    ) -> Result<()> {
        let Some((last, before)) = self.layers.split_last() else { return Ok(()) };
        self.normalize_first(backend, work)?;
        for number in 0..before.len() {
            self.layer(backend, number, work, scope, &mut Kv::Append(cache), None)?;
        }
        let Workspace { normed, keys, values, .. } = work;
        backend.apply_each(&mut [(&last.key, keys), (&last.value, values)], normed)?;
        cache.append(backend, before.len(), keys, values)?;
        Ok(())
    }

    /// Normalizes the rows of `work` for the first layer. Each other layer finds them normalized
    /// by the layer before it.
    fn normalize_first(&self, backend: &B, work: &mut Workspace<B>) -> Result<()> {
        let Some(first) = self.layers.first() else { return Ok(()) };
        backend.normalize(&first.norm1, &work.rows, &mut work.normed)
    }

    fn layer(
        &self,
        backend: &B,
        number: usize,
        work: &mut Workspace<B>,
        scope: &B::Scope,
        kv: &mut Kv<'_, B>,
        readout: Option<&Readout<B>>,
    ) -> Result<()> {
        let PreNormLayer { query, key, value, out, norm2, fc1, fc2, .. } = &self.layers[number];
        let Workspace { rows, normed, queries, keys, values, context, next, inner } = work;
        let scope = match readout {
            None => {
                let products =
                    &mut [(key, &mut *keys), (value, &mut *values), (query, &mut *queries)];
                backend.apply_each(products, normed)?;
                scope
            }
            Some(readout) => {
                backend.apply_each(&mut [(key, &mut *keys), (value, &mut *values)], normed)?;
                backend.select(normed, &readout.ids, next)?;
                backend.apply(query, next, Epilogue::none(), queries)?;
                backend.select(rows, &readout.ids, next)?;
                std::mem::swap(rows, next);
                &readout.scope
            }
        };
        if let Some(rotary) = &self.rotary {
            backend.rotate(rotary, keys)?;
            // The rows of a readout are class tokens, which are not rotated.
            if readout.is_none() {
                backend.rotate(rotary, queries)?;
            }
        }
        let view = kv.view(backend, number, keys, values)?;
        backend.attend(self.heads, queries, view, scope, None, context)?;
        let sum = SumAndNorm { residual: rows, norm: norm2, keep: true };
        backend.apply_and_normalize(out, context, sum, next, normed)?;
        backend.apply(fc1, normed, Epilogue::activation(self.activation), inner)?;
        match self.layers.get(number + 1) {
            None => backend.apply(fc2, inner, Epilogue::plus(next), rows),
            Some(PreNormLayer { norm1, .. }) => {
                let sum = SumAndNorm { residual: next, norm: norm1, keep: true };
                backend.apply_and_normalize(fc2, inner, sum, rows, normed)
            }
        }
    }
}
