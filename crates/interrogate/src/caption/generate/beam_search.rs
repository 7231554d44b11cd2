//! Beam search: at each step the most likely continuations of all beams.
//!
//! Ties go to the lower beam, then to the lower token.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::reduced::{Context, Needs, ReducedRow};
use super::{EarlyStopping, GenerationConfig, Limits, NextInput, Search, Sequence};
use crate::nn::log_sum_exp;

/// Tokens that are requested beyond the necessary number, so that the last one of these rarely
/// has the same score as a token that was not requested.
const SPARE: usize = 6;

/// The beam search of one image.
pub(super) struct BeamSearch {
    options: GenerationConfig,
    limits: Limits,
    /// The prompt's tokens.
    prompt: Vec<u32>,
    /// The live beams, best first.
    beams: Vec<Beam>,
    /// The next input of each live beam, in the same order; empty once the search has stopped.
    inputs: Vec<NextInput>,
    /// At most `num_beams` finished hypotheses, best first.
    finished: Vec<Hypothesis>,
    /// Whether a live beam may still become one of the finished hypotheses.
    improvable: bool,
}

/// A live beam.
struct Beam {
    /// Generated tokens.
    tokens: Vec<u32>,
    /// The sum of their log-probabilities.
    score: f32,
    /// The rows of the KV cache before the last token.
    cache_rows: Vec<u32>,
}

/// A finished sequence; its score includes the length penalty.
struct Hypothesis {
    tokens: Vec<u32>,
    score: f32,
}

/// A token that may continue a beam.
#[derive(Clone, Copy)]
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
}

impl BeamSearch {
    /// `cache_rows` are the rows before the one whose logits come first.
    pub(super) fn new(
        prompt: Vec<u32>,
        cache_rows: Vec<u32>,
        limits: &Limits,
        options: &GenerationConfig,
    ) -> Self {
        // All beams would be equal before the first token, so there is only one.
        let beams = vec![Beam { tokens: Vec::new(), score: 0.0, cache_rows }];
        BeamSearch {
            options: options.clone(),
            limits: limits.clone(),
            prompt,
            beams,
            inputs: Vec::new(),
            finished: Vec::new(),
            improvable: true,
        }
    }

    /// Applies the length penalty to the score of a sequence of `length` tokens.
    fn penalized(&self, score: f32, length: usize) -> f32 {
        // The power in f64 and the quotient in f32, as Python and torch do.
        score / (length as f64).powf(f64::from(self.options.length_penalty)) as f32
    }

    fn is_full(&self) -> bool {
        self.finished.len() == self.options.num_beams
    }

    /// Number of candidates of a step: enough that `num_beams` remain even if every beam has a
    /// candidate for each end-of-sequence token.
    fn keep(&self) -> usize {
        (self.limits.eos.len() + 1).max(2).saturating_mul(self.options.num_beams)
    }

    /// The prompt's tokens and those of `beam`.
    fn ids(&self, beam: &Beam) -> Vec<u32> {
        self.prompt.iter().chain(&beam.tokens).copied().collect()
    }

    fn context<'a>(&'a self, beam: &Beam, ids: &'a [u32]) -> Context<'a> {
        Context { options: &self.options, limits: &self.limits, ids, generated: beam.tokens.len() }
    }

    /// Returns the best candidates, best first.
    fn candidates(&self, vocab: usize, logits: &mut [f32]) -> Vec<Candidate> {
        let keep = self.keep();
        let mut best: Vec<Candidate> = Vec::with_capacity(keep + 1);
        logits.par_chunks_mut(vocab).for_each(log_softmax);
        for (beam, (parent, scores)) in
            self.beams.iter().zip(logits.chunks_exact_mut(vocab)).enumerate()
        {
            let ids = self.ids(parent);
            self.context(parent, &ids).process(scores);
            for (token, score) in (0u32..).zip(scores.iter()) {
                let score = score + parent.score;
                if best.len() == keep && best.last().is_some_and(|last| score <= last.score) {
                    continue;
                }
                let rank = best.partition_point(|other| other.score >= score);
                best.insert(rank, Candidate { beam, token, score });
                best.truncate(keep);
            }
        }
        best
    }

    /// Returns the same candidates from reduced logits, or `None` if these do not tell them: if
    /// the last candidate's score does not exceed that of every unknown token. Scores may be
    /// equal where logits are not, because they are rounded.
    fn reduced_candidates(
        &self,
        vocab: usize,
        reduced: &[ReducedRow<'_>],
    ) -> Option<Vec<Candidate>> {
        let (mut best, mut bound) = (Vec::new(), None::<f32>);
        for (beam, (parent, row)) in self.beams.iter().zip(reduced).enumerate() {
            let ids = self.ids(parent);
            let scores = self.context(parent, &ids).scores(vocab, *row, row.log_sum);
            let candidate = |(token, score)| Candidate { beam, token, score: score + parent.score };
            best.extend(scores.scores.into_iter().map(candidate));
            let unknown = scores.bound.map(|score| score + parent.score);
            bound = bound.into_iter().chain(unknown).reduce(f32::max);
        }
        // Both zeros are equal, unlike with `total_cmp`; no score is NaN.
        best.sort_unstable_by(|a, b| {
            let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
            by_score.then(a.beam.cmp(&b.beam)).then(a.token.cmp(&b.token))
        });
        best.truncate(self.keep());
        let known = match (best.last(), bound) {
            (_, None) => true,
            (Some(last), Some(bound)) => best.len() == self.keep() && last.score > bound,
            (None, Some(_)) => false,
        };
        known.then_some(best)
    }

    /// Continues the search with the best candidates; `rows` are the rows of the KV cache that
    /// its beams were written to.
    fn extend(&mut self, rows: &[u32], candidates: &[Candidate]) {
        let length = self.beams.first().map_or(0, |beam| beam.tokens.len()) + 1;
        let last_step = length >= self.options.max_new_tokens;
        // A forbidden token continues no beam, unless all are forbidden.
        let possible = candidates.iter().any(|candidate| candidate.score > f32::NEG_INFINITY);
        let (mut beams, mut inputs) = (Vec::new(), Vec::new());
        for (rank, &Candidate { beam, token, score }) in candidates.iter().enumerate() {
            if possible && score == f32::NEG_INFINITY {
                continue;
            }
            let parent = &self.beams[beam];
            let tokens = || parent.tokens.iter().copied().chain([token]).collect();
            if last_step || self.limits.eos.contains(&token) {
                // Candidates below the first `num_beams` only replace beams that end.
                if rank < self.options.num_beams {
                    let score = self.penalized(score, length);
                    let rank = self.finished.partition_point(|other| other.score >= score);
                    self.finished.insert(rank, Hypothesis { tokens: tokens(), score });
                    self.finished.truncate(self.options.num_beams);
                }
            } else if beams.len() < self.options.num_beams {
                let own = [rows[beam]];
                let cache_rows: Vec<u32> = parent.cache_rows.iter().copied().chain(own).collect();
                inputs.push(NextInput { token, cache_rows: cache_rows.clone() });
                beams.push(Beam { tokens: tokens(), score, cache_rows });
            }
        }
        (self.beams, self.inputs) = (beams, inputs);
        if self.stops(length) {
            self.inputs.clear();
        }
    }

    /// Whether the search stops after `length` generated tokens.
    fn stops(&mut self, length: usize) -> bool {
        // Once no beam can improve the result, none ever can.
        self.improvable = self.improvable && self.can_improve(length);
        let first_full = self.options.early_stopping == EarlyStopping::Full && self.is_full();
        !self.improvable || first_full
    }

    /// Whether the best live beam could beat the worst finished hypothesis.
    fn can_improve(&self, length: usize) -> bool {
        let (Some(best), Some(worst)) = (self.beams.first(), self.finished.last()) else {
            return true;
        };
        let favors_long = self.options.length_penalty > 0.0;
        let length = match self.options.early_stopping {
            EarlyStopping::Never if favors_long => self.options.max_new_tokens,
            _ => length,
        };
        !self.is_full() || self.penalized(best.score, length) > worst.score
    }
}

impl Search for BeamSearch {
    fn next_inputs(&self) -> &[NextInput] {
        &self.inputs
    }

    fn advance(&mut self, rows: &[u32], logits: &mut [f32]) {
        let vocab = logits.len() / rows.len();
        let candidates = self.candidates(vocab, logits);
        self.extend(rows, &candidates);
    }

    fn needs(&self, vocab: usize) -> Option<Vec<Needs>> {
        let count = self.keep().saturating_add(SPARE);
        let needs = |beam: &Beam| self.context(beam, &self.ids(beam)).needs(vocab, count);
        Some(self.beams.iter().map(needs).collect())
    }

    fn advance_reduced(&mut self, rows: &[u32], vocab: usize, reduced: &[ReducedRow<'_>]) -> bool {
        let Some(candidates) = self.reduced_candidates(vocab, reduced) else { return false };
        self.extend(rows, &candidates);
        true
    }

    fn finish(self: Box<Self>) -> Sequence {
        // The last step finishes every beam, so there is a hypothesis.
        match self.finished.into_iter().next() {
            Some(best) => Sequence { tokens: best.tokens, score: Some(best.score) },
            None => Sequence { tokens: Vec::new(), score: None },
        }
    }
}

fn log_softmax(scores: &mut [f32]) {
    let shift = log_sum_exp(scores);
    scores.iter_mut().for_each(|score| *score -= shift);
}
