//! The chain of `Model.chain`: a prompt that grows phrase by phrase.

use std::ops::ControlFlow;

use interrogate::Result;
use interrogate::encoder::Features;
use interrogate::prompt::{Chain, ChainResult, ChainScorer, Scorer, Step, TokenBudget};
use interrogate::rank::Order;

use crate::model::Model;

/// A chain and the prompt that it starts from.
pub(crate) struct Growth<'a> {
    pub(crate) chain: Chain,
    /// The first prompt; if it is empty, the phrase that fits the image best, or least.
    pub(crate) start: &'a str,
    /// The score of `start`, if it is known.
    pub(crate) score: Option<f32>,
    /// Whether prompts may exceed the model's context, as those of clip-interrogator do.
    pub(crate) exceed: bool,
}

impl Growth<'_> {
    /// Grows the chain by `phrases`.
    pub(crate) fn grow(
        &self,
        model: &Model,
        features: &Features,
        mut phrases: Vec<String>,
        progress: &mut dyn FnMut(Step<'_>) -> ControlFlow<()>,
    ) -> Result<ChainResult> {
        let (encoder, counter) = (model.text_encoder()?, model.counter()?);
        let mut scorer = ChainScorer::new(&*encoder, features);
        if !self.exceed {
            scorer = scorer.within(TokenBudget::new(&*counter, None));
        }
        let mut start = self.start.to_owned();
        if start.is_empty() && !phrases.is_empty() {
            let scores = scorer.score("", &references(&phrases))?;
            start = phrases.remove(first(&scores, self.chain.order));
        }
        let score = match self.score {
            Some(score) if !self.start.is_empty() => score,
            _ => scorer.score("", &[&start])?.first().copied().unwrap_or(f32::NAN),
        };
        self.chain.grow((&start, score), &references(&phrases), &mut scorer, progress)
    }
}

fn references(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Returns the position of the highest score, or of the lowest; ties go to the first.
fn first(scores: &[f32], order: Order) -> usize {
    let sign = if order == Order::Best { -1.0 } else { 1.0 };
    let positions = scores.iter().enumerate();
    let first = positions.min_by(|(_, a), (_, b)| (sign * **a).total_cmp(&(sign * **b)));
    first.map_or(0, |(at, _)| at)
}
