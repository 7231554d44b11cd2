//! What a decoder remembers of an image: keys and values, a row a position.
//!
//! Rows are written once and never moved. A sequence is a list of row numbers,
//! so that beams share what they have in common, and a beam that splits in two
//! or moves to another place costs its list and no row.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::super::attention::{Cache, Heads};
use super::super::blip2::engine::Pool;
use super::super::states::States;

/// The keys and values of one image: `layers` of what was read so far, `across`
/// of the image's states, for decoders that attend to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    layers: Vec<Cache>,
    across: Vec<Cache>,
    rows: u32,
    /// For a decoder on a device: where the rows are, and their numbers there.
    pool: Option<Arc<Mutex<Pool>>>,
    places: Vec<u32>,
}

/// What stands at a position.
#[derive(Clone, Debug)]
pub(crate) enum Input<E> {
    /// A token of the vocabulary.
    Token(u32),
    /// An embedding that no token has: a row of the Q-Former's.
    Embedding(E),
}

impl Input<Vec<f32>> {
    pub(crate) fn borrow(&self) -> Input<&[f32]> {
        match self {
            Input::Token(token) => Input::Token(*token),
            Input::Embedding(values) => Input::Embedding(values),
        }
    }
}

/// What a caption begins from.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The positions to be read first, at least one.
    pub(crate) inputs: Vec<Input<Vec<f32>>>,
    /// The tokens that the options on repetition look back at.
    pub(crate) ids: Vec<u32>,
    /// Holds `across` already, and no row.
    pub(crate) memory: Memory,
}

impl Prompt {
    /// Prompts that the decoder reads whole: one for each of `inputs`, its memory from
    /// `memory`; `ids` are the tokens of each.
    pub(crate) fn whole(
        inputs: Vec<Vec<Input<Vec<f32>>>>,
        ids: &[u32],
        memory: impl Fn() -> Memory,
    ) -> Vec<Prompt> {
        let prompt = |inputs| Prompt { inputs, ids: ids.to_vec(), memory: memory() };
        inputs.into_iter().map(prompt).collect()
    }
}

/// A position to be read.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The number of its image's memory.
    pub(crate) memory: usize,
    pub(crate) input: Input<&'a [f32]>,
    /// The rows of the memory that come before it, in order; those that rows of
    /// the same step write included.
    pub(crate) chain: Vec<u32>,
}

impl Row<'_> {
    /// Its place in the sequence, from 0.
    pub(crate) fn position(&self) -> usize {
        self.chain.len()
    }
}

impl Memory {
    /// An empty memory of so many layers.
    pub(crate) fn new(layers: usize, across: Vec<Cache>) -> Self {
        Memory { layers: vec![Cache::default(); layers], across, ..Memory::default() }
    }

    /// An empty memory whose rows will be in `pool`.
    pub(crate) fn on_device(pool: Arc<Mutex<Pool>>) -> Self {
        Memory { pool: Some(pool), ..Memory::default() }
    }

    /// Where the rows are, if on a device.
    pub(crate) fn pool(&self) -> Option<Arc<Mutex<Pool>>> {
        self.pool.clone()
    }

    /// Says which row of the pool the next row is.
    pub(crate) fn place(&mut self, row: u32) {
        self.places.push(row);
    }

    /// Where the keys of the image's states stand, a layer each.
    #[cfg(test)]
    pub(crate) fn across(&self) -> Vec<*const f32> {
        self.across.iter().map(Cache::place).collect()
    }

    /// Rows written so far.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }
}

/// One reading of many rows: which row of its memory each of them becomes.
#[derive(Debug)]
pub(crate) struct Step {
    /// For each row, the rows it sees: its chain, then itself.
    seen: Vec<Vec<u32>>,
    memories: Vec<usize>,
}

impl Step {
    /// Numbers `rows` behind what the memories hold.
    pub(crate) fn new(memories: &mut [Memory], rows: &[Row<'_>]) -> Self {
        let number = |row: &Row<'_>| {
            let memory = &mut memories[row.memory];
            let mut seen = row.chain.clone();
            seen.push(memory.rows);
            memory.rows += 1;
            seen
        };
        let seen = rows.iter().map(number).collect();
        Step { seen, memories: rows.iter().map(|row| row.memory).collect() }
    }

    /// Appends to `all` the rows of the pool that `row` sees.
    pub(crate) fn places(&self, memories: &[Memory], row: usize, all: &mut Vec<u32>) {
        let places = &memories[self.memories[row]].places;
        all.extend(self.seen[row].iter().map(|&seen| places[seen as usize]));
    }

    /// Writes a layer's keys and values, a row for each row of the step.
    pub(crate) fn remember<'v>(
        &self,
        memories: &mut [Memory],
        layer: usize,
        keys: impl Iterator<Item = &'v [f32]>,
        values: impl Iterator<Item = &'v [f32]>,
    ) {
        for ((&memory, key), value) in self.memories.iter().zip(keys).zip(values) {
            memories[memory].layers[layer].push(key, value);
        }
    }

    /// Each row's query (rows, dim) to the rows of its memory's `layer` that it
    /// sees, on all threads; `bias` of (head, place, place of the query) is
    /// added to the scaled products. Gives (rows, dim).
    pub(crate) fn attend(
        &self,
        memories: &[Memory],
        layer: usize,
        heads: Heads,
        queries: &States,
        bias: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> States {
        self.each(queries, |row, query, out| {
            let seen = &self.seen[row];
            let cache = &memories[self.memories[row]].layers[layer];
            let last = seen.len() - 1; // itself, which is always there
            cache.attend(heads, query, seen, |head, place| bias(head, place, last), out);
        })
    }

    /// Each row's query (rows, dim) to all of the image that its memory holds
    /// for `layer`, on all threads. Gives (rows, dim).
    pub(crate) fn attend_across(
        &self,
        memories: &[Memory],
        layer: usize,
        heads: Heads,
        queries: &States,
    ) -> States {
        self.each(queries, |row, query, out| {
            let cache = &memories[self.memories[row]].across[layer];
            let seen: Vec<u32> = (0..cache.len(query.len()) as u32).collect();
            cache.attend(heads, query, &seen, |_, _| 0.0, out);
        })
    }

    fn each(&self, queries: &States, attend: impl Fn(usize, &[f32], &mut [f32]) + Sync) -> States {
        let dim = queries.dim();
        let mut out = States::zeros(queries.len(), dim);
        let rows = out.values_mut().par_chunks_mut(dim).zip(queries.values().par_chunks(dim));
        rows.enumerate().for_each(|(row, (out, query))| attend(row, query, out));
        out
    }
}
