//! A half of T5: its blocks, their weights by the checkpoint's names, and the
//! parts of a block that both halves run alike.

use super::super::config::T5 as Config;
use crate::Result;
use crate::caption::checkpoint::Checkpoint;
use crate::caption::linear::Linear;
use crate::caption::norm::RmsNorm;
use crate::caption::states::States;

/// One of the two halves.
#[derive(Debug)]
pub(super) struct Stack {
    /// (buckets, heads).
    pub(super) bias: Vec<f32>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: RmsNorm,
}

/// Attention and a feed-forward layer, each behind its norm.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) attention: Attention,
    /// To the encoder's states, in the decoder.
    pub(super) across: Option<Attention>,
    pub(super) wi: Linear,
    pub(super) gate: Option<Linear>,
    pub(super) wo: Linear,
    pub(super) norm: RmsNorm,
}

/// One attention's products, and the norm before it.
#[derive(Debug)]
pub(super) struct Attention {
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    pub(super) o: Linear,
    pub(super) norm: RmsNorm,
}

impl Stack {
    /// Takes the weights of `half`, encoder or decoder, of so many `blocks`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(
        weights: &Checkpoint,
        config: &Config,
        half: &str,
        blocks: usize,
    ) -> Result<Self> {
        let (dim, eps) = (config.d_model, config.layer_norm_epsilon);
        let inner = config.num_heads * config.d_kv;
        let at = |name: &str| format!("language_model.{half}.{name}");
        let table = [config.relative_attention_num_buckets, config.num_heads];
        let bias = at("block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let bias = match blocks {
            0 => Vec::new(),
            _ => weights.values(&bias, &table)?,
        };
        let blocks = (0..blocks)
            .map(|number| {
                let at =
                    |layer: usize, name: &str| at(&format!("block.{number}.layer.{layer}.{name}"));
                let attention = |layer: usize, name: &str| -> Result<Attention> {
                    let square = |part: &str, outputs, inputs| {
                        weights.linear(
                            &at(layer, &format!("{name}.{part}")),
                            outputs,
                            inputs,
                            false,
                        )
                    };
                    Ok(Attention {
                        q: square("q", inner, dim)?,
                        k: square("k", inner, dim)?,
                        v: square("v", inner, dim)?,
                        o: square("o", dim, inner)?,
                        norm: weights.rms_norm(&at(layer, "layer_norm"), dim, eps)?,
                    })
                };
                let across = match half {
                    "decoder" => Some(attention(1, "EncDecAttention")?),
                    _ => None,
                };
                let last = 1 + usize::from(across.is_some());
                let (gated, _) = config.feed_forward();
                let wide = |name: &str| {
                    let name = at(last, &format!("DenseReluDense.{name}"));
                    weights.linear(&name, config.d_ff, dim, false)
                };
                Ok(Block {
                    attention: attention(0, "SelfAttention")?,
                    across,
                    wi: wide(if gated { "wi_0" } else { "wi" })?,
                    gate: if gated { Some(wide("wi_1")?) } else { None },
                    wo: weights.linear(&at(last, "DenseReluDense.wo"), dim, config.d_ff, false)?,
                    norm: weights.rms_norm(&at(last, "layer_norm"), dim, eps)?,
                })
            })
            .collect::<Result<_>>()?;
        let norm = weights.rms_norm(&at("final_layer_norm"), dim, eps)?;
        Ok(Stack { bias, blocks, norm })
    }
}

impl Attention {
    /// Queries of `states`, keys and values of `seen`.
    pub(super) fn project(&self, states: &States, seen: &States) -> Result<[States; 3]> {
        Ok([self.q.forward(states)?, self.k.forward(seen)?, self.v.forward(seen)?])
    }
}

impl Block {
    /// Adds the feed-forward layer to `states`.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine).
    pub(super) fn feed_forward(&self, config: &Config, states: &mut States) -> Result<()> {
        let (_, activation) = config.feed_forward();
        let normed = self.norm.forward(states);
        let mut wide = self.wi.forward_with(&normed, activation)?;
        if let Some(gate) = &self.gate {
            let gate = gate.forward(&normed)?;
            wide.values_mut().iter_mut().zip(gate.values()).for_each(|(w, g)| *w *= g);
        }
        states.add(&self.wo.forward(&wide)?);
        Ok(())
    }
}
