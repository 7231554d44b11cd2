//! Caption generation: greedy search, sampling and beam search over a language model.
//!
//! Owns the loop over steps and when an image leaves the batch. [`Decoder`] separates the loop
//! from the models, so it is tested without weights. There is no padding: all images share the
//! matrix products, and attention keeps them apart. They share one KV cache, and a sequence is a
//! list of its row indices, so beams share their common rows, and splitting or reordering beams
//! copies none. Greedy and beam search compute what transformers' `generate` defines (version
//! 5.23, `generation/utils.py`: `_sample`, `_beam_search`).

mod beam_search;
mod config;
mod greedy;
mod logits_processor;
mod reduced;
mod sampling;
mod step;

#[cfg(test)]
mod tests;

pub use config::{CaptionTask, EarlyStopping, GenerationConfig, Sampling};

pub(crate) use step::{Input, Prompt, Row, Step};

use reduced::{Needs, ReducedRow};

use super::Progress;
use crate::error::CaptionError;
use crate::nn::threads::in_pool;
use crate::nn::{LogitsRequest, ReducedLogits};
use crate::{Error, Result};

/// The part of a language model's configuration that a search needs.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Tokens in the vocabulary.
    pub(crate) vocab: usize,
    /// Maximum number of positions.
    pub(crate) positions: usize,
    /// End-of-sequence tokens.
    pub(crate) eos: Vec<u32>,
    pub(crate) forced: Forced,
}

/// Tokens that a sequence has whatever their scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forced {
    /// The first generated token.
    pub(crate) first: Option<u32>,
    /// The last token of a sequence of the maximum length.
    pub(crate) last: Option<u32>,
}

impl Forced {
    /// Returns the token that follows `generated` tokens, of at most `most`.
    fn after(self, generated: usize, most: usize) -> Option<u32> {
        let last = self.last.filter(|_| generated + 1 == most);
        last.or(self.first.filter(|_| generated == 0))
    }
}

/// A language model that reads a step's positions at a time.
pub(crate) trait Decoder: Sync {
    /// The state of a batch between steps, such as its KV cache.
    type State: Send + Sync;

    /// Returns the model's limits.
    fn limits(&self) -> &Limits;

    /// Reads the positions of `step`, and keeps the logits of the token after each scored
    /// position, (scored, vocab), in `state`.
    fn read(&self, state: &mut Self::State, step: &Step) -> Result<()>;

    /// Reduces the logits of the last step to the parts that `request` names; `None` if reading
    /// them all costs no more.
    fn reduce_logits(
        &self,
        state: &Self::State,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>>;

    /// Takes the logits of the last step out of `state`.
    fn logits(&self, state: &mut Self::State) -> Result<Vec<f32>>;
}

/// A generated sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sequence {
    pub(crate) tokens: Vec<u32>,
    pub(crate) score: Option<f32>,
}

/// The next input of a sequence: a token, and the rows of the KV cache before it, in order.
#[derive(Clone, Debug, PartialEq)]
struct NextInput {
    token: u32,
    cache_rows: Vec<u32>,
}

/// The search of one image.
trait Search {
    /// Returns the inputs of the next step; none if the search has ended.
    fn next_inputs(&self) -> &[NextInput];

    /// Continues the search with the logits (inputs, vocab) after each input, in order. `rows`
    /// are the rows of the KV cache that the inputs were written to.
    fn advance(&mut self, rows: &[u32], logits: &mut [f32]);

    /// Returns what the search needs of the next logits of each input, of `vocab` tokens; `None`
    /// if it needs them all.
    fn needs(&self, vocab: usize) -> Option<Vec<Needs>>;

    /// Continues the search as [`advance`](Self::advance) would, with reduced logits. Returns
    /// `false` and changes nothing if it needs all logits.
    fn advance_reduced(&mut self, rows: &[u32], vocab: usize, reduced: &[ReducedRow<'_>]) -> bool;

    /// Returns the best sequence.
    fn finish(self: Box<Self>) -> Sequence;
}

/// Checks `options` against `limits`, for prompts of at most `longest` inputs.
///
/// # Errors
/// [`CaptionError::Generation`] for the first option that is out of range.
pub(crate) fn check(limits: &Limits, options: &GenerationConfig, longest: usize) -> Result<()> {
    options.check(limits.vocab, limits.eos.len(), limits.positions, longest)
}

/// Generates a sequence for each prompt, in their order. `state` is the state of their batch.
/// `on_progress` is called after each step.
///
/// # Errors
/// [`CaptionError::Generation`], [`CaptionError::Logits`], and those of the decoder.
pub(crate) fn generate<D: Decoder>(
    decoder: &D,
    mut state: D::State,
    prompts: &[Prompt],
    options: &GenerationConfig,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Sequence>> {
    let longest = prompts.iter().map(|prompt| prompt.cached.len() + prompt.inputs.len());
    let longest = longest.max().unwrap_or(0);
    check(decoder.limits(), options, longest)?;
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let limits = decoder.limits();
    let vocab = limits.vocab;
    let mut sequences: Vec<Option<Sequence>> = prompts.iter().map(|_| None).collect();
    let mut progress = Progress { images: 0, tokens: 0 };

    // The first step reads all prompts.
    let first = prompts.iter().map(|prompt| prompt.cached.end).max().unwrap_or(0);
    let mut step = Step { rows: Vec::new(), first, scored: Vec::new() };
    let mut searches: Vec<(usize, Box<dyn Search>)> = Vec::with_capacity(prompts.len());
    for (image, Prompt { inputs, ids, cached }) in prompts.iter().enumerate() {
        let start = first + step.rows.len() as u32;
        let before = |row: u32| cached.clone().chain(start..row).collect();
        for (row, &input) in (start..).zip(inputs) {
            step.rows.push(Row { image, input, cache_rows: before(row) });
        }
        let last = step.rows.len() as u32 - 1;
        step.scored.push(last);
        let (before, ids) = (before(first + last), ids.clone());
        searches.push(match options.num_beams {
            1 => (image, Box::new(greedy::GreedySearch::new(ids, before, limits, options, image))),
            _ => (image, Box::new(beam_search::BeamSearch::new(ids, before, limits, options))),
        });
    }
    // The scored rows of each search.
    let mut rows: Vec<Vec<u32>> = step.scored.iter().map(|&row| vec![first + row]).collect();

    loop {
        in_pool(|| decoder.read(&mut state, &step))?;
        let needs: Option<Vec<_>> =
            searches.iter().map(|(_, search)| search.needs(vocab)).collect();
        let needs = needs.unwrap_or_default().concat();
        let request = reduced::request(&needs);
        let reduced = request.map(|request| in_pool(|| decoder.reduce_logits(&state, &request)));
        let reduced = reduced.transpose()?.flatten();
        let reduced = reduced.as_ref().map(|reduced| reduced::rows(&needs, reduced));
        // All logits, read when the first search needs them.
        let mut logits: Option<Vec<f32>> = None;
        // Pass each search its part of the logits, and remove the searches that end.
        let mut start = 0;
        let mut live = Vec::with_capacity(searches.len());
        for ((image, mut search), rows) in searches.into_iter().zip(&rows) {
            let own = start..start + rows.len();
            start = own.end;
            let enough = reduced.as_ref().is_some_and(|reduced| {
                let own = &reduced[own.clone()];
                own.iter().all(|row| row.log_sum.is_finite())
                    && search.advance_reduced(rows, vocab, own)
            });
            if !enough {
                let logits = match &mut logits {
                    Some(logits) => logits,
                    None => logits.insert(in_pool(|| decoder.logits(&mut state))?),
                };
                let own = &mut logits[own.start * vocab..own.end * vocab];
                if own.iter().any(|score| score.is_nan()) {
                    return Err(Error::Caption(CaptionError::Logits { image }));
                }
                search.advance(rows, own);
            }
            progress.tokens += 1;
            if search.next_inputs().is_empty() {
                sequences[image] = Some(search.finish());
                progress.images += 1;
            } else {
                live.push((image, search));
            }
        }
        on_progress(progress);
        searches = live;
        if searches.is_empty() {
            break;
        }

        // The next step reads one more position of every live sequence.
        let first = step.first + step.rows.len() as u32;
        step = Step { rows: Vec::new(), first, scored: Vec::new() };
        rows.clear();
        for (image, search) in &searches {
            let start = first + step.rows.len() as u32;
            let inputs = search.next_inputs().iter();
            step.rows.extend(inputs.map(|input| Row {
                image: *image,
                input: Input::Token(input.token),
                cache_rows: input.cache_rows.clone(),
            }));
            rows.push((start..first + step.rows.len() as u32).collect());
        }
        step.scored = (0..step.rows.len() as u32).collect();
    }
    // Every search has ended, so no sequence is missing.
    Ok(sequences.into_iter().flatten().collect())
}
