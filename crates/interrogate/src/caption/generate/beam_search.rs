//! Beam search: at each step the most likely continuations of all beams.
//!
//! Ties go to the lower beam, then to the lower token.

use rayon::prelude::*;

use super::logits_processor::process;
use super::{EarlyStopping, GenerationConfig, NextInput, Search, Sequence};

/// The beam search of one image.
pub(super) struct BeamSearch {
    options: GenerationConfig,
    eos: Vec<u32>,
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
        eos: Vec<u32>,
        options: &GenerationConfig,
    ) -> Self {
        // All beams would be equal before the first token, so there is only one.
        let beams = vec![Beam { tokens: Vec::new(), score: 0.0, cache_rows }];
        BeamSearch {
            options: options.clone(),
            eos,
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

    /// Returns the best candidates, best first: enough that `num_beams` remain even if every
    /// beam has a candidate for each end-of-sequence token.
    fn candidates(&self, vocab: usize, logits: &mut [f32]) -> Vec<Candidate> {
        let keep = (self.eos.len() + 1).max(2) * self.options.num_beams;
        let mut best: Vec<Candidate> = Vec::with_capacity(keep + 1);
        logits.par_chunks_mut(vocab).for_each(log_softmax);
        for (beam, (parent, scores)) in
            self.beams.iter().zip(logits.chunks_exact_mut(vocab)).enumerate()
        {
            let ids: Vec<u32> = self.prompt.iter().chain(&parent.tokens).copied().collect();
            process(&self.options, &self.eos, &ids, parent.tokens.len(), scores);
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
        let length = self.beams.first().map_or(0, |beam| beam.tokens.len()) + 1;
        let last_step = length >= self.options.max_new_tokens;
        let (mut beams, mut inputs) = (Vec::new(), Vec::new());
        for (rank, &Candidate { beam, token, score }) in candidates.iter().enumerate() {
            let parent = &self.beams[beam];
            let tokens = || parent.tokens.iter().copied().chain([token]).collect();
            if last_step || self.eos.contains(&token) {
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

    fn finish(self: Box<Self>) -> Sequence {
        // The last step finishes every beam, so there is a hypothesis.
        match self.finished.into_iter().next() {
            Some(best) => Sequence { tokens: best.tokens, score: Some(best.score) },
            None => Sequence { tokens: Vec::new(), score: None },
        }
    }
}

fn log_softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - max).exp()).sum();
    let shift = max + sum.ln();
    scores.iter_mut().for_each(|score| *score -= shift);
}
