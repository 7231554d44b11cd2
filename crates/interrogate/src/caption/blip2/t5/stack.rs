//! T5's encoder or decoder: its blocks and their forward pass.

use super::super::config::T5Config;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::Heads;
use crate::nn::{
    Activation, Backend, Epilogue, KeysAndValues, Kv, KvView, Loader, RelativeBias, SumAndNorm,
    Workspace,
};

/// The encoder or the decoder.
#[derive(Debug)]
pub(super) struct Stack<B: Backend> {
    /// The attention bias, (buckets, heads).
    pub(super) bias: Vec<f32>,
    pub(super) blocks: Vec<Block<B>>,
    pub(super) norm: B::Norm,
    heads: Heads,
    activation: Activation,
}

/// Pre-norm attention and a feed-forward layer.
#[derive(Debug)]
pub(super) struct Block<B: Backend> {
    attention: Attention<B>,
    /// The decoder's attention to the encoder's states.
    pub(super) cross_attention: Option<Attention<B>>,
    wi: B::Linear,
    gate: Option<B::Linear>,
    wo: B::Linear,
    norm: B::Norm,
}

/// The projections of an attention layer, and the norm before it.
#[derive(Debug)]
pub(super) struct Attention<B: Backend> {
    q: B::Linear,
    k: B::Linear,
    v: B::Linear,
    o: B::Linear,
    norm: B::Norm,
}

impl<B: Backend> Stack<B> {
    /// Loads the weights of `half`, "encoder" or "decoder", with `blocks` blocks.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &T5Config,
        half: &str,
        blocks: usize,
    ) -> Result<Self> {
        let (width, eps) = (config.d_model, config.layer_norm_epsilon);
        let inner = config.num_heads * config.d_kv;
        loader.backend.warm_up(width, config.d_kv);
        let (gated, activation) = config.feed_forward();
        let at = |name: &str| format!("language_model.{half}.{name}");
        let buckets = [config.relative_attention_num_buckets, config.num_heads];
        let bias = at("block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let bias = if blocks > 0 { loader.values(&bias, &buckets)? } else { Vec::new() };
        let block = |number: usize| {
            let at = |layer: usize, name: &str| at(&format!("block.{number}.layer.{layer}.{name}"));
            let attention = |layer: usize, name: &str| -> Result<Attention<B>> {
                let linear = |part: &str, shape| {
                    loader.linear_no_bias(&at(layer, &format!("{name}.{part}")), shape)
                };
                Ok(Attention {
                    q: linear("q", [inner, width])?,
                    k: linear("k", [inner, width])?,
                    v: linear("v", [inner, width])?,
                    o: linear("o", [width, inner])?,
                    norm: loader.rms_norm(&at(layer, "layer_norm"), width, eps)?,
                })
            };
            let cross_attention = (half == "decoder").then(|| attention(1, "EncDecAttention"));
            let cross_attention = cross_attention.transpose()?;
            let last = 1 + usize::from(cross_attention.is_some());
            let dense = |name: &str, shape| {
                loader.linear_no_bias(&at(last, &format!("DenseReluDense.{name}")), shape)
            };
            let gate = gated.then(|| dense("wi_1", [config.d_ff, width]));
            Ok(Block {
                attention: attention(0, "SelfAttention")?,
                cross_attention,
                wi: dense(if gated { "wi_0" } else { "wi" }, [config.d_ff, width])?,
                gate: gate.transpose()?,
                wo: dense("wo", [width, config.d_ff])?,
                norm: loader.rms_norm(&at(last, "layer_norm"), width, eps)?,
            })
        };
        Ok(Stack {
            bias,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            norm: loader.rms_norm(&at("final_layer_norm"), width, eps)?,
            // T5 does not scale scores; its weights are initialized for that.
            heads: Heads { count: config.num_heads, scale: 1.0 },
            activation,
        })
    }

    /// Runs the rows of `work` through all blocks and the last norm, in place. `scope` selects
    /// the rows that each row attends to; `cross` are the keys and values of each decoder block
    /// and their scope.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        (scope, mut kv, bias): (&B::Scope, Kv<'_, B>, &RelativeBias),
        cross: Option<(&[KeysAndValues<B>], &B::Scope)>,
    ) -> Result<()> {
        for (number, block) in self.blocks.iter().enumerate() {
            let Workspace { rows, normed, queries, keys, values, context, next, inner } = work;
            let Attention { q, k, v, o, norm } = &block.attention;
            backend.normalize(norm, rows, normed)?;
            let products = &mut [(q, &mut *queries), (k, &mut *keys), (v, &mut *values)];
            backend.apply_each(products, normed)?;
            let seen = kv.view(backend, number, keys, values)?;
            backend.attend(self.heads, queries, seen, scope, Some(bias), context)?;
            let cross_norm = block.cross_attention.as_ref().filter(|_| cross.is_some());
            let after = cross_norm.map_or(&block.norm, |attention| &attention.norm);
            let sum = SumAndNorm { residual: rows, norm: after, keep: true };
            backend.apply_and_normalize(o, context, sum, next, normed)?;
            std::mem::swap(rows, next);
            if let (Some(attention), Some((cross, scope))) = (&block.cross_attention, cross) {
                let [keys, values] = &cross[number];
                backend.apply(&attention.q, normed, Epilogue::none(), queries)?;
                let seen = KvView::uncached(keys, values);
                backend.attend(self.heads, queries, seen, scope, None, context)?;
                let sum = SumAndNorm { residual: rows, norm: &block.norm, keep: true };
                backend.apply_and_normalize(&attention.o, context, sum, next, normed)?;
                std::mem::swap(rows, next);
            }
            backend.apply(&block.wi, normed, Epilogue::activation(self.activation), inner)?;
            if let Some(gate) = &block.gate {
                backend.apply(gate, normed, Epilogue::none(), next)?;
                backend.multiply(next, inner)?;
            }
            backend.apply(&block.wo, inner, Epilogue::plus(rows), next)?;
            std::mem::swap(rows, next);
        }
        backend.normalize(&self.norm, &work.rows, &mut work.next)?;
        std::mem::swap(&mut work.rows, &mut work.next);
        Ok(())
    }
}

impl<B: Backend> Attention<B> {
    /// Computes the keys and values of `states`.
    pub(super) fn keys_and_values(
        &self,
        backend: &B,
        states: &B::Rows,
    ) -> Result<KeysAndValues<B>> {
        let [mut keys, mut values] = [B::Rows::default(), B::Rows::default()];
        backend.apply_each(&mut [(&self.k, &mut keys), (&self.v, &mut values)], states)?;
        Ok([keys, values])
    }
}
