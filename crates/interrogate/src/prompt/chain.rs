//! A prompt that grows phrase by phrase, as long as it fits the image better.

use std::ops::ControlFlow;

use super::part::SEPARATOR;
use super::scorer::Scorer;
use crate::rank::Order;
use crate::{Error, Result};

/// How a chain grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Phrases that are added whether or not the score rises.
    pub min_count: usize,
    /// Phrases that are added at most.
    pub max_count: usize,
    /// Whether scores are to rise (a prompt) or to fall (a negative prompt).
    pub order: Order,
}

/// A chain's best prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainResult {
    /// The prompt.
    pub text: String,
    /// Its score.
    pub score: f32,
    /// The phrases behind its start, by their places among those offered.
    pub added: Vec<usize>,
}

/// How far a chain has come.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Steps that are finished.
    pub step: usize,
    /// Steps at most.
    pub steps: usize,
    /// Candidates of the present step that have a score.
    pub scored: usize,
    /// Candidates of the present step.
    pub candidates: usize,
    /// The prompt so far.
    pub prompt: &'a str,
    /// Its score; NaN where nothing is chosen yet.
    pub score: f32,
}

/// Hears how far a chain has come, before each step and between the blocks of
/// candidates that a step scores. [`ControlFlow::Break`] ends the chain with
/// [`Error::Interrupted`].
pub type Progress<'p> = dyn FnMut(Step<'_>) -> ControlFlow<()> + 'p;

impl Chain {
    /// Adds to `start`, whose score is `score`, one of `phrases` after the other,
    /// at each step the one with which the prompt scores best of those with which
    /// it fits, ties to the phrase that stands first; none is taken twice. Goes on for `min_count` steps at
    /// least, then as long as each prompt scores better than the one before it,
    /// at most `max_count` times, until the prompt fills the model's context, or
    /// until nothing is left. The best prompt on the way is the result: it may be
    /// `start`.
    ///
    /// These are the steps of clip-interrogator 0.6.0's `chain`, with the tie
    /// rule in place of a set's order, with the start's score negated as all
    /// others are where scores are to fall, and without a last phrase that the
    /// model would read half.
    ///
    /// Cost: a step scores all phrases that are left, in blocks of
    /// [`Scorer::block`] phrases.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where `progress` breaks, those of `scorer`.
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
            let offered: Vec<&str> = left.iter().map(|&at| phrases[at]).collect();
            let mut scores = scored(&now.0, &offered, scorer, &mut |scored| {
                let (steps, candidates) = (self.max_count, offered.len());
                let (prompt, score) = (now.0.as_str(), sign * now.1);
                progress(Step { step, steps, scored, candidates, prompt, score })
            })?;
            scores.iter_mut().for_each(|score| *score *= sign);
            let separator = if now.0.is_empty() { "" } else { SEPARATOR };
            let next = loop {
                let Some((at, score)) = highest(&scores) else { break None };
                let text = [&now.0, separator, offered[at]].concat();
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

/// The score of `"{prompt}, {phrase}"` for each of `phrases`, in their order; NaN
/// where `scorer` has none. Scores blocks of phrases in sorted order, so that those
/// which begin alike stay together; `told` hears before each block how many phrases
/// have a score, and may break.
///
/// # Errors
/// [`Error::Interrupted`] where `told` breaks, those of `scorer`.
pub(super) fn scored(
    prompt: &str,
    phrases: &[&str],
    scorer: &mut dyn Scorer,
    told: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>> {
    let mut order: Vec<usize> = (0..phrases.len()).collect();
    order.sort_by_key(|&at| phrases[at]);
    let mut scores = vec![f32::NAN; phrases.len()];
    let size = scorer.block(prompt)?.max(1);
    for (number, block) in order.chunks(size).enumerate() {
        if told(number * size).is_break() {
            return Err(Error::Interrupted);
        }
        let texts: Vec<&str> = block.iter().map(|&at| phrases[at]).collect();
        for (&at, score) in block.iter().zip(scorer.score(prompt, &texts)?) {
            scores[at] = score;
        }
    }
    Ok(scores)
}

/// The first of the highest that are numbers, with its place.
pub(super) fn highest(scores: &[f32]) -> Option<(usize, f32)> {
    let numbers = scores.iter().copied().enumerate().filter(|(_, score)| !score.is_nan());
    numbers.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt's score is the sum of its words' worths, and it holds as many
    /// words as `room`.
    struct Worths {
        worths: &'static [(&'static str, f32)],
        room: usize,
        letters: usize,
        block: usize,
        asked: Vec<usize>,
    }

    impl Worths {
        fn of(&self, prompt: &str) -> f32 {
            let worth = |word: &str| self.worths.iter().find(|(w, _)| *w == word).unwrap().1;
            prompt.split(", ").map(worth).sum()
        }
    }

    impl Scorer for Worths {
        fn score(&mut self, prompt: &str, phrases: &[&str]) -> Result<Vec<f32>> {
            self.asked.push(phrases.len());
            let joined = |phrase: &&str| match prompt {
                "" => self.of(phrase),
                _ => self.of(&format!("{prompt}, {phrase}")),
            };
            Ok(phrases.iter().map(joined).collect())
        }
        fn is_full(&self, prompt: &str) -> Result<bool> {
            Ok(prompt.split(", ").count() >= self.room)
        }
        fn fits(&self, prompt: &str) -> Result<bool> {
            Ok(prompt.len() <= self.letters)
        }
        fn block(&self, _: &str) -> Result<usize> {
            Ok(self.block)
        }
    }

    const WORTHS: [(&str, f32); 5] =
        [("start", 0.0), ("one", 1.0), ("two", 2.0), ("also", 2.0), ("bad", -1.0)];

    fn scorer() -> Worths {
        Worths { worths: &WORTHS, room: 99, letters: 99, block: 99, asked: Vec::new() }
    }

    fn go_on(_: Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn grow(chain: Chain, scorer: &mut Worths) -> (String, f32) {
        let phrases = ["one", "two", "also", "bad"];
        let found = chain.grow(("start", 0.0), &phrases, scorer, &mut go_on).unwrap();
        (found.text, found.score)
    }

    const CHAIN: Chain = Chain { min_count: 0, max_count: 32, order: Order::Best };

    #[test]
    fn the_best_phrase_comes_next_and_ties_go_to_the_first() {
        let mut scorer = scorer();
        assert_eq!(grow(CHAIN, &mut scorer), ("start, two, also, one".into(), 5.0));
        // No phrase is tried twice; "bad" is tried and not taken.
        assert_eq!(scorer.asked, [4, 3, 2, 1]);
    }

    #[test]
    fn it_goes_on_for_the_least_number_of_steps_and_keeps_the_best() {
        let chain = Chain { min_count: 9, ..CHAIN };
        let mut steps = Vec::new();
        let mut told = |step: Step<'_>| {
            steps.push((step.step, step.candidates, step.prompt.to_owned(), step.score));
            ControlFlow::Continue(())
        };
        let phrases = ["one", "bad"];
        let found = chain.grow(("start", 0.0), &phrases, &mut scorer(), &mut told).unwrap();
        assert_eq!(found, ChainResult { text: "start, one".into(), score: 1.0, added: vec![0] });
        assert_eq!(steps, [(0, 2, "start".into(), 0.0), (1, 1, "start, one".into(), 1.0)]);
    }

    #[test]
    fn blocks_change_no_score_and_are_told() {
        for block in [1, 2, 3, 99] {
            let mut scorer = Worths { block, ..scorer() };
            let mut scored = Vec::new();
            let mut told = |step: Step<'_>| {
                scored.push((step.step, step.scored));
                ControlFlow::Continue(())
            };
            let phrases = ["one", "two", "also", "bad"];
            let found = CHAIN.grow(("start", 0.0), &phrases, &mut scorer, &mut told).unwrap();
            assert_eq!((found.text.as_str(), found.score), ("start, two, also, one", 5.0));
            if block == 2 {
                assert_eq!(scored, [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (3, 0)]);
                assert_eq!(scorer.asked, [2, 2, 2, 1, 2, 1]);
            }
        }
    }

    #[test]
    fn a_negative_chain_takes_the_lowest() {
        let chain = Chain { order: Order::Worst, ..CHAIN };
        assert_eq!(grow(chain, &mut scorer()), ("start, bad".into(), -1.0));
    }

    #[test]
    fn it_ends_where_the_context_or_the_count_does() {
        assert_eq!(grow(Chain { max_count: 1, ..CHAIN }, &mut scorer()).0, "start, two");
        assert_eq!(grow(Chain { max_count: 0, ..CHAIN }, &mut scorer()).0, "start");
        let mut narrow = Worths { room: 3, ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow).0, "start, two, also");
    }

    #[test]
    fn what_would_be_read_half_is_passed_over() {
        let mut narrow = Worths { letters: "start, also, two".len(), ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow).0, "start, two, also");
        let mut narrow = Worths { letters: "start, two, one".len(), ..scorer() };
        assert_eq!(grow(CHAIN, &mut narrow), ("start, two, one".into(), 3.0));
        let phrases = ["one", "two", "also", "bad"];
        let found = CHAIN.grow(("start", 0.0), &phrases, &mut narrow, &mut go_on).unwrap();
        assert_eq!(found.added, [1, 0]);
    }

    #[test]
    fn a_break_between_steps_or_blocks_interrupts() {
        for (block, calls) in [(99, 0), (99, 1), (1, 1), (1, 2)] {
            let mut left = calls;
            let mut stop = |_: Step<'_>| match left {
                0 => ControlFlow::Break(()),
                _ => {
                    left -= 1;
                    ControlFlow::Continue(())
                }
            };
            let mut scorer = Worths { block, ..scorer() };
            let phrases = ["one", "two"];
            let error = CHAIN.grow(("start", 0.0), &phrases, &mut scorer, &mut stop).unwrap_err();
            assert!(matches!(error, Error::Interrupted), "{error}");
            assert_eq!(scorer.asked.len(), calls);
        }
    }

    #[test]
    fn no_phrase_leaves_the_start_and_an_empty_start_no_comma() {
        let found = CHAIN.grow(("start", 0.5), &[], &mut scorer(), &mut go_on).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("start", 0.5));
        let found =
            CHAIN.grow(("", f32::NEG_INFINITY), &["one"], &mut scorer(), &mut go_on).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("one", 1.0));
    }
}
