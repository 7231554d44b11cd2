//! The search for a caption: step by step the likeliest tokens.
//!
//! Owns the loop over steps and what leaves it when. Between the loop and a
//! model stands [`Decoder`], so that all of this is tested without weights.
//! Each image has a [`Memory`] of its own and no padding: its rows go through
//! the products beside those of other images, and only attention tells them
//! apart. Greedy and beam search compute what transformers' `generate` defines
//! (version 5.23, `generation/utils.py`: `_sample`, `_beam_search`).

mod beam;
mod greedy;
mod memory;
mod options;
mod process;
mod sample;
#[cfg(test)]
mod tests;

pub use options::{EarlyStopping, Generation, Sampling};

pub(crate) use memory::{Input, Memory, Prompt, Row, Step};

use super::Progress;
use super::states::States;
use crate::nn::threads::inside;
use crate::{Error, Result};

/// What a language model's configuration says to a search.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Tokens in the vocabulary.
    pub(crate) vocab: usize,
    /// Positions that the model has room for.
    pub(crate) positions: usize,
    /// Tokens that end a caption.
    pub(crate) end: Vec<u32>,
}

/// A language model that reads a position at a time.
pub(crate) trait Decoder: Sync {
    /// What its configuration says.
    fn limits(&self) -> &Limits;

    /// The last hidden states of the rows, (rows, dim). Appends a row of keys
    /// and values to the memory of each row's image, in the order of the rows.
    fn hidden(&self, memories: &mut [Memory], rows: &[Row<'_>]) -> Result<States>;

    /// The scores of the next token, (rows, vocab).
    fn logits(&self, hidden: &States) -> Result<States>;
}

/// A generated sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generated {
    pub(crate) tokens: Vec<u32>,
    pub(crate) score: Option<f32>,
}

/// A sequence that goes on: the token to be read next, and the rows of the
/// image's memory that it follows, in order.
#[derive(Clone, Debug, PartialEq)]
struct Live {
    token: u32,
    chain: Vec<u32>,
}

/// The state of one image's search.
trait Search {
    /// The sequences to be read next; none when the search has ended.
    fn live(&self) -> &[Live];

    /// Takes the scores of what follows each of them, (live, vocab), in their
    /// order. `rows` are the rows that their tokens got in the memory.
    fn advance(&mut self, rows: &[u32], logits: &mut [f32]);

    /// The best sequence.
    fn finish(self: Box<Self>) -> Generated;
}

/// Holds `options` against `decoder`, for prompts of at most `longest` inputs.
///
/// # Errors
/// [`Error::Generation`] for the first option that is out of range.
pub(crate) fn check(decoder: &dyn Decoder, options: &Generation, longest: usize) -> Result<()> {
    let Limits { vocab, positions, end } = decoder.limits();
    options.check(*vocab, end.len(), *positions, longest)
}

/// Generates a sequence for each prompt, in their order. `watch` is called
/// after each step.
///
/// # Errors
/// [`Error::Generation`], [`Error::Scores`], and those of the decoder.
pub(crate) fn generate(
    decoder: &dyn Decoder,
    mut prompts: Vec<Prompt>,
    options: &Generation,
    watch: &mut dyn FnMut(Progress),
) -> Result<Vec<Generated>> {
    let longest = prompts.iter().map(|prompt| prompt.inputs.len()).max().unwrap_or(0);
    check(decoder, options, longest)?;
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let Limits { vocab, end, .. } = decoder.limits();
    let vocab = *vocab;
    let mut done: Vec<Option<Generated>> = prompts.iter().map(|_| None).collect();
    let mut progress = Progress { images: 0, tokens: 0 };

    // The prompts, all positions of all images at once.
    let mut memories: Vec<Memory> =
        prompts.iter_mut().map(|prompt| std::mem::take(&mut prompt.memory)).collect();
    let mut rows = Vec::new();
    let mut last = Vec::with_capacity(prompts.len());
    for (image, prompt) in prompts.iter().enumerate() {
        for (place, input) in prompt.inputs.iter().enumerate() {
            let chain = (0..place as u32).collect();
            rows.push(Row { memory: image, input: input.borrow(), chain });
        }
        last.push(rows.len() - 1);
    }
    let mut logits = inside(|| {
        let hidden = decoder.hidden(&mut memories, &rows)?.select(&last);
        decoder.logits(&hidden).map(States::into_values)
    })?;

    let search = |(image, prompt): (usize, &Prompt)| -> (usize, Box<dyn Search>) {
        let chain: Vec<u32> = (0..prompt.inputs.len() as u32 - 1).collect();
        let ids = prompt.ids.clone();
        let end = end.clone();
        match options.num_beams {
            1 => (image, Box::new(greedy::Greedy::new(ids, chain, end, options, image))),
            _ => (image, Box::new(beam::Beam::new(ids, chain, end, options))),
        }
    };
    let mut open: Vec<_> = prompts.iter().enumerate().map(search).collect();
    let mut places: Vec<Vec<u32>> =
        prompts.iter().map(|prompt| vec![prompt.inputs.len() as u32 - 1]).collect();

    loop {
        // Each search takes its part of the scores; what has ended leaves.
        let mut left = logits.as_mut_slice();
        let mut going = Vec::with_capacity(open.len());
        for ((image, mut search), places) in open.into_iter().zip(&places) {
            let (own, others) = left.split_at_mut(places.len() * vocab);
            left = others;
            if own.iter().any(|score| score.is_nan()) {
                return Err(Error::Scores { image });
            }
            search.advance(places, own);
            progress.tokens += 1;
            if search.live().is_empty() {
                done[image] = Some(search.finish());
                memories[image] = Memory::default(); // its room is free
                progress.images += 1;
            } else {
                going.push((image, search));
            }
        }
        watch(progress);
        open = going;
        if open.is_empty() {
            break;
        }

        // One more position of every sequence that goes on.
        let mut rows = Vec::new();
        for (image, search) in &open {
            let live = search.live().iter();
            rows.extend(live.map(|live| Row {
                memory: *image,
                input: Input::Token(live.token),
                chain: live.chain.clone(),
            }));
        }
        places = open
            .iter()
            .map(|(image, search)| {
                let first = memories[*image].rows();
                (first..first + search.live().len() as u32).collect()
            })
            .collect();
        logits = inside(|| {
            let hidden = decoder.hidden(&mut memories, &rows)?;
            decoder.logits(&hidden).map(States::into_values)
        })?;
    }
    // Every search ended above, so that nothing is missing.
    Ok(done.into_iter().flatten().collect())
}
