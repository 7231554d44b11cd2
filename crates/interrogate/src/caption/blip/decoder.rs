//! BLIP's text decoder: a causal BERT with cross-attention to the image in every layer.
//!
//! `modeling_blip_text.py` of transformers 5.23, `BlipTextLMHeadModel`.

use super::super::decoder_state::DecoderState;
use super::super::generate::{Decoder, Limits, Step};
use super::config::TextConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Backend, Epilogue, Kv, Loader, LogitsRequest, PostNormLayer, ReducedLogits, Scope, Workspace,
};

const PREFIX: &str = "text_decoder.bert";
const HEAD: &str = "text_decoder.cls.predictions";

/// The decoder and its head, which is tied to the embedding.
#[derive(Debug)]
pub(in crate::caption) struct TextDecoder<B: Backend> {
    backend: B,
    config: TextConfig,
    limits: Limits,
    /// States per image.
    states: usize,
    word_embeddings: B::Table,
    position_embeddings: B::Table,
    norm: B::Norm,
    layers: Vec<PostNormLayer<B>>,
    transform: B::Linear,
    transform_norm: B::Norm,
    decoder: B::Linear,
}

impl<B: Backend> TextDecoder<B> {
    /// Loads the weights under `text_decoder`, for images of `states` states of `image_width`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: TextConfig,
        [states, image_width]: [usize; 2],
    ) -> Result<Self> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let (inner, heads) = (config.intermediate_size, config.num_attention_heads);
        let at = |name: &str| format!("{PREFIX}.embeddings.{name}");
        let vocabulary = [config.vocab_size, width];
        let words = loader.weights.load(&at("word_embeddings.weight"), &vocabulary)?;
        let positions = [config.max_position_embeddings, width];
        let layer = |number: usize| {
            let at = |name: &str| format!("{PREFIX}.encoder.layer.{number}.{name}");
            let attention = |name: &str, kv_width: usize| {
                loader.attention(&at(name), "self", [heads, width, kv_width], eps)
            };
            Ok(PostNormLayer {
                attention: attention("attention", width)?,
                crossattention: Some(attention("crossattention", image_width)?),
                activation: config.hidden_act,
                intermediate: loader.linear(&at("intermediate.dense"), [inner, width])?,
                output: loader.linear(&at("output.dense"), [width, inner])?,
                norm: loader.layer_norm(&at("output.LayerNorm"), width, eps)?,
            })
        };
        let head = |name: &str| format!("{HEAD}.{name}");
        let bias = loader.values(&head("bias"), &[config.vocab_size])?;
        loader.weights.check_tied(&head("decoder.weight"), &vocabulary, &words)?;
        Ok(TextDecoder {
            backend: loader.backend.clone(),
            limits: config.limits(),
            states,
            position_embeddings: loader.table(&at("position_embeddings.weight"), positions)?,
            norm: loader.layer_norm(&at("LayerNorm"), width, eps)?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            transform: loader.linear(&head("transform.dense"), [width, width])?,
            transform_norm: loader.layer_norm(&head("transform.LayerNorm"), width, eps)?,
            decoder: loader.backend.linear(&words, vocabulary, Some(bias))?,
            word_embeddings: loader.backend.table(words, width)?,
            config,
        })
    }

    /// Starts a batch of images with these encoder states (images * states, image width):
    /// computes each layer's cross-attention keys and values, once for all steps.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(&self, image_states: &B::Rows) -> Result<DecoderState<B>> {
        let attentions = self.layers.iter().filter_map(|layer| layer.crossattention.as_ref());
        let cross =
            attentions.map(|attention| attention.keys_and_values(&self.backend, image_states));
        Ok(DecoderState::of_keys(cross.collect::<Result<_>>()?, self.states))
    }
}

impl<B: Backend> Decoder for TextDecoder<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        let backend = &self.backend;
        state.embed(backend, &self.word_embeddings, step.inputs())?;
        state.prepare_images(backend, step)?;
        let DecoderState { cache, work, cross, logits, images, .. } = state;
        let images = images.as_ref().map(|(_, scope)| scope);
        let Workspace { rows, next, .. } = &mut *work;
        backend.add_lookup(&self.position_embeddings, &step.positions(0), rows)?;
        backend.normalize(&self.norm, rows, next)?;
        std::mem::swap(rows, next);
        let scope = backend.scope(Scope::Lists(step.lists()))?;
        let mut kv = Kv::Append(cache);
        for ((number, layer), cross) in self.layers.iter().enumerate().zip(&*cross) {
            layer.forward(
                backend,
                number,
                work,
                (&scope, &mut kv),
                images.map(|scope| (cross, scope)),
            )?;
        }
        let Workspace { rows, normed, next, inner, .. } = work;
        if !step.scores_all() {
            backend.select(rows, &backend.ids(&step.scored)?, next)?;
            std::mem::swap(rows, next);
        }
        let activation = Epilogue::activation(self.config.hidden_act);
        backend.apply(&self.transform, rows, activation, inner)?;
        backend.normalize(&self.transform_norm, inner, normed)?;
        backend.apply(&self.decoder, normed, Epilogue::none(), logits)
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
