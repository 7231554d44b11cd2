//! OPT, the language model of blip2-opt-2.7b and -6.7b.
//!
//! `modeling_opt.py` of transformers 5.23, with pre-norm layers (Zhang et al., arXiv
//! 2205.01068).

use super::super::decoder_state::DecoderState;
use super::super::generate::{Decoder, Input, Limits, Prompt, Step};
use super::config::OptConfig;
use crate::Result;
use crate::nn::{
    Backend, Biases, Epilogue, Kv, Loader, LogitsRequest, PreNormLayers, PreNormNames,
    PreNormSizes, Projections, Readout, ReducedLogits, Scope, Workspace,
};

/// Number of rows before position 0 in OPT's position table.
const OFFSET: isize = 2;
/// The norms' epsilon, torch's default: OPT's configuration has none.
const EPS: f64 = 1e-5;
const PREFIX: &str = "language_model.model.decoder";

const NAMES: PreNormNames = PreNormNames {
    norm1: "self_attn_layer_norm",
    attention: Projections::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    out: "self_attn.out_proj",
    norm2: "final_layer_norm",
    fc1: "fc1",
    fc2: "fc2",
};

/// The decoder and its head, which is tied to the embedding.
#[derive(Debug)]
pub(in crate::caption) struct Opt<B: Backend> {
    backend: B,
    limits: Limits,
    embed_tokens: B::Table,
    embed_positions: B::Table,
    layers: PreNormLayers<B>,
    final_layer_norm: B::Norm,
    lm_head: B::Linear,
}

impl<B: Backend> Opt<B> {
    /// Loads the weights under `language_model`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(loader: &Loader<'_, B>, config: &OptConfig) -> Result<Self> {
        let sizes = PreNormSizes {
            width: config.hidden_size,
            inner: config.ffn_dim,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            eps: EPS,
            activation: config.activation_function,
        };
        let vocabulary = [config.vocab_size, sizes.width];
        let positions = [config.max_position_embeddings + OFFSET.unsigned_abs(), sizes.width];
        let at = |name: &str| format!("{PREFIX}.{name}");
        let tokens = loader.weights.load(&at("embed_tokens.weight"), &vocabulary)?;
        loader.weights.check_tied("language_model.lm_head.weight", &vocabulary, &tokens)?;
        let layers = PreNormLayers::new(&sizes, |number| {
            let at = |name: &str| format!("{PREFIX}.layers.{number}.{name}");
            loader.pre_norm(&sizes, &NAMES, at, Biases::all(config.enable_bias))
        });
        Ok(Opt {
            backend: loader.backend.clone(),
            limits: config.limits(),
            embed_positions: loader.table(&at("embed_positions.weight"), positions)?,
            layers: layers?,
            final_layer_norm: loader.layer_norm(&at("final_layer_norm"), sizes.width, EPS)?,
            lm_head: loader.backend.linear(&tokens, vocabulary, None)?,
            embed_tokens: loader.backend.table(tokens, sizes.width)?,
        })
    }

    /// Starts a batch with the `inputs` of each image. `ids` are the tokens that count for the
    /// repetition options; `embeddings` are the image embeddings, `count` rows.
    pub(super) fn begin(
        &self,
        (embeddings, count): (B::Rows, usize),
        inputs: Vec<Vec<Input>>,
        ids: &[u32],
    ) -> (DecoderState<B>, Vec<Prompt>) {
        let prompts =
            inputs.into_iter().map(|inputs| Prompt { inputs, ids: ids.to_vec(), cached: 0..0 });
        (DecoderState::of_embeddings(embeddings, count), prompts.collect())
    }
}

impl<B: Backend> Decoder for Opt<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        let backend = &self.backend;
        state.embed(backend, &self.embed_tokens, step.inputs())?;
        let DecoderState { cache, work, logits, .. } = state;
        backend.add_lookup(&self.embed_positions, &step.positions(OFFSET), &mut work.rows)?;
        let lists = step.lists();
        let readout = || Readout::lists(backend, &lists, &step.scored);
        let scored = (!step.scores_all()).then(readout).transpose()?;
        let scope = backend.scope(Scope::Lists(lists))?;
        self.layers.forward(backend, work, &scope, &mut Kv::Append(cache), scored.as_ref())?;
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.final_layer_norm, rows, normed)?;
        backend.apply(&self.lm_head, normed, Epilogue::none(), logits)
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
