//! What the image is not.

use std::collections::HashSet;

use super::super::Chain;
use super::super::part::{Part, join};
use super::{Ask, Asking, Listed, Seen, Written};
use crate::Result;
use crate::rank::Order;

/// The labels that fit least: of the flavors, or of the tables that were named.
pub(super) fn ask(tables: &[Listed], candidates: usize) -> Ask {
    let named: Vec<_> = tables.iter().filter(|t| t.named && t.name != "negative").collect();
    let tables = match named.is_empty() {
        true => vec!["flavors".to_owned()],
        false => named.into_iter().map(|table| table.name.clone()).collect(),
    };
    Ask { tables, count: candidates, order: Order::Worst }
}

/// A chain of those and of the table `negative`, from the one that fits least.
pub(super) fn write(asking: &Asking, seen: &mut Seen<'_, '_>) -> Result<Written> {
    let mut known = HashSet::new();
    let ranked = seen.picks.iter().flat_map(|pick| pick.matches.iter().map(|found| found.label));
    let mut phrases: Vec<&str> = ranked.chain(seen.negative.iter().copied()).collect();
    phrases.retain(|label| known.insert(*label));
    let (before, after) = (join(seen.before), seen.after);
    let scores = seen.scorer()?.score(&before, &phrases)?;
    let lower = |a: &(usize, f32), b: &(usize, f32)| b.1 < a.1 || a.1.is_nan();
    let first = scores.into_iter().enumerate().reduce(|a, b| if lower(&a, &b) { b } else { a });
    let mut parts = seen.before.to_vec();
    let Some((first, score)) = first else {
        parts.extend_from_slice(after);
        return Ok(Written { text: join(&parts), parts, score: None, chosen: None });
    };
    parts.push(Part::words(phrases.remove(first)));
    let chain =
        Chain { min_count: asking.min_flavors, max_count: asking.max_flavors, order: Order::Worst };
    // The sign that clip-interrogator forgets.
    let start = (join(&parts), if asking.compat { -score } else { score });
    let Seen { scorer, progress, .. } = seen;
    let Some(scorer) = scorer else { return Err(crate::Error::ScorerMissing) };
    let grown = chain.grow((&start.0, start.1), &phrases, &mut **scorer, progress)?;
    parts.extend(grown.added.iter().map(|&at| Part::words(phrases[at])));
    if let (Some(budget), false) = (seen.budget, asking.compat) {
        parts = budget.fit(&[], parts, after)?;
    } else {
        parts.extend_from_slice(after);
    }
    let text = join(&parts);
    let score = if text == grown.text && grown.added.is_empty() { score } else { grown.score };
    let score = (text == grown.text).then_some(score);
    Ok(Written { text, parts, score, chosen: None })
}
