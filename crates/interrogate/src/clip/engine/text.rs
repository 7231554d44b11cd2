//! The text tower on a device.

use candle_core::{DType, Device, Result, Tensor};

use super::super::config::Config;
use super::super::layer::Sizes;
use super::layers::{Layers, Scope};
use super::past::Past;
use crate::encoder::{Embeddings, Tokens};
use crate::nn::Compute;
use crate::nn::engine::{COPY, Chains, Dense, MORE, Norm, norm};
use crate::rank::device::halving;
use crate::trie::{Blocks, Trie};
use crate::weights::Weights;
use crate::{Error, Result as Checked};

/// CLIP's text tower on a device.
#[derive(Debug)]
pub(in crate::clip) struct Text {
    device: Device,
    /// (vocabulary, width)
    token_embedding: Tensor,
    /// (context length, width)
    position_embedding: Tensor,
    layers: Layers,
    final_layer_norm: Norm,
    text_projection: Dense,
    dim: usize,
    batch_tokens: usize,
}

impl Text {
    pub(in crate::clip) fn new(
        weights: &Weights,
        config: &Config,
        sizes: &Sizes,
        compute: &Compute,
        device: &Device,
    ) -> Checked<Self> {
        let (text, dim) = (&config.text, config.projection_dim);
        let table = |name, rows| {
            let name = format!("text_model.embeddings.{name}.weight");
            let table = weights.take(&name, &[rows, sizes.width])?;
            table.to_device(device).map_err(Error::engine(COPY))
        };
        let projection = weights.take("text_projection.weight", &[dim, sizes.width])?;
        Ok(Text {
            device: device.clone(),
            token_embedding: table("token_embedding", text.vocab_size)?,
            position_embedding: table("position_embedding", text.max_position_embeddings)?,
            layers: Layers::new(weights, "text_model.encoder", sizes, device)?,
            final_layer_norm: norm(
                weights,
                "text_model.final_layer_norm",
                sizes.width,
                sizes.eps,
                device,
            )?,
            text_projection: Dense::new(&projection, None, compute.precision, device)
                .map_err(Error::engine(COPY))?,
            dim,
            batch_tokens: compute.batch_tokens.saturating_mul(MORE),
        })
    }

    /// The embeddings of `tokens`, which are checked and end with end-of-text, where
    /// the sequences hang from `past`.
    pub(in crate::clip) fn embed_after(&self, past: &Past, tokens: &Tokens) -> Checked<Embeddings> {
        let mut rows = vec![0.0; tokens.len() * self.dim];
        let blocks = Blocks::new(past.tokens(), tokens, self.batch_tokens);
        for block in blocks.iter() {
            let numbers: Vec<usize> = block.rows().collect();
            // The sequences of a block are sorted, and so is any part of them.
            let encoded = halving("encoding texts", numbers.len(), numbers.len(), |part| {
                let sequences = numbers[part].iter().filter_map(|&row| tokens.get(row));
                self.encode(&Trie::after(past.tokens(), sequences), past)
            })?;
            for (number, row) in numbers.iter().zip(encoded.concat()) {
                rows[number * self.dim..][..self.dim].copy_from_slice(&row);
            }
        }
        Embeddings::new(self.dim, rows)
    }

    /// Makes `past` the path of `ids`, which are checked; it keeps what both begin
    /// with.
    pub(in crate::clip) fn lead(&self, past: &mut Past, ids: &[u32]) -> Checked<()> {
        let shared = past.tokens().iter().zip(ids).take_while(|(a, b)| a == b).count();
        let grown = |past: &mut Past| -> Result<()> {
            past.truncate(shared)?;
            if shared < ids.len() {
                let trie = Trie::after(&ids[..shared], [ids]);
                let scope = self.chains(&trie)?;
                let layers =
                    self.layers.seen(self.embedded(&trie)?, &Scope::Trie(&scope, Some(past)))?;
                past.grow(trie.ids(), layers);
            }
            Ok(())
        };
        grown(past).map_err(Error::engine("encode a prompt on the device"))
    }

    /// The rows of a trie's sequences, one each.
    fn encode(&self, trie: &Trie, past: &Past) -> Result<Vec<Vec<f32>>> {
        if trie.ends().is_empty() {
            return Ok(Vec::new());
        }
        let ends = Tensor::new(trie.ends(), &self.device)?;
        let chains = self.chains(trie)?;
        let scope = Scope::Trie(&chains, Some(past));
        let states = self.layers.forward(self.embedded(trie)?, &scope, &ends)?;
        let rows = self.text_projection.forward(&self.final_layer_norm.forward(&states)?)?;
        rows.to_dtype(DType::F32)?.to_vec2()
    }

    /// The nodes' tokens and positions, (nodes, width).
    fn embedded(&self, trie: &Trie) -> Result<Tensor> {
        let select =
            |table: &Tensor, rows: &[u32]| table.index_select(&Tensor::new(rows, &self.device)?, 0);
        select(&self.token_embedding, trie.ids())?
            + select(&self.position_embedding, trie.depths())?
    }

    fn chains(&self, trie: &Trie) -> Result<Chains> {
        let nodes = trie.ids().len();
        Chains::new(nodes, |node, rows| trie.chain(node, rows), &self.device)
    }
}
