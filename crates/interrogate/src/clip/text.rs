//! The text tower: token sequences to embeddings.
//!
//! Follows `CLIPTextModel` and the text half of `CLIPModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py). One thing differs, and
//! changes no value: attention is causal and the embedding is read at
//! end-of-text. So what a rival pads behind it is never computed here, and
//! sequences that begin alike share what they begin with: all products run over
//! the nodes of a trie.

use super::chain::ClipChain;
use super::config::Config;
use super::engine;
use super::layer::{Sizes, linear_of, norm, values};
use super::past::Past;
use super::room::{Room, Rooms};
use super::scope::Scope;
use super::tokenizer::Tokenizer;
use super::tower::Encoder;
use crate::encoder::{Continuations, Embeddings, TextEncoder, Tokens};
use crate::nn::threads::{each, inside};
use crate::nn::{Compute, Epilogue, LayerNorm, Linear};
use crate::trie::{Blocks, Trie};
use crate::weights::Weights;
use crate::{Error, Result};

/// CLIP's text tower with its tokenizer.
///
/// On the processor a row is the same bits whichever texts it is encoded beside; on
/// another device it is so within rounding.
#[derive(Debug)]
pub struct ClipText {
    tokenizer: Tokenizer,
    tower: Tower,
    dim: usize,
    /// Tokens that have an embedding.
    words: usize,
}

/// Where it computes.
#[derive(Debug)]
enum Tower {
    Kernels(Box<Kernels>),
    Device(Box<engine::Text>),
}

/// A path that sequences hang from, where the tower computes.
#[derive(Clone, Debug)]
pub(super) enum Path {
    Kernels(Past),
    Device(engine::Past),
}

/// The tower by the kernels of this library.
#[derive(Debug)]
struct Kernels {
    text_model: TextModel,
    text_projection: Linear,
    batch_tokens: usize,
    rooms: Rooms,
}

impl ClipText {
    /// On `device`, or by this library's own kernels.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        tokenizer: Tokenizer,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let sizes = Sizes::of_text(weights, config, compute)?;
        let tower = match device {
            Some(device) => {
                Tower::Device(engine::Text::new(weights, config, &sizes, compute, device)?.into())
            }
            None => Tower::Kernels(Kernels::new(weights, config, &sizes, compute)?.into()),
        };
        let (dim, words) = (config.projection_dim, config.text.vocab_size);
        Ok(ClipText { tokenizer, tower, dim, words })
    }

    /// The token that ends every sequence.
    pub fn end_of_text(&self) -> u32 {
        self.tokenizer.end_of_text()
    }

    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// A path of no token.
    pub(super) fn path(&self) -> Path {
        match &self.tower {
            Tower::Kernels(_) => Path::Kernels(Past::default()),
            Tower::Device(_) => Path::Device(engine::Past::default()),
        }
    }

    /// The embeddings of `tokens`, each cut behind its first end-of-text, where
    /// the sequences hang from `path`, which this made.
    pub(super) fn embed_after(&self, path: &Path, tokens: &Tokens) -> Result<Embeddings> {
        let tokens = self.cut(tokens)?;
        match (&self.tower, path) {
            (Tower::Kernels(tower), Path::Kernels(past)) => {
                tower.embed_after(past, &tokens, self.dim)
            }
            (Tower::Device(tower), Path::Device(past)) => tower.embed_after(past, &tokens),
            // Another tower's path is none.
            (Tower::Kernels(tower), Path::Device(_)) => {
                tower.embed_after(&Past::default(), &tokens, self.dim)
            }
            (Tower::Device(tower), Path::Kernels(_)) => {
                tower.embed_after(&engine::Past::default(), &tokens)
            }
        }
    }

    /// Makes `path` that of `ids`, of which it keeps what both begin with.
    pub(super) fn lead(&self, path: &mut Path, ids: &[u32]) -> Result<()> {
        self.check(0, ids)?;
        match (&self.tower, path) {
            (Tower::Kernels(tower), Path::Kernels(past)) => tower.lead(past, ids),
            (Tower::Device(tower), Path::Device(past)) => tower.lead(past, ids),
            _ => Ok(()), // another tower's, which `embed_after` leaves out
        }
    }

    /// # Errors
    /// [`Error::TokenSequence`] where sequence `row` has an id beyond the
    /// vocabulary.
    fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        match ids.iter().find(|&&id| id as usize >= self.words) {
            None => Ok(()),
            Some(id) => {
                let (expected, found) = (format!("tokens below {}", self.words), id.to_string());
                Err(Error::TokenSequence { row, expected, found })
            }
        }
    }

    /// The sequences of `tokens`, each cut behind its first end-of-text.
    fn cut(&self, tokens: &Tokens) -> Result<Tokens> {
        let (end, longest) = (self.end_of_text(), self.context_length());
        let mut cut = Tokens::new();
        for (row, ids) in tokens.iter().enumerate() {
            let length = ids.iter().position(|&id| id == end).map(|at| at + 1);
            self.check(row, &ids[..length.unwrap_or(0)])?;
            match length.filter(|&length| length <= longest) {
                Some(length) => cut.push(&ids[..length]),
                None => {
                    let found = match ids {
                        _ if ids.len() > longest => format!("{} tokens", ids.len()),
                        _ => format!("{} tokens without it", ids.len()),
                    };
                    let expected = format!("at most {longest} tokens that end with {end}");
                    return Err(Error::TokenSequence { row, expected, found });
                }
            }
        }
        Ok(cut)
    }
}

impl TextEncoder for ClipText {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.tokenizer.tokenize(texts)
    }

    fn context_length(&self) -> usize {
        self.tokenizer.context_length()
    }

    fn continuations(&self) -> Option<Box<dyn Continuations + '_>> {
        Some(Box::new(ClipChain::new(self)))
    }

    /// Reads each sequence at its first end-of-text, as transformers does;
    /// tokens behind it change nothing.
    ///
    /// Computes each prefix that the sequences share once. Memory: some
    /// `batch_tokens` rows of each kind and thread, beside the result.
    ///
    /// # Errors
    /// As the trait says, and [`Error::TokenSequence`] for a sequence that has no
    /// end-of-text or is too long.
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        self.embed_after(&self.path(), tokens)
    }
}

impl Kernels {
    fn new(weights: &Weights, config: &Config, sizes: &Sizes, compute: &Compute) -> Result<Self> {
        let shape = [config.projection_dim, config.text.hidden_size];
        Ok(Kernels {
            text_model: TextModel::new(weights, config, sizes)?,
            text_projection: linear_of(weights, "text_projection", shape, None, compute.precision)?,
            batch_tokens: compute.batch_tokens,
            rooms: Rooms::default(),
        })
    }

    /// The embeddings of `tokens`, rows of `dim` values, hanging from `past`.
    fn embed_after(&self, past: &Past, tokens: &Tokens, dim: usize) -> Result<Embeddings> {
        let mut rows = vec![0.0; tokens.len() * dim];
        let blocks = Blocks::new(past.tokens(), tokens, self.batch_tokens);
        let encoded = each(blocks.iter(), |block| {
            self.rooms.lend(|room| {
                let trie = block.trie();
                self.text_model.forward(room, &trie, past)?;
                let mut rows = vec![0.0; trie.ends().len() * dim];
                let (states, n) = (&room.normed, trie.ends().len());
                self.text_projection.apply(states, n, &mut rows, Epilogue::default())?;
                Ok(rows)
            })
        })?;
        for (block, encoded) in blocks.iter().zip(encoded) {
            for (number, row) in block.rows().zip(encoded.chunks_exact(dim)) {
                rows[number * dim..][..dim].copy_from_slice(row);
            }
        }
        Embeddings::new(dim, rows)
    }

    fn lead(&self, past: &mut Past, ids: &[u32]) -> Result<()> {
        let shared = past.tokens().iter().zip(ids).take_while(|(a, b)| a == b).count();
        past.truncate(shared);
        if shared < ids.len() {
            // `after` makes nodes of all that the past has not.
            let trie = Trie::after(&ids[..shared], [ids]);
            inside(|| {
                self.rooms.lend(|room| {
                    self.text_model.embeddings.forward(room, &trie);
                    self.text_model.encoder.extend(room, &trie, past)
                })
            })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct TextEmbeddings {
    /// (vocabulary, width)
    token_embedding: Vec<f32>,
    /// (context length, width)
    position_embedding: Vec<f32>,
    width: usize,
}

impl TextEmbeddings {
    fn new(weights: &Weights, prefix: &str, config: &Config) -> Result<Self> {
        let (config, width) = (&config.text, config.text.hidden_size);
        let take = |name, rows| values(weights, &format!("{prefix}.{name}.weight"), &[rows, width]);
        Ok(TextEmbeddings {
            token_embedding: take("token_embedding", config.vocab_size)?,
            position_embedding: take("position_embedding", config.max_position_embeddings)?,
            width,
        })
    }

    /// The nodes' tokens and positions, as the rows (nodes, width) of `room`.
    /// The tokens are checked: every one has an embedding.
    fn forward(&self, room: &mut Room, trie: &Trie) {
        let width = self.width;
        room.width = width;
        room.rows.clear();
        for (&id, &depth) in trie.ids().iter().zip(trie.depths()) {
            let token = &self.token_embedding[id as usize * width..][..width];
            // A sequence is no longer than the context: there is a position.
            let position = &self.position_embedding[depth as usize * width..][..width];
            room.rows.extend(token.iter().zip(position).map(|(token, position)| token + position));
        }
    }
}

#[derive(Debug)]
struct TextModel {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
}

impl TextModel {
    fn new(weights: &Weights, config: &Config, sizes: &Sizes) -> Result<Self> {
        let final_layer_norm = "text_model.final_layer_norm";
        Ok(TextModel {
            embeddings: TextEmbeddings::new(weights, "text_model.embeddings", config)?,
            encoder: Encoder::new(weights, "text_model.encoder", sizes)?,
            final_layer_norm: norm(weights, final_layer_norm, sizes.width, sizes.eps)?,
        })
    }

    /// The states at the last node of each sequence, (sequences, width), as
    /// `normed` of `room`.
    fn forward(&self, room: &mut Room, trie: &Trie, past: &Past) -> Result<()> {
        self.embeddings.forward(room, trie);
        self.encoder.forward(room, &Scope::Trie(trie, past), trie.ends())?;
        room.normed.resize(room.rows.len(), 0.0);
        self.final_layer_norm.apply(&room.rows, &mut room.normed)
    }
}
