//! The text tower: token sequences to embeddings.
//!
//! Follows `CLIPTextModel` and the text half of `CLIPModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py). One thing differs, and
//! changes no value: attention is causal and the embedding is read at
//! end-of-text. So what others pad behind it is never computed here, and
//! sequences that begin alike share what they begin with: all products run over
//! the nodes of a trie.

use std::fmt::Debug;

use super::chain::Chain;
use super::config::Config;
use super::layers;
use super::tokenizer::Tokenizer;
use crate::encoder::{Continuations, Embeddings, TextEncoder, Tokens, check_vocabulary};
use crate::nn::{
    Backend, Compute, Cpu, Epilogue, Gpu, Kv, KvCache, Loader, PreNormLayers, Readout, RowLists,
    Scope, Workspace,
};
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
    tower: Box<dyn Tower>,
    dim: usize,
    /// Tokens that have an embedding.
    vocabulary: usize,
}

/// The text tower on any backend. Its tokens are checked: each sequence ends with its first
/// end-of-text.
trait Tower: Debug + Send + Sync {
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings>;

    fn continuations<'a>(&'a self, text: &'a ClipText) -> Box<dyn Continuations + 'a>;
}

impl ClipText {
    /// On `device`, or on the processor.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        tokenizer: Tokenizer,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let precision = compute.precision;
        let tower: Box<dyn Tower> = match device {
            Some(device) => {
                Box::new(TextTower::load(weights, config, compute, Gpu::new(device, precision))?)
            }
            None => Box::new(TextTower::load(weights, config, compute, Cpu::new(precision))?),
        };
        let (dim, vocabulary) = (config.projection_dim, config.text.vocab_size);
        Ok(ClipText { tokenizer, tower, dim, vocabulary })
    }

    /// The token that ends every sequence.
    pub fn end_of_text(&self) -> u32 {
        self.tokenizer.end_of_text()
    }

    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// # Errors
    /// [`Error::TokenSequence`] where sequence `row` has an id beyond the
    /// vocabulary.
    pub(super) fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        check_vocabulary(row, ids, self.vocabulary)
    }

    /// The sequences of `tokens`, each cut behind its first end-of-text.
    pub(super) fn cut(&self, tokens: &Tokens) -> Result<Tokens> {
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
        Some(self.tower.continuations(self))
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
        self.tower.embed(&self.cut(tokens)?)
    }
}

/// The tower over one backend.
#[derive(Debug)]
pub(super) struct TextTower<B: Backend> {
    backend: B,
    token_embedding: B::Table,
    position_embedding: B::Table,
    layers: PreNormLayers<B>,
    final_layer_norm: B::Norm,
    text_projection: B::Linear,
    dim: usize,
    batch_tokens: usize,
}

/// The path that sequences hang from: its tokens, and their keys and values.
#[derive(Debug)]
pub(super) struct Path<B: Backend> {
    tokens: Vec<u32>,
    cache: KvCache<B>,
}

impl<B: Backend> Default for Path<B> {
    fn default() -> Self {
        Path { tokens: Vec::new(), cache: KvCache::default() }
    }
}

impl<B: Backend> Path<B> {
    fn truncate(&mut self, backend: &B, tokens: usize) {
        self.tokens.truncate(tokens);
        self.cache.truncate(backend, tokens);
    }
}

impl<B: Backend> TextTower<B> {
    fn load(weights: &Weights, config: &Config, compute: &Compute, backend: B) -> Result<Self> {
        let loader = Loader::new(weights, &backend);
        let sizes = layers::text_sizes(&loader, config)?;
        let (text, width, dim) = (&config.text, sizes.width, config.projection_dim);
        let embedding = |name: &str, rows: usize| {
            loader.table(&format!("text_model.embeddings.{name}.weight"), [rows, width])
        };
        Ok(TextTower {
            token_embedding: embedding("token_embedding", text.vocab_size)?,
            position_embedding: embedding("position_embedding", text.max_position_embeddings)?,
            layers: layers::load(&loader, "text_model.encoder", &sizes)?,
            final_layer_norm: loader.layer_norm("text_model.final_layer_norm", width, sizes.eps)?,
            text_projection: loader.linear_no_bias("text_projection", [dim, width])?,
            dim,
            batch_tokens: backend.batch_tokens(compute.batch_tokens),
            backend,
        })
    }

    /// The embeddings of `tokens`, hanging from `path`.
    pub(super) fn embed_after(&self, path: &Path<B>, tokens: &Tokens) -> Result<Embeddings> {
        let blocks = Blocks::new(&path.tokens, tokens, self.batch_tokens);
        let encoded = self.backend.each("encoding texts", blocks.iter(), |work, block| {
            self.forward(work, &block.trie(), &path.cache)
        })?;
        let mut rows = vec![0.0; tokens.len() * self.dim];
        let numbers = blocks.iter().flat_map(|block| block.rows().collect::<Vec<_>>());
        let encoded = encoded.iter().flat_map(|rows| rows.chunks_exact(self.dim));
        for (number, row) in numbers.zip(encoded) {
            rows[number * self.dim..][..self.dim].copy_from_slice(row);
        }
        Embeddings::new(self.dim, rows)
    }

    /// Makes `path` that of `ids`, of which it keeps what both begin with.
    pub(super) fn lead(&self, path: &mut Path<B>, ids: &[u32]) -> Result<()> {
        let backend = &self.backend;
        let shared = path.tokens.iter().zip(ids).take_while(|(a, b)| a == b).count();
        path.truncate(backend, shared);
        if shared == ids.len() {
            return Ok(());
        }
        // `after` makes nodes of all that the path has not.
        let trie = Trie::after(&ids[..shared], [ids]);
        path.tokens.extend_from_slice(trie.ids());
        let extended = backend.with_workspace(|work| {
            self.embed_nodes(work, &trie)?;
            let scope = backend.scope(Scope::Lists(lists(&trie)))?;
            self.layers.extend(backend, work, &scope, &mut path.cache)
        });
        if extended.is_err() {
            path.truncate(backend, shared); // some layers have rows that others have not
        }
        extended
    }

    /// The nodes' tokens and positions, as the rows (nodes, width) of `work`.
    fn embed_nodes(&self, work: &mut Workspace<B>, trie: &Trie) -> Result<()> {
        self.backend.lookup(&self.token_embedding, trie.ids(), &mut work.rows)?;
        self.backend.add_lookup(&self.position_embedding, trie.depths(), &mut work.rows)
    }

    /// The rows (sequences, dim) at the last node of each sequence of `trie`.
    fn forward(
        &self,
        work: &mut Workspace<B>,
        trie: &Trie,
        cache: &KvCache<B>,
    ) -> Result<Vec<f32>> {
        let (backend, lists) = (&self.backend, lists(trie));
        self.embed_nodes(work, trie)?;
        let ends = Readout::lists(backend, &lists, trie.ends())?;
        let scope = backend.scope(Scope::Lists(lists))?;
        self.layers.forward(backend, work, &scope, &mut Kv::Read(cache), Some(&ends))?;
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.final_layer_norm, rows, normed)?;
        let mut embeddings = B::Rows::default();
        backend.apply(&self.text_projection, normed, Epilogue::none(), &mut embeddings)?;
        backend.download(embeddings)
    }
}

/// Each node's ancestors and itself.
fn lists(trie: &Trie) -> RowLists {
    RowLists::new(trie.ids().len(), |node, rows| trie.chain(node, rows))
}

impl<B: Backend> Tower for TextTower<B> {
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        self.embed_after(&Path::default(), tokens)
    }

    fn continuations<'a>(&'a self, text: &'a ClipText) -> Box<dyn Continuations + 'a> {
        Box::new(Chain::new(text, self))
    }
}
