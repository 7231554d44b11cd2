//! What a token stands for before the first layer: its word and its place.

use std::ops::Range;

use candle_transformers::models::bert::Config;

use crate::encoder::Tokens;
use crate::weights::Weights;
use crate::{Error, Result};

/// The tables of words and positions, on the host: a row is a few kilobytes, wherever
/// it goes to.
#[derive(Debug)]
pub(super) struct Embedding {
    dim: usize,
    /// (vocabulary, dim)
    words: Vec<f32>,
    /// (context length, dim), with the first token type's embedding added.
    positions: Vec<f32>,
}

impl Embedding {
    /// Takes the tables under `embeddings`.
    pub(super) fn new(weights: &Weights, config: &Config) -> Result<Self> {
        let dim = config.hidden_size;
        let table = |name: &str, rows: usize| {
            let name = format!("embeddings.{name}_embeddings.weight");
            let flat = weights.take(&name, &[rows, dim])?.flatten_all();
            flat.and_then(|flat| flat.to_vec1::<f32>()).map_err(Error::engine("read a table"))
        };
        let words = table("word", config.vocab_size)?;
        let mut positions = table("position", config.max_position_embeddings)?;
        let types = table("token_type", config.type_vocab_size)?;
        for position in positions.chunks_exact_mut(dim) {
            position.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
        }
        Ok(Embedding { dim, words, positions })
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// Appends the sum of word and position of each token of sequence `row`, and
    /// gives where they are in `to`.
    ///
    /// # Errors
    /// [`Error::TokenSequence`] for an id or a length beyond the checkpoint's.
    pub(super) fn append(
        &self,
        tokens: &Tokens,
        row: usize,
        to: &mut Vec<f32>,
    ) -> Result<Range<usize>> {
        let refused = |expected, found| Error::TokenSequence { row, expected, found };
        let (ids, start) = (tokens.get(row).unwrap_or_default(), to.len());
        let places = self.positions.len() / self.dim;
        if ids.len() > places {
            let expected = format!("at most {places} tokens");
            return Err(refused(expected, format!("{} tokens", ids.len())));
        }
        for (&id, position) in ids.iter().zip(self.positions.chunks_exact(self.dim)) {
            let word = self.words.chunks_exact(self.dim).nth(id as usize).ok_or_else(|| {
                let expected = format!("tokens below {}", self.words.len() / self.dim);
                refused(expected, id.to_string())
            })?;
            to.extend(word.iter().zip(position).map(|(word, position)| word + position));
        }
        Ok(start..to.len())
    }
}
