//! The post-norm layer of BERT: MiniLM, the Q-Former, and the decoders of BLIP and GIT. The
//! Q-Former and BLIP add cross-attention to an image.

use super::super::backend::{Backend, Epilogue, KeysAndValues, KvView, SumAndNorm};
use super::super::{Activation, Heads, Kv, KvCache, Workspace};
use crate::Result;

/// Attention, with the product and the norm after it.
#[derive(Debug)]
pub(crate) struct Attention<B: Backend> {
    pub(crate) heads: Heads,
    pub(crate) query: B::Linear,
    pub(crate) key: B::Linear,
    pub(crate) value: B::Linear,
    pub(crate) dense: B::Linear,
    pub(crate) norm: B::Norm,
}

/// `norm(x + attention(x))`, the same with cross-attention, then `norm(x +
/// output(activation(intermediate(x))))`.
#[derive(Debug)]
pub(crate) struct PostNormLayer<B: Backend> {
    pub(crate) attention: Attention<B>,
    /// Attention to an image's states.
    pub(crate) crossattention: Option<Attention<B>>,
    pub(crate) activation: Activation,
    pub(crate) intermediate: B::Linear,
    pub(crate) output: B::Linear,
    pub(crate) norm: B::Norm,
}

impl<B: Backend> PostNormLayer<B> {
    /// Runs layer number `number` on the rows of `work`, in place. Rows attend to each other by
    /// `scope`; cross-attention is to the keys and values of `across`, by its scope.
    pub(crate) fn forward(
        &self,
        backend: &B,
        number: usize,
        work: &mut Workspace<B>,
        (scope, kv): (&B::Scope, &mut Kv<'_, B>),
        across: Option<(&KeysAndValues<B>, &B::Scope)>,
    ) -> Result<()> {
        let Workspace { rows, queries, keys, values, .. } = work;
        let Attention { query, key, value, .. } = &self.attention;
        let products = &mut [(query, queries), (key, &mut *keys), (value, &mut *values)];
        backend.apply_each(products, rows)?;
        // Moved out of `work`, because attention reads them while the rest of `work` is written.
        let (keys, values) = (std::mem::take(keys), std::mem::take(values));
        let view = kv.view(backend, number, &keys, &values)?;
        self.attention.join(backend, work, view, scope)?;
        (work.keys, work.values) = (keys, values);
        if let (Some(attention), Some(([keys, values], scope))) = (&self.crossattention, across) {
            let Workspace { rows, queries, .. } = work;
            backend.apply(&attention.query, rows, Epilogue::none(), queries)?;
            attention.join(backend, work, KvView::uncached(keys, values), scope)?;
        }
        let Workspace { rows, next, inner, normed, .. } = work;
        backend.apply(&self.intermediate, rows, Epilogue::activation(self.activation), inner)?;
        let sum = SumAndNorm { residual: rows, norm: &self.norm, keep: false };
        backend.apply_and_normalize(&self.output, inner, sum, next, normed)?;
        std::mem::swap(rows, normed);
        Ok(())
    }

    /// Appends the keys and values of the rows of `work` to `cache`, as layer number `number`,
    /// and computes nothing else.
    pub(crate) fn extend(
        &self,
        backend: &B,
        number: usize,
        work: &Workspace<B>,
        cache: &mut KvCache<B>,
    ) -> Result<()> {
        let [keys, values] = self.attention.keys_and_values(backend, &work.rows)?;
        cache.append(backend, number, &keys, &values)?;
        Ok(())
    }
}

impl<B: Backend> Attention<B> {
    /// Computes the keys and values of `states`, one row each.
    pub(crate) fn keys_and_values(
        &self,
        backend: &B,
        states: &B::Rows,
    ) -> Result<KeysAndValues<B>> {
        let [mut keys, mut values] = [B::Rows::default(), B::Rows::default()];
        let products = &mut [(&self.key, &mut keys), (&self.value, &mut values)];
        backend.apply_each(products, states)?;
        Ok([keys, values])
    }

    /// Attends with the queries of `work`, and adds the result to its rows.
    fn join(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        view: KvView<'_, B>,
        scope: &B::Scope,
    ) -> Result<()> {
        let Workspace { rows, queries, context, next, normed, .. } = work;
        backend.attend(self.heads, queries, view, scope, None, context)?;
        let sum = SumAndNorm { residual: rows, norm: &self.norm, keep: false };
        backend.apply_and_normalize(&self.dense, context, sum, next, normed)?;
        std::mem::swap(rows, normed);
        Ok(())
    }
}
