//! Scores of a sequence from reduced logits: the tokens that a search may choose.
//!
//! Logits processors change the scores of few tokens, the altered ones, which are known
//! beforehand. So the logits of the altered tokens and the best of all tokens are enough: with
//! `n` altered tokens, the best `n + k` have at least `k` that are not altered.

use super::logits_processor::{Scores, distinct, process};
use super::{GenerationConfig, Limits};
use crate::nn::{LogitsRequest, ReducedLogits, TokenLogit};

/// The most candidates that are requested of the device. A search that needs more reads all
/// logits.
const MAX_CANDIDATES: usize = 256;

/// The tokens after which a score is wanted, and what may change it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) options: &'a GenerationConfig,
    pub(super) limits: &'a Limits,
    /// The prompt's tokens, then the generated ones.
    pub(super) ids: &'a [u32],
    /// Number of generated tokens.
    pub(super) generated: usize,
}

/// What a sequence needs of its logits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Number of the best tokens.
    pub(super) candidates: usize,
    /// The tokens whose logits are needed in any case.
    pub(super) tokens: Vec<u32>,
}

/// The reduced logits of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReducedRow<'a> {
    /// The log-sum-exp over the vocabulary.
    pub(super) log_sum: f32,
    /// The best tokens, best first.
    pub(super) candidates: &'a [TokenLogit],
    /// The logits of the [`Needs::tokens`].
    pub(super) picked: &'a [f32],
}

/// The scores of the tokens that a search may choose.
#[derive(Clone, Debug)]
pub(super) struct ReducedScores {
    /// Tokens and their scores, in no order.
    pub(super) scores: Vec<(u32, f32)>,
    /// No other token has a greater score; `None` if there are no others.
    pub(super) bound: Option<f32>,
}

impl Context<'_> {
    /// Changes the scores of all tokens.
    pub(super) fn process(&self, scores: &mut [f32]) {
        self.process_any(scores);
        if let Some(token) = self.forced() {
            scores.fill(f32::NEG_INFINITY);
            scores.change(token, |_| 0.0);
        }
    }

    fn process_any<S: Scores + ?Sized>(&self, scores: &mut S) {
        process(self.options, &self.limits.eos, self.ids, self.generated, scores);
    }

    /// The next token, if it does not depend on the scores.
    fn forced(&self) -> Option<u32> {
        self.limits.forced.after(self.generated, self.options.max_new_tokens)
    }

    /// The tokens of `ids` whose altered score depends on their logit. Other altered tokens are
    /// forbidden.
    fn penalized(&self, vocab: usize) -> Vec<u32> {
        let penalty = self.options.repetition_penalty;
        if penalty == 1.0 { Vec::new() } else { distinct(self.ids, vocab) }
    }

    /// What the sequence needs so that at least `count` tokens that are not altered are known.
    pub(super) fn needs(&self, vocab: usize, count: usize) -> Needs {
        if self.forced().is_some() {
            return Needs { candidates: 1, tokens: Vec::new() };
        }
        let mut altered = AlteredTokens(Vec::new());
        self.process_any(&mut altered);
        let altered = distinct(&altered.0, vocab).len();
        Needs { candidates: count.saturating_add(altered), tokens: self.penalized(vocab) }
    }

    /// Returns the processed scores, which are logits minus `shift`.
    pub(super) fn scores(&self, vocab: usize, row: ReducedRow<'_>, shift: f32) -> ReducedScores {
        if let Some(token) = self.forced() {
            return ReducedScores { scores: vec![(token, 0.0)], bound: None };
        }
        let mut altered = AlteredTokens(Vec::new());
        self.process_any(&mut altered);
        let tokens = distinct(&altered.0, vocab);
        // A token without a logit is forbidden, so that its score does not count.
        let mut altered = AlteredScores { scores: vec![0.0; tokens.len()], tokens };
        for (&token, logit) in self.penalized(vocab).iter().zip(row.picked) {
            altered.change(token, |_| logit - shift);
        }
        self.process_any(&mut altered);
        let AlteredScores { tokens, scores } = altered;
        let others = row.candidates.iter();
        let others = others.filter(|candidate| tokens.binary_search(&candidate.token).is_err());
        let others = others.map(|&TokenLogit { token, logit }| (token, logit - shift));
        // Subtraction rounds monotonically: a lower logit has no greater score.
        let bound = row.candidates.last().map_or(f32::INFINITY, |last| last.logit - shift);
        let all = row.candidates.len() >= vocab;
        let bound = (!all).then_some(bound);
        ReducedScores { scores: others.chain(tokens.iter().copied().zip(scores)).collect(), bound }
    }
}

/// Records which tokens are altered.
struct AlteredTokens(Vec<u32>);

impl Scores for AlteredTokens {
    fn change(&mut self, token: u32, _: impl FnOnce(f32) -> f32) {
        self.0.push(token);
    }
}

/// The scores of the altered tokens, ascending.
struct AlteredScores {
    tokens: Vec<u32>,
    scores: Vec<f32>,
}

impl Scores for AlteredScores {
    fn change(&mut self, token: u32, change: impl FnOnce(f32) -> f32) {
        if let Ok(at) = self.tokens.binary_search(&token) {
            self.scores[at] = change(self.scores[at]);
        }
    }
}

/// Joins the needs of all sequences of a step; `None` if they exceed what a device reduces.
pub(super) fn request(needs: &[Needs]) -> Option<LogitsRequest> {
    let candidates = needs.iter().map(|needs| needs.candidates).max()?;
    let picks = (0u32..).zip(needs);
    let picks = picks.flat_map(|(row, needs)| needs.tokens.iter().map(move |&token| [row, token]));
    (candidates <= MAX_CANDIDATES).then(|| LogitsRequest { candidates, picks: picks.collect() })
}

/// Splits reduced logits by sequence.
pub(super) fn rows<'a>(needs: &[Needs], reduced: &'a ReducedLogits) -> Vec<ReducedRow<'a>> {
    let each = reduced.candidates.len() / reduced.log_sums.len().max(1);
    let mut picked = &reduced.picked[..];
    let row = |(number, (needs, &log_sum)): (usize, (&Needs, &f32))| {
        let (own, rest) = picked.split_at(needs.tokens.len());
        picked = rest;
        let candidates = &reduced.candidates[number * each..][..each];
        ReducedRow { log_sum, candidates, picked: own }
    };
    needs.iter().zip(&reduced.log_sums).enumerate().map(row).collect()
}
