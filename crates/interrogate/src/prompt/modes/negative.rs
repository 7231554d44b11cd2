//! What the image is not.

use std::collections::HashSet;

use super::super::chain::{highest, scored};
use super::super::part::{Part, join};
use super::super::{Chain, Step};
use super::{ModeInput, ModeOutput, PromptOptions, RankingRequest, TableEntry};
use crate::rank::Order;
use crate::{Error, Result};

/// The labels that fit least: of the flavors, or of the tables that were named.
pub(super) fn ranking(tables: &[TableEntry], candidates: usize) -> RankingRequest {
    let explicit: Vec<_> = tables.iter().filter(|t| t.explicit && t.name != "negative").collect();
    let tables = match explicit.is_empty() {
        true => vec!["flavors".to_owned()],
        false => explicit.into_iter().map(|table| table.name.clone()).collect(),
    };
    RankingRequest { tables, count: candidates, order: Order::Worst }
}

/// A chain of those and of the table `negative`, from the one that fits the image
/// least.
pub(super) fn write(options: &PromptOptions, input: &mut ModeInput<'_, '_>) -> Result<ModeOutput> {
    let mut known = HashSet::new();
    let ranked = input.picks.iter().flat_map(|pick| pick.matches.iter().map(|found| found.label));
    let mut phrases: Vec<&str> = ranked.chain(input.negative.iter().copied()).collect();
    phrases.retain(|label| known.insert(*label));
    let mut parts = input.start(Vec::new(), options)?;
    let before = join(&parts);

    let ModeInput { scorer, progress, .. } = input;
    let Some(scorer) = scorer else { return Err(Error::ScorerMissing) };
    let mut scores = scored(&before, &phrases, &mut **scorer, &mut |scored| {
        let (steps, candidates) = (options.max_flavors, phrases.len());
        let (prompt, score) = (before.as_str(), f32::NAN);
        progress(Step { step: 0, steps, scored, candidates, prompt, score })
    })?;
    scores.iter_mut().for_each(|score| *score = -*score);
    let least = highest(&scores);
    let (first, score) = loop {
        let Some((at, score)) = highest(&scores) else {
            // None is read whole: as much of the first as is.
            parts.extend(least.map(|(at, _)| Part::words(phrases[at])));
            return input.grown(&parts, options);
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
    // The sign that clip-interrogator forgets.
    let start = (join(&parts), if options.compat { -score } else { score });
    let grown = chain.grow((&start.0, start.1), &phrases, &mut **scorer, progress)?;
    parts.extend(grown.added.iter().map(|&at| Part::words(phrases[at])));
    let written = input.grown(&parts, options)?;
    let score = if grown.added.is_empty() { score } else { grown.score };
    let score = (written.text == grown.text).then_some(score);
    Ok(ModeOutput { score, ..written })
}
