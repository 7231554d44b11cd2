//! What the image is not.

use std::collections::HashSet;

use super::super::chain::{highest, scored};
use super::super::part::{Part, join};
use super::super::{Chain, Step};
use super::{Ask, Listed, PromptOptions, Seen, Written};
use crate::rank::Order;
use crate::{Error, Result};

/// The labels that fit least: of the flavors, or of the tables that were named.
pub(super) fn ask(tables: &[Listed], candidates: usize) -> Ask {
    let named: Vec<_> = tables.iter().filter(|t| t.named && t.name != "negative").collect();
    let tables = match named.is_empty() {
        true => vec!["flavors".to_owned()],
        false => named.into_iter().map(|table| table.name.clone()).collect(),
    };
    Ask { tables, count: candidates, order: Order::Worst }
}

/// A chain of those and of the table `negative`, from the one that fits the image
/// least.
pub(super) fn write(asking: &PromptOptions, seen: &mut Seen<'_, '_>) -> Result<Written> {
    let mut known = HashSet::new();
    let ranked = seen.picks.iter().flat_map(|pick| pick.matches.iter().map(|found| found.label));
    let mut phrases: Vec<&str> = ranked.chain(seen.negative.iter().copied()).collect();
    phrases.retain(|label| known.insert(*label));
    let mut parts = seen.start(Vec::new(), asking)?;
    let before = join(&parts);

    let Seen { scorer, progress, .. } = seen;
    let Some(scorer) = scorer else { return Err(Error::ScorerMissing) };
    let mut scores = scored(&before, &phrases, &mut **scorer, &mut |scored| {
        let (steps, candidates) = (asking.max_flavors, phrases.len());
        let (prompt, score) = (before.as_str(), f32::NAN);
        progress(Step { step: 0, steps, scored, candidates, prompt, score })
    })?;
    scores.iter_mut().for_each(|score| *score = -*score);
    let least = highest(&scores);
    let (first, score) = loop {
        let Some((at, score)) = highest(&scores) else {
            // None is read whole: as much of the first as is.
            parts.extend(least.map(|(at, _)| Part::words(phrases[at])));
            return seen.grown(&parts, asking);
        };
        if scorer.fits(&join(&[&parts[..], &[Part::words(phrases[at])]].concat()))? {
            break (at, -score);
        }
        scores[at] = f32::NAN;
    };
    parts.push(Part::words(phrases.remove(first)));

    let chain =
        Chain { min_count: asking.min_flavors, max_count: asking.max_flavors, order: Order::Worst };
    // The sign that clip-interrogator forgets.
    let start = (join(&parts), if asking.compat { -score } else { score });
    let grown = chain.grow((&start.0, start.1), &phrases, &mut **scorer, progress)?;
    parts.extend(grown.added.iter().map(|&at| Part::words(phrases[at])));
    let written = seen.grown(&parts, asking)?;
    let score = if grown.added.is_empty() { score } else { grown.score };
    let score = (written.text == grown.text).then_some(score);
    Ok(Written { score, ..written })
}
