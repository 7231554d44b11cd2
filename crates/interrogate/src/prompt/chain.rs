//! A prompt that grows phrase by phrase, as long as it fits the image better.

use std::ops::ControlFlow;

use super::part::SEPARATOR;
use super::scorer::Scorer;
use crate::Result;
use crate::rank::Order;

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
pub struct Chained {
    /// The prompt.
    pub text: String,
    /// Its score.
    pub score: f32,
    /// The phrases behind its start, by their places among those offered.
    pub added: Vec<usize>,
}

/// A step of a chain, as its progress tells it.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// How many phrases were tried for a place so far, this one included.
    pub step: usize,
    /// How many that may become.
    pub steps: usize,
    /// The prompt now.
    pub prompt: &'a str,
    /// Its score.
    pub score: f32,
}

impl Chain {
    /// Adds to `start`, whose score is `score`, one of `phrases` after the other,
    /// at each step the one with which the prompt scores best of those with which
    /// it fits, ties to the phrase that stands first; none is taken twice. Goes on for `min_count` steps at
    /// least, then as long as each prompt scores better than the one before it,
    /// at most `max_count` times, until the prompt fills the model's context,
    /// until nothing is left, or until `progress`, called after every step,
    /// breaks. The best prompt on the way is the result: it may be `start`.
    ///
    /// These are the steps of clip-interrogator 0.6.0's `chain`, with the tie
    /// rule in place of a set's order, with the start's score negated as all
    /// others are where scores are to fall, and without a last phrase that the
    /// model would read half.
    ///
    /// Cost: a call of `scorer` a step, with all phrases that are left.
    ///
    /// # Errors
    /// Those of `scorer`.
    pub fn grow(
        &self,
        (start, score): (&str, f32),
        phrases: &[&str],
        scorer: &mut dyn Scorer,
        mut progress: impl FnMut(Step<'_>) -> ControlFlow<()>,
    ) -> Result<Chained> {
        let sign = if self.order == Order::Best { 1.0 } else { -1.0 };
        let mut left: Vec<usize> = (0..phrases.len()).collect();
        let mut now = (start.to_owned(), sign * score);
        let mut added = Vec::new();
        let (mut best, mut best_added) = (now.clone(), 0);
        for step in 0..self.max_count {
            let offered: Vec<&str> = left.iter().map(|&at| phrases[at]).collect();
            let mut scores = scorer.score(&now.0, &offered)?;
            scores.truncate(offered.len()); // as its contract says
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
            let told =
                Step { step: step + 1, steps: self.max_count, prompt: &now.0, score: sign * now.1 };
            if progress(told).is_break() || scorer.is_full(&now.0)? {
                break;
            }
        }
        added.truncate(best_added);
        Ok(Chained { text: best.0, score: sign * best.1, added })
    }
}

/// The first of the highest that are numbers, with its place.
fn highest(scores: &[f32]) -> Option<(usize, f32)> {
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
    }

    const WORTHS: [(&str, f32); 5] =
        [("start", 0.0), ("one", 1.0), ("two", 2.0), ("also", 2.0), ("bad", -1.0)];

    fn scorer() -> Worths {
        Worths { worths: &WORTHS, room: 99, letters: 99, asked: Vec::new() }
    }

    fn grow(chain: Chain, scorer: &mut Worths) -> (String, f32) {
        let phrases = ["one", "two", "also", "bad"];
        let go_on = |_: Step<'_>| ControlFlow::Continue(());
        let found = chain.grow(("start", 0.0), &phrases, scorer, go_on).unwrap();
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
        let told = |step: Step<'_>| {
            steps.push((step.step, step.steps, step.prompt.to_owned(), step.score));
            ControlFlow::Continue(())
        };
        let phrases = ["one", "bad"];
        let found = chain.grow(("start", 0.0), &phrases, &mut scorer(), told).unwrap();
        assert_eq!(found, Chained { text: "start, one".into(), score: 1.0, added: vec![0] });
        let whole = "start, one, bad".to_owned();
        assert_eq!(steps, [(1, 32, "start, one".into(), 1.0), (2, 32, whole, 0.0)]);
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
        let go_on = |_: Step<'_>| ControlFlow::Continue(());
        let found = CHAIN.grow(("start", 0.0), &phrases, &mut narrow, go_on).unwrap();
        assert_eq!(found.added, [1, 0]);
    }

    #[test]
    fn it_stops_when_told() {
        let stop = |_: Step<'_>| ControlFlow::Break(());
        let found = CHAIN.grow(("start", 0.0), &["one", "two"], &mut scorer(), stop).unwrap();
        assert_eq!(found.text, "start, two");
    }

    #[test]
    fn no_phrase_leaves_the_start_and_an_empty_start_no_comma() {
        let go_on = |_: Step<'_>| ControlFlow::Continue(());
        let found = CHAIN.grow(("start", 0.5), &[], &mut scorer(), go_on).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("start", 0.5));
        let found = CHAIN.grow(("", f32::NEG_INFINITY), &["one"], &mut scorer(), go_on).unwrap();
        assert_eq!((found.text.as_str(), found.score), ("one", 1.0));
    }
}
