//! The chain: a prompt that grows phrase by phrase while its score improves.

use std::ops::ControlFlow;

use super::part::SEPARATOR;
use super::scorer::Scorer;
use crate::rank::Order;
use crate::{Error, Result};

/// The bounds and the direction of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of phrases to add even if the score does not improve.
    pub min_count: usize,
    /// The maximum number of phrases to add.
    pub max_count: usize,
    /// [`Order::Best`] raises the score (a prompt), [`Order::Worst`] lowers it (a
    /// negative prompt).
    pub order: Order,
}

/// The best prompt of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainResult {
    /// The prompt.
    pub text: String,
    /// Its score.
    pub score: f32,
    /// The phrases after the start, as indexes into the candidates, in the order added.
    pub added: Vec<usize>,
}

/// The progress of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The number of finished steps.
    pub step: usize,
    /// The maximum number of steps.
    pub steps: usize,
    /// The number of candidates of the current step that have a score.
    pub scored: usize,
    /// The number of candidates of the current step.
    pub candidates: usize,
    /// The prompt so far.
    pub prompt: &'a str,
    /// Its score; NaN if nothing has been chosen yet.
    pub score: f32,
}

/// A progress callback, called before each step and between the blocks of candidates
/// that a step scores. [`ControlFlow::Break`] ends the chain with
/// [`Error::Interrupted`].
pub type Progress<'p> = dyn FnMut(Step<'_>) -> ControlFlow<()> + 'p;

impl Chain {
    /// Grows the prompt `start`, whose score is `score`, by one of `phrases` at each
    /// step, and returns the best prompt found, which may be `start` itself.
    ///
    /// A step adds the phrase that gives the best-scoring prompt that still fits
    /// ([`Scorer::fits`]); ties go to the lower index, and a phrase is added once. The
    /// chain stops when, after `min_count` steps, a prompt scores no better than the one
    /// before it, after `max_count` steps, when the prompt fills the model's context
    /// ([`Scorer::is_full`]), or when no phrase is left that fits.
    ///
    /// This is `chain` of clip-interrogator 0.6.0 with three differences: ties are
    /// decided by index instead of a set's order; for [`Order::Worst`] the score of the
    /// start is negated like all others; and a last phrase that the model would truncate
    /// is not added.
    ///
    /// Cost: a step scores every remaining phrase, in blocks of [`Scorer::block`]
    /// phrases.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if `progress` breaks, and the errors of `scorer`.
    pub fn grow(
        &self,
        (start, score): (&str, f32),
        phrases: &[&str],
        scorer: &mut dyn Scorer,
        progress: &mut Progress<'_>,
    ) -> Result<ChainResult> {
        let sign = if self.order == Order::Best { 1.0 } else { -1.0 };
        let mut left: Vec<usize> = (0..phrases.len()).collect();
        let mut now = (start.to_owned(), sign * score);
        let mut added = Vec::new();
        let (mut best, mut best_added) = (now.clone(), 0);
        for step in 0..self.max_count {
            let candidates: Vec<&str> = left.iter().map(|&at| phrases[at]).collect();
            let mut scores = score_all(&now.0, &candidates, scorer, &mut |scored| {
                let (steps, candidates) = (self.max_count, candidates.len());
                let (prompt, score) = (now.0.as_str(), sign * now.1);
                progress(Step { step, steps, scored, candidates, prompt, score })
            })?;
            scores.iter_mut().for_each(|score| *score *= sign);
            let separator = if now.0.is_empty() { "" } else { SEPARATOR };
            let next = loop {
                let Some((at, score)) = highest(&scores) else { break None };
                let text = [&now.0, separator, candidates[at]].concat();
                if scorer.fits(&text)? {
                    break Some((at, (text, score)));
                }
                scores[at] = f32::NAN;
            };
            let Some((at, next)) = next else { break };
            added.push(left.remove(at));
            if next.1 > best.1 {
                (best, best_added) = (next.clone(), added.len());
            }
            if next.1 <= now.1 && step >= self.min_count {
                break;
            }
            now = next;
            if scorer.is_full(&now.0)? {
                break;
            }
        }
        added.truncate(best_added);
        Ok(ChainResult { text: best.0, score: sign * best.1, added })
    }
}

/// Returns the score of `"{prompt}, {phrase}"` for each of `phrases`, in order; NaN if
/// `scorer` returns none.
///
/// Blocks are scored in sorted order, so that phrases with a common prefix share its
/// tokens. `progress` is called before each block with the number of phrases scored so
/// far, and may break.
///
/// # Errors
/// [`Error::Interrupted`] if `progress` breaks, and the errors of `scorer`.
pub(super) fn score_all(
    prompt: &str,
    phrases: &[&str],
    scorer: &mut dyn Scorer,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>> {
    let mut order: Vec<usize> = (0..phrases.len()).collect();
    order.sort_by_key(|&at| phrases[at]);
    let mut scores = vec![f32::NAN; phrases.len()];
    let size = scorer.block(prompt)?.max(1);
    for (number, block) in order.chunks(size).enumerate() {
        if progress(number * size).is_break() {
            return Err(Error::Interrupted);
        }
        let texts: Vec<&str> = block.iter().map(|&at| phrases[at]).collect();
        for (&at, score) in block.iter().zip(scorer.score(prompt, &texts)?) {
            scores[at] = score;
        }
    }
    Ok(scores)
}

/// Returns the index and the value of the highest score, the first of equal ones; NaN is
/// skipped.
pub(super) fn highest(scores: &[f32]) -> Option<(usize, f32)> {
    let numbers = scores.iter().copied().enumerate().filter(|(_, score)| !score.is_nan());
    numbers.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores a prompt by the sum of its words' scores.
    struct WordScorer {
        scores: &'static [(&'static str, f32)],
        max_words: usize,
        max_bytes: usize,
        block: usize,
        /// The number of phrases in each call of `score`.
        calls: Vec<usize>,
    }

    impl WordScorer {
        fn of(&self, prompt: &str) -> f32 {
            let score = |word: &str| self.scores.iter().find(|(w, _)| *w == word).unwrap().1;
            prompt.split(", ").map(score).sum()
        }
    }

    impl Scorer for WordScorer {
        fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>> {
            self.calls.push(phrases.len());
            let joined = |phrase: &&str| match prompt {
                "" => self.of(phrase),
                _ => self.of(&format!("{prompt}, {phrase}")),
            };
            Ok(phrases.iter().map(joined).collect())
        }
        fn is_full(&self, prompt: &str) -> Result<bool> {
            Ok(prompt.split(", ").count() >= self.max_words)
        }
        fn fits(&self, prompt: &str) -> Result<bool> {
            Ok(prompt.len() <= self.max_bytes)
        }
        fn block(&self, _: &str) -> Result<usize> {
            Ok(self.block)
        }
    }

    const SCORES: [(&str, f32); 5] =
        [("start", 0.0), ("one", 1.0), ("two", 2.0), ("also", 2.0), ("bad", -1.0)];

    fn scorer() -> WordScorer {
        WordScorer { scores: &SCORES, max_words: 99, max_bytes: 99, block: 99, calls: Vec::new() }
    }

    fn ignore(_: Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn grow(chain: Chain, scorer: &mut WordScorer) -> (String, f32) {
        let phrases = ["one", "two", "also", "bad"];
        let found = chain.grow(("start", 0.0), &phrases, scorer, &mut ignore).unwrap();
        (found.text, found.score)
    }

    const CHAIN: Chain = Chain { min_count: 0, max_count: 32, order: Order::Best };

    #[test]
    fn each_step_adds_the_best_phrase_and_ties_go_to_the_first() {
        let mut scorer = scorer();
        assert_eq!(grow(CHAIN, &mut scorer), ("start, two, also, one".into(), 5.0));
        // An added phrase is not scored again; "bad" is scored and not added.
        assert_eq!(scorer.calls, [4, 3, 2, 1]);
    }

    #[test]
    fn a_chain_takes_min_count_steps_and_returns_the_best_prompt() {
        let chain = Chain { min_count: 9, ..CHAIN };
        let mut steps = Vec::new();
        let mut progress = |step: Step<'_>| {
            steps.push((step.step, step.candidates, step.prompt.to_owned(), step.score));
            ControlFlow::Continue(())
        };
        let phrases = ["one", "bad"];
        let found = chain.grow(("start", 0.0), &phrases, &mut scorer(), &mut progress).unwrap();
        assert_eq!(found, ChainResult { text: "start, one".into(), score: 1.0, added: vec![0] });
        assert_eq!(steps, [(0, 2, "start".into(), 0.0), (1, 1, "start, one".into(), 1.0)]);
    }

    #[test]
    fn block_size_changes_no_score_and_blocks_are_reported() {
        for block in [1, 2, 3, 99] {
            let mut scorer = WordScorer { block, ..scorer() };
            let mut scored = Vec::new();
            let mut progress = |step: Step<'_>| {
                scored.push((step.step, step.scored));
                ControlFlow::Continue(())
            };
            let phrases = ["one", "two", "also", "bad"];
            let found = CHAIN.grow(("start", 0.0), &phrases, &mut scorer, &mut progress).unwrap();
            assert_eq!((found.text.as_str(), found.score), ("start, two, also, one", 5.0));
            if block == 2 {
                assert_eq!(scored, [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (3, 0)]);
                assert_eq!(scorer.calls, [2, 2, 2, 1, 2, 1]);
            }
        }
    }

    #[test]
    fn order_worst_adds_the_lowest_scoring_phrase() {
        let chain = Chain { order: Order::Worst, ..CHAIN };
        assert_eq!(grow(chain, &mut scorer()), ("start, bad".into(), -1.0));
    }

    #[test]
    fn a_chain_ends_at_max_count_or_a_full_context() {
        assert_eq!(grow(Chain { max_count: 1, ..CHAIN }, &mut scorer()).0, "start, two");
        assert_eq!(grow(Chain { max_count: 0, ..CHAIN }, &mut scorer()).0, "start");
        let mut narrow = WordScorer { max_words: 3, ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow).0, "start, two, also");
    }

    #[test]
    fn a_phrase_that_does_not_fit_is_skipped() {
        let mut narrow = WordScorer { max_bytes: "start, also, two".len(), ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow).0, "start, two, also");
        let mut narrow = WordScorer { max_bytes: "start, two, one".len(), ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow), ("start, two, one".into(), 3.0));
        let phrases = ["one", "two", "also", "bad"];
        let found = CHAIN.grow(("start", 0.0), &phrases, &mut narrow, &mut ignore).unwrap();
        assert_eq!(found.added, [1, 0]);
    }

    #[test]
    fn a_break_between_steps_or_blocks_interrupts() {
        for (block, calls) in [(99, 0), (99, 1), (1, 1), (1, 2)] {
            let mut left = calls;
            let mut interrupt = |_: Step<'_>| match left {
                0 => ControlFlow::Break(()),
                _ => {
                    left -= 1;
                    ControlFlow::Continue(())
                }
            };
            let mut scorer = WordScorer { block, ..scorer() };
            let phrases = ["one", "two"];
            let error =
                CHAIN.grow(("start", 0.0), &phrases, &mut scorer, &mut interrupt).unwrap_err();
            assert!(matches!(error, Error::Interrupted), "{error}");
            assert_eq!(scorer.calls.len(), calls);
        }
    }

    #[test]
    fn no_phrases_return_the_start_and_an_empty_start_adds_no_comma() {
        let found = CHAIN.grow(("start", 0.5), &[], &mut scorer(), &mut ignore).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("start", 0.5));
        let found =
            CHAIN.grow(("", f32::NEG_INFINITY), &["one"], &mut scorer(), &mut ignore).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("one", 1.0));
    }
}
