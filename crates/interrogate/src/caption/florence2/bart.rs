//! BART, the language model of Florence-2: an encoder that reads the image and the prompt, and a
//! decoder that generates the caption (Lewis et al., arXiv 1910.13461).
//!
//! `modeling_bart.py` of transformers 5.24. `post_norm_decoder` has the decoder.

use super::super::decoder_state::DecoderState;
use super::super::generate::{Input, Prompt};
use super::super::post_norm_decoder::{Head, PostNormDecoder};
use super::config::BartConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Attention, Backend, Heads, Kv, Loader, PostNormLayer, Scope, Workspace};

const PREFIX: &str = "model.language_model";

/// Number of rows before position 0 in the tables of positions.
const OFFSET: usize = 2;

/// The epsilon of all norms, torch's default.
const EPS: f64 = 1e-5;

/// Encoder and decoder.
#[derive(Debug)]
pub(in crate::caption) struct Bart<B: Backend> {
    backend: B,
    embed_positions: B::Table,
    layernorm_embedding: B::Norm,
    layers: Vec<PostNormLayer<B>>,
    pub(in crate::caption) decoder: PostNormDecoder<B>,
    start: u32,
}

/// The sizes of the encoder's layers or of the decoder's.
struct HalfSizes {
    layers: usize,
    heads: usize,
    inner: usize,
    crosses: bool,
}

impl<B: Backend> Bart<B> {
    /// Loads the weights under `model.language_model`, and `lm_head`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(loader: &Loader<'_, B>, config: &BartConfig) -> Result<Self> {
        let (width, vocab) = (config.d_model, config.vocab_size);
        let at = |name: &str| format!("{PREFIX}.{name}");
        let shared = loader.weights.load(&at("shared.weight"), &[vocab, width])?;
        // Some files repeat the embedding for each half, and for the head.
        for tied in [
            at("encoder.embed_tokens.weight"),
            at("decoder.embed_tokens.weight"),
            "lm_head.weight".to_owned(),
        ] {
            loader.weights.check_tied(&tied, &[vocab, width], &shared)?;
        }
        let bias = loader.weights.contains("final_logits_bias");
        let bias = bias.then(|| loader.values("final_logits_bias", &[vocab])).transpose()?;
        let positions = [config.max_position_embeddings + OFFSET, width];
        let table =
            |half: &str| loader.table(&at(&format!("{half}.embed_positions.weight")), positions);
        let norm =
            |half: &str| loader.layer_norm(&at(&format!("{half}.layernorm_embedding")), width, EPS);
        let encoder = HalfSizes {
            layers: config.encoder_layers,
            heads: config.encoder_attention_heads,
            inner: config.encoder_ffn_dim,
            crosses: false,
        };
        let decoder = HalfSizes {
            layers: config.decoder_layers,
            heads: config.decoder_attention_heads,
            inner: config.decoder_ffn_dim,
            crosses: true,
        };
        Ok(Bart {
            backend: loader.backend.clone(),
            embed_positions: table("encoder")?,
            layernorm_embedding: norm("encoder")?,
            layers: layers(loader, config, "encoder", &encoder)?,
            decoder: PostNormDecoder {
                backend: loader.backend.clone(),
                limits: config.limits(),
                position_offset: OFFSET as isize,
                position_embeddings: table("decoder")?,
                norm: norm("decoder")?,
                layers: layers(loader, config, "decoder", &decoder)?,
                head: Head {
                    transform: None,
                    output: loader.backend.linear(&shared, [vocab, width], bias)?,
                },
                word_embeddings: loader.backend.table(shared, width)?,
            },
            start: config.decoder_start_token_id,
        })
    }

    /// Starts a batch of `images` images: the encoder reads `embeddings` (images * rows, width)
    /// and the tokens `text` of each, and a caption starts with one token.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(in crate::caption) fn begin(
        &self,
        embeddings: B::Rows,
        [images, rows]: [usize; 2],
        text: &[u32],
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let backend = &self.backend;
        let positions = rows + text.len();
        let input = |at: usize| match (at / positions, at % positions) {
            (image, at) if at < rows => Input::Image((image * rows + at) as u32),
            (_, at) => Input::Token(text[at - rows]),
        };
        let mut encoding = DecoderState::of_embeddings(embeddings, images * rows);
        let words = &self.decoder.word_embeddings;
        encoding.embed(backend, words, (0..images * positions).map(input))?;
        let DecoderState { work, .. } = &mut encoding;
        let ids = (0..images * positions).map(|at| (at % positions + OFFSET) as u32);
        let Workspace { rows: states, next, .. } = &mut *work;
        backend.add_lookup(&self.embed_positions, &ids.collect::<Vec<_>>(), states)?;
        backend.normalize(&self.layernorm_embedding, states, next)?;
        std::mem::swap(states, next);
        let scope = backend.scope(Scope::Groups(images))?;
        for (number, layer) in self.layers.iter().enumerate() {
            layer.forward(backend, number, work, (&scope, &mut Kv::None), None)?;
        }
        let state = self.decoder.begin(&work.rows, positions)?;
        let inputs = vec![Input::Token(self.start)];
        let prompt = Prompt { inputs, ids: vec![self.start], cached: 0..0 };
        Ok((state, vec![prompt; images]))
    }
}

fn layers<B: Backend>(
    loader: &Loader<'_, B>,
    config: &BartConfig,
    half: &str,
    sizes: &HalfSizes,
) -> Result<Vec<PostNormLayer<B>>> {
    let (width, inner) = (config.d_model, sizes.inner);
    loader.backend.warm_up(width, width / sizes.heads);
    let layer = |number: usize| {
        let at = |name: &str| format!("{PREFIX}.{half}.layers.{number}.{name}");
        let attention = |name: &str| -> Result<Attention<B>> {
            let projection =
                |part: &str| loader.linear(&at(&format!("{name}.{part}_proj")), [width, width]);
            Ok(Attention {
                heads: Heads::scaled(sizes.heads, width),
                query: projection("q")?,
                key: projection("k")?,
                value: projection("v")?,
                dense: projection("out")?,
                norm: loader.layer_norm(&at(&format!("{name}_layer_norm")), width, EPS)?,
            })
        };
        Ok(PostNormLayer {
            attention: attention("self_attn")?,
            crossattention: sizes.crosses.then(|| attention("encoder_attn")).transpose()?,
            activation: config.activation_function,
            intermediate: loader.linear(&at("fc1"), [inner, width])?,
            output: loader.linear(&at("fc2"), [width, inner])?,
            norm: loader.layer_norm(&at("final_layer_norm"), width, EPS)?,
        })
    };
    (0..sizes.layers).map(layer).collect()
}
