//! Flan-T5, the language model of blip2-flan-t5-xl: an encoder that reads the queries and the
//! prompt, and a decoder that generates the caption.
//!
//! `modeling_t5.py` of transformers 5.23 (Raffel et al., arXiv 1910.10683). Positions are encoded
//! as an attention bias by distance (`buckets`); attention scores are not scaled. `stack` has the
//! blocks.

mod buckets;
mod stack;

use super::super::decoder_state::DecoderState;
use super::super::generate::{Decoder, Input, Limits, Prompt, Step};
use super::config::T5Config;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Backend, Epilogue, Kv, Loader, LogitsRequest, ReducedLogits, RelativeBias, Scope, Workspace,
};
use buckets::{bucket_back, bucket_both};
use stack::Stack;

/// Encoder, decoder and head.
#[derive(Debug)]
pub(in crate::caption) struct T5<B: Backend> {
    backend: B,
    config: T5Config,
    limits: Limits,
    shared: B::Table,
    encoder: Stack<B>,
    decoder: Stack<B>,
    lm_head: B::Linear,
}

impl<B: Backend> T5<B> {
    /// Loads the weights under `language_model`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(loader: &Loader<'_, B>, config: T5Config) -> Result<Self> {
        let vocabulary = [config.vocab_size, config.d_model];
        let shared = loader.weights.load("language_model.shared.weight", &vocabulary)?;
        // Some files repeat the embedding for each half, and for the head if it is tied.
        for half in ["encoder", "decoder"] {
            let name = format!("language_model.{half}.embed_tokens.weight");
            loader.weights.check_tied(&name, &vocabulary, &shared)?;
        }
        let lm_head = if loader.weights.contains("language_model.lm_head.weight") {
            loader.linear_no_bias("language_model.lm_head", vocabulary)?
        } else {
            loader.backend.linear(&shared, vocabulary, None)?
        };
        Ok(T5 {
            backend: loader.backend.clone(),
            limits: config.limits(),
            encoder: Stack::load(loader, &config, "encoder", config.num_layers)?,
            decoder: Stack::load(loader, &config, "decoder", config.decoder_layers())?,
            shared: loader.backend.table(shared, config.d_model)?,
            lm_head,
            config,
        })
    }

    /// Starts a batch: the encoder reads the `inputs`, equally many for each image, and each
    /// caption starts with one token. `embeddings` are the image embeddings, `count` rows.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(
        &self,
        (embeddings, count): (B::Rows, usize),
        inputs: &[Vec<Input>],
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let (backend, images) = (&self.backend, inputs.len());
        let positions = inputs.first().map_or(0, Vec::len);
        let mut encoding = DecoderState::of_embeddings(embeddings, count);
        encoding.embed(backend, &self.shared, inputs.iter().flatten().copied())?;
        let heads = self.config.num_heads;
        let bias = RelativeBias::new(heads, positions, positions, |head, offset| {
            self.encoder.bias[bucket_both(&self.config, offset) * heads + head]
        });
        let scope = backend.scope(Scope::Groups(images))?;
        let DecoderState { work, .. } = &mut encoding;
        self.encoder.forward(backend, work, (&scope, Kv::None, &bias), None)?;
        // The decoder's cross-attention keys and values, once for all steps.
        let attentions =
            self.decoder.blocks.iter().filter_map(|block| block.cross_attention.as_ref());
        let cross = attentions.map(|attention| attention.keys_and_values(backend, &work.rows));
        let state = DecoderState::of_keys(cross.collect::<Result<_>>()?, positions);
        let start = self.config.start();
        let prompt = Prompt { inputs: vec![Input::Token(start)], ids: vec![start], cached: 0..0 };
        Ok((state, vec![prompt; images]))
    }
}

impl<B: Backend> Decoder for T5<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        let backend = &self.backend;
        state.embed(backend, &self.shared, step.inputs())?;
        state.prepare_images(backend, step)?;
        let DecoderState { cache, work, cross, logits, images, .. } = state;
        let cross = images.as_ref().map(|(_, scope)| (&cross[..], scope));
        let (lists, heads) = (step.lists(), self.config.num_heads);
        let bias = RelativeBias::new(heads, lists.longest(), 0, |head, offset| {
            self.decoder.bias[bucket_back(&self.config, offset.unsigned_abs()) * heads + head]
        });
        let scope = backend.scope(Scope::Lists(lists))?;
        let attention = (&scope, Kv::Append(cache), &bias);
        self.decoder.forward(backend, work, attention, cross)?;
        let Workspace { rows, next, .. } = work;
        if !step.scores_all() {
            backend.select(rows, &backend.ids(&step.scored)?, next)?;
            std::mem::swap(rows, next);
        }
        if self.config.scales_outputs() {
            backend.scale(1.0 / (self.config.d_model as f32).sqrt(), rows)?;
        }
        backend.apply(&self.lm_head, rows, Epilogue::none(), logits)
    }

    fn reduce_logits(
        &self,
        state: &DecoderState<B>,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        state.reduce_logits(&self.backend, request)
    }

    fn logits(&self, state: &mut DecoderState<B>) -> Result<Vec<f32>> {
        state.take_logits(&self.backend)
    }
}
