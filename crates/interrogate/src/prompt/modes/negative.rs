//! Negative prompts: a chain of the labels that fit the image least.

use std::collections::HashSet;

use super::super::chain::{highest, score_all};
use super::super::part::{Part, join};
use super::super::{Chain, Step};
use super::{ModeInput, ModeOutput, PromptOptions, RankingRequest, TableEntry};
use crate::error::PromptError;
use crate::rank::Order;
use crate::{Error, Result};

/// Requests the labels that fit least, of the flavors or of the tables that the user named.
pub(super) fn ranking(tables: &[TableEntry], candidates: usize) -> RankingRequest {
    let explicit: Vec<_> = tables.iter().filter(|t| t.explicit && t.name != "negative").collect();
    let tables = if explicit.is_empty() {
        vec!["flavors".to_owned()]
    } else {
        explicit.into_iter().map(|table| table.name.clone()).collect()
    };
    RankingRequest { tables, count: candidates, order: Order::Worst }
}

/// Grows a chain from the label that fits the image least, over the ranked labels and those
/// of the table `negative`.
pub(super) fn write(options: &PromptOptions, input: &mut ModeInput<'_, '_>) -> Result<ModeOutput> {
    let mut known = HashSet::new();
    let ranked = input.picks.iter().flat_map(|pick| pick.matches.iter().map(|found| found.label));
    let mut phrases: Vec<&str> = ranked.chain(input.negative.iter().copied()).collect();
    phrases.retain(|label| known.insert(*label));
    let mut parts = input.chain_start(Vec::new(), options.compat)?;
    let before = join(&parts);

    let ModeInput { scorer, progress, .. } = input;
    let Some(scorer) = scorer else { return Err(Error::Prompt(PromptError::ScorerMissing)) };
    let mut scores = score_all(&before, &phrases, &mut **scorer, &mut |scored| {
        let (steps, candidates) = (options.max_flavors, phrases.len());
        let (prompt, score) = (before.as_str(), f32::NAN);
        progress(Step { step: 0, steps, scored, candidates, prompt, score })
    })?;
    scores.iter_mut().for_each(|score| *score = -*score);
    let least = highest(&scores);
    let (first, score) = loop {
        let Some((at, score)) = highest(&scores) else {
            // No label fits: cut the one that fits the image least.
            parts.extend(least.map(|(at, _)| Part::words(phrases[at])));
            return input.chain_output(&parts, options.compat);
        };
        if scorer.fits(&join(&[&parts[..], &[Part::words(phrases[at])]].concat()))? {
            break (at, -score);
        }
        scores[at] = f32::NAN;
    };
    parts.push(Part::words(phrases.remove(first)));

    let chain = Chain {
        min_count: options.min_flavors,
        max_count: options.max_flavors,
        order: Order::Worst,
    };
    // clip-interrogator does not negate the score of the start.
    let start = (join(&parts), if options.compat { -score } else { score });
    let grown = chain.grow((&start.0, start.1), &phrases, &mut **scorer, progress)?;
    parts.extend(grown.added.iter().map(|&at| Part::words(phrases[at])));
    let output = input.chain_output(&parts, options.compat)?;
    let score = if grown.added.is_empty() { score } else { grown.score };
    let score = (output.text == grown.text).then_some(score);
    Ok(ModeOutput { score, ..output })
}
