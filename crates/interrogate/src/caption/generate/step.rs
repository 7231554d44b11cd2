//! What a language model reads in one step.

use crate::nn::{RowLists, Span};

/// What stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A token of the vocabulary.
    Token(u32),
    /// A row of the image embeddings, by its number among those of the batch.
    Image(u32),
}

/// What a caption begins from.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The positions to be read first, at least one.
    pub(crate) inputs: Vec<Input>,
    /// The tokens that the options on repetition look back at.
    pub(crate) ids: Vec<u32>,
}

/// A position to be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The number of its image in the batch.
    pub(crate) image: usize,
    pub(crate) input: Input,
    /// The rows of the KV cache that come before it, in order; those that rows of the same
    /// step write included.
    pub(crate) chain: Vec<u32>,
}

/// The positions that are read together. Row `i` becomes row `first + i` of the KV cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) rows: Vec<Row>,
    pub(crate) first: u32,
    /// The numbers of those rows of this step whose next token is asked for, ascending.
    pub(crate) scored: Vec<u32>,
}

impl Step {
    /// What stands at each position.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Input> + '_ {
        self.rows.iter().map(|row| row.input)
    }

    /// The place of each position in its sequence, from `offset` on.
    pub(crate) fn positions(&self, offset: usize) -> Vec<u32> {
        self.rows.iter().map(|row| (row.chain.len() + offset) as u32).collect()
    }

    /// For each row the rows of the KV cache that it attends to: its chain, then itself.
    pub(crate) fn lists(&self) -> RowLists {
        RowLists::new(self.rows.len(), |row, list| {
            list.extend_from_slice(&self.rows[row].chain);
            list.push(self.first + row as u32);
        })
    }

    /// The rows of each image, and the image's `states` rows that they attend to.
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
