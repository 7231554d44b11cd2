//! The search for a caption: step by step the likeliest tokens.
//!
//! Owns the loop over steps and what leaves it when. Between the loop and a
//! model stands [`Decoder`], so that all of this is tested without weights.
//! Nothing is padded: the rows of an image go through the products beside those of
//! other images, and only attention tells them apart. All share one KV cache; a
//! sequence is a list of its row numbers, so that beams share what they have in common,
//! and a beam that splits in two or moves to another place copies no row. Greedy and
//! beam search compute what transformers' `generate` defines (version 5.23,
//! `generation/utils.py`: `_sample`, `_beam_search`).

mod beam;
mod greedy;
mod options;
mod process;
mod sample;
mod step;
#[cfg(test)]
mod tests;

pub use options::{EarlyStopping, Generation, Sampling};

pub(crate) use step::{Input, Prompt, Row, Step};

use super::Progress;
use crate::nn::threads::in_pool;
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

/// A language model that reads some positions at a time.
pub(crate) trait Decoder: Sync {
    /// What is kept of a batch between its steps, its KV cache above all.
    type State: Send;

    /// What its configuration says.
    fn limits(&self) -> &Limits;

    /// Reads the positions of `step`, and gives the scores of the next token behind those
    /// that are asked for, (scored, vocab).
    fn read(&self, state: &mut Self::State, step: &Step) -> Result<Vec<f32>>;
}

/// A generated sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generated {
    pub(crate) tokens: Vec<u32>,
    pub(crate) score: Option<f32>,
}

/// A sequence that goes on: the token to be read next, and the rows of the KV cache that it
/// follows, in order.
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
    /// order. `rows` are the rows of the KV cache that their tokens got.
    fn advance(&mut self, rows: &[u32], logits: &mut [f32]);

    /// The best sequence.
    fn finish(self: Box<Self>) -> Generated;
}

/// Compares `options` with `limits`, for prompts of at most `longest` inputs.
///
/// # Errors
/// [`Error::Generation`] for the first option that is out of range.
pub(crate) fn check(limits: &Limits, options: &Generation, longest: usize) -> Result<()> {
    options.check(limits.vocab, limits.end.len(), limits.positions, longest)
}

/// Generates a sequence for each prompt, in their order, where `state` is of their batch.
/// `watch` is called after each step.
///
/// # Errors
/// [`Error::Generation`], [`Error::Scores`], and those of the decoder.
pub(crate) fn generate<D: Decoder>(
    decoder: &D,
    mut state: D::State,
    prompts: &[Prompt],
    options: &Generation,
    watch: &mut dyn FnMut(Progress),
) -> Result<Vec<Generated>> {
    let longest = prompts.iter().map(|prompt| prompt.inputs.len()).max().unwrap_or(0);
    check(decoder.limits(), options, longest)?;
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let Limits { vocab, end, .. } = decoder.limits();
    let vocab = *vocab;
    let mut done: Vec<Option<Generated>> = prompts.iter().map(|_| None).collect();
    let mut progress = Progress { images: 0, tokens: 0 };

    // The prompts, all positions of all images at once.
    let mut step = Step { rows: Vec::new(), first: 0, scored: Vec::new() };
    let mut open: Vec<(usize, Box<dyn Search>)> = Vec::with_capacity(prompts.len());
    for (image, Prompt { inputs, ids }) in prompts.iter().enumerate() {
        let start = step.rows.len() as u32;
        for (place, &input) in (start..).zip(inputs) {
            step.rows.push(Row { image, input, chain: (start..place).collect() });
        }
        let last = step.rows.len() as u32 - 1;
        step.scored.push(last);
        let (chain, ids, end) = ((start..last).collect(), ids.clone(), end.clone());
        open.push(match options.num_beams {
            1 => (image, Box::new(greedy::Greedy::new(ids, chain, end, options, image))),
            _ => (image, Box::new(beam::Beam::new(ids, chain, end, options))),
        });
    }
    // The rows that each search is given scores for.
    let mut rows: Vec<Vec<u32>> = step.scored.iter().map(|&row| vec![row]).collect();

    loop {
        let mut logits = in_pool(|| decoder.read(&mut state, &step))?;
        // Each search takes its part of the scores; what has ended leaves.
        let mut left = logits.as_mut_slice();
        let mut going = Vec::with_capacity(open.len());
        for ((image, mut search), rows) in open.into_iter().zip(&rows) {
            let (own, others) = left.split_at_mut(rows.len() * vocab);
            left = others;
            if own.iter().any(|score| score.is_nan()) {
                return Err(Error::Scores { image });
            }
            search.advance(rows, own);
            progress.tokens += 1;
            if search.live().is_empty() {
                done[image] = Some(search.finish());
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
        let first = step.first + step.rows.len() as u32;
        step = Step { rows: Vec::new(), first, scored: Vec::new() };
        rows.clear();
        for (image, search) in &open {
            let start = first + step.rows.len() as u32;
            let live = search.live().iter();
            step.rows.extend(live.map(|live| Row {
                image: *image,
                input: Input::Token(live.token),
                chain: live.chain.clone(),
            }));
            rows.push((start..first + step.rows.len() as u32).collect());
        }
        step.scored = (0..step.rows.len() as u32).collect();
    }
    // Every search ended above, so that nothing is missing.
    Ok(done.into_iter().flatten().collect())
}
