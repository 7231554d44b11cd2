//! The inputs of one step of a language model.

use std::ops::Range;

use crate::nn::{RowLists, Span};

/// The input at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A token of the vocabulary.
    Token(u32),
    /// A row of the batch's image embeddings, by index.
    Image(u32),
}

/// The start of a caption.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The inputs of the first step, at least one.
    pub(crate) inputs: Vec<Input>,
    /// The tokens that count for the repetition options.
    pub(crate) ids: Vec<u32>,
    /// The rows of the KV cache before the inputs: those that the batch's state already has for
    /// the image.
    pub(crate) cached: Range<u32>,
}

/// A position that a step reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The index of its image in the batch.
    pub(crate) image: usize,
    pub(crate) input: Input,
    /// The rows of the KV cache before it, in order. They may be rows that the same step writes.
    pub(crate) cache_rows: Vec<u32>,
}

/// The positions that are read together. Row `i` is written to row `first + i` of the KV cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) rows: Vec<Row>,
    pub(crate) first: u32,
    /// The rows whose logits are needed, by index in this step, ascending.
    pub(crate) scored: Vec<u32>,
}

impl Step {
    /// Returns the input at each position.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Input> + '_ {
        self.rows.iter().map(|row| row.input)
    }

    /// Returns the index of each position in its sequence, plus `offset`.
    pub(crate) fn positions(&self, offset: isize) -> Vec<u32> {
        let position = |row: &Row| row.cache_rows.len().saturating_add_signed(offset) as u32;
        self.rows.iter().map(position).collect()
    }

    /// Whether the logits after every position are needed.
    pub(crate) fn scores_all(&self) -> bool {
        self.scored.len() == self.rows.len()
    }

    /// Returns the rows of the KV cache that each row attends to: those before it, then its own.
    pub(crate) fn lists(&self) -> RowLists {
        RowLists::new(self.rows.len(), |row, list| {
            list.extend_from_slice(&self.rows[row].cache_rows);
            list.push(self.first + row as u32);
        })
    }

    /// Returns the rows of each image, and the image's `states` rows that they attend to.
    pub(crate) fn images(&self, states: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let rows = row.image * states..(row.image + 1) * states;
            match spans.last_mut().filter(|span| span.rows == rows) {
                Some(span) => span.queries.end = number + 1,
                None => spans.push(Span { queries: number..number + 1, rows }),
            }
        }
        spans
    }
}
