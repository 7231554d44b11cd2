//! Several sequences side by side: at each step the likeliest of all that
//! follow any of them.
//!
//! Ties go to the lower beam, then to the lower token.

use rayon::prelude::*;

use super::process::process;
use super::{EarlyStopping, Generated, Generation, Live, Search};

/// The state of one image.
pub(super) struct Beam {
    options: Generation,
    end: Vec<u32>,
    /// The prompt's tokens.
    prompt: Vec<u32>,
    /// The sequences that go on, best first; `live` of each at the same place.
    running: Vec<Running>,
    live: Vec<Live>,
    /// At most `num_beams` sequences that have ended, best first.
    ended: Vec<Ended>,
    /// Whether a sequence that goes on can still come in.
    open: bool,
}

struct Running {
    /// Generated tokens.
    tokens: Vec<u32>,
    /// The sum of their log-probabilities.
    score: f32,
    /// The rows read before the last token.
    chain: Vec<u32>,
}

struct Ended {
    tokens: Vec<u32>,
    score: f32,
}

/// A token that may follow a sequence.
#[derive(Clone, Copy)]
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
}

impl Beam {
    /// `chain` are the rows before the one whose scores come first.
    pub(super) fn new(
        prompt: Vec<u32>,
        chain: Vec<u32>,
        end: Vec<u32>,
        options: &Generation,
    ) -> Self {
        // One beam stands for all, which would be alike before the first token.
        let running = vec![Running { tokens: Vec::new(), score: 0.0, chain }];
        let options = options.clone();
        Beam { options, end, prompt, running, live: Vec::new(), ended: Vec::new(), open: true }
    }

    /// Scores after `length` tokens by the length penalty.
    fn penalised(&self, score: f32, length: usize) -> f32 {
        // The power in f64 and the quotient in f32, as Python and torch do.
        score / (length as f64).powf(f64::from(self.options.length_penalty)) as f32
    }

    fn full(&self) -> bool {
        self.ended.len() == self.options.num_beams
    }

    /// The best candidates, best first: enough that `num_beams` of them go on
    /// though every beam may end.
    fn candidates(&self, vocab: usize, logits: &mut [f32]) -> Vec<Candidate> {
        let keep = (self.end.len() + 1).max(2) * self.options.num_beams;
        let mut best: Vec<Candidate> = Vec::with_capacity(keep + 1);
        logits.par_chunks_mut(vocab).for_each(log_softmax);
        for (beam, (running, scores)) in
            self.running.iter().zip(logits.chunks_exact_mut(vocab)).enumerate()
        {
            let ids: Vec<u32> = self.prompt.iter().chain(&running.tokens).copied().collect();
            process(&self.options, &self.end, &ids, running.tokens.len(), scores);
            for (token, score) in (0u32..).zip(scores.iter()) {
                let score = score + running.score;
                if best.len() == keep && best.last().is_some_and(|last| score <= last.score) {
                    continue;
                }
                let place = best.partition_point(|other| other.score >= score);
                best.insert(place, Candidate { beam, token, score });
                best.truncate(keep);
            }
        }
        best
    }

    /// Whether the best sequence that goes on could still beat the worst of
    /// those that have ended.
    fn improvable(&self, length: usize) -> bool {
        let (Some(best), Some(worst)) = (self.running.first(), self.ended.last()) else {
            return true;
        };
        let favours_long = self.options.length_penalty > 0.0;
        let length = match self.options.early_stopping {
            EarlyStopping::Never if favours_long => self.options.max_new_tokens,
            _ => length,
        };
        !self.full() || self.penalised(best.score, length) > worst.score
    }
}

impl Search for Beam {
    fn live(&self) -> &[Live] {
        &self.live
    }

    fn advance(&mut self, rows: &[u32], logits: &mut [f32]) {
        let vocab = logits.len() / rows.len();
        let candidates = self.candidates(vocab, logits);
        let length = self.running.first().map_or(0, |running| running.tokens.len()) + 1;
        let last = length >= self.options.max_new_tokens;
        let (mut running, mut live) = (Vec::new(), Vec::new());
        for (rank, &Candidate { beam, token, score }) in candidates.iter().enumerate() {
            let parent = &self.running[beam];
            let tokens = || parent.tokens.iter().copied().chain([token]).collect();
            if last || self.end.contains(&token) {
                // The rest stand by only to take the place of what ends.
                if rank < self.options.num_beams {
                    let score = self.penalised(score, length);
                    let place = self.ended.partition_point(|other| other.score >= score);
                    self.ended.insert(place, Ended { tokens: tokens(), score });
                    self.ended.truncate(self.options.num_beams);
                }
            } else if running.len() < self.options.num_beams {
                let chain: Vec<u32> = parent.chain.iter().copied().chain([rows[beam]]).collect();
                live.push(Live { token, chain: chain.clone() });
                running.push(Running { tokens: tokens(), score, chain });
            }
        }
        (self.running, self.live) = (running, live);
        self.open = self.open && self.improvable(length);
        let satisfied = self.options.early_stopping == EarlyStopping::Full && self.full();
        if !self.open || satisfied {
            self.live.clear();
        }
    }

    fn finish(self: Box<Self>) -> Generated {
        // At its last step a search ends every sequence, so that there is one.
        match self.ended.into_iter().next() {
            Some(best) => Generated { tokens: best.tokens, score: Some(best.score) },
            None => Generated { tokens: Vec::new(), score: None },
        }
    }
}

fn log_softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - max).exp()).sum();
    let shift = max + sum.ln();
    scores.iter_mut().for_each(|score| *score -= shift);
}
