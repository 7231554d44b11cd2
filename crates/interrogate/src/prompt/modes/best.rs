//! The caption, classic, fast and a chain; the best of them by its own score.

use std::collections::HashSet;

use super::super::part::{Part, join};
use super::super::{Chain, Pick, Scorer};
use super::{Ask, Listed, Mode, PromptOptions, Seen, Written, classic, fast, written};
use crate::index::Match;
use crate::rank::Order;
use crate::{Error, Result};

/// Those of classic, then the candidates of the chain, whose first are fast's.
pub(super) fn asks(tables: &[Listed], asking: &PromptOptions) -> Vec<Ask> {
    let mut asks = classic::asks(tables, asking.max_flavors);
    asks.push(Ask::merged(tables, asking.candidates.max(asking.max_flavors)));
    asks
}

pub(super) fn write(asking: &PromptOptions, seen: &mut Seen<'_, '_>) -> Result<Written> {
    let picks = seen.picks;
    let (merged, tables) = match picks.split_last() {
        Some((merged, tables)) => (std::slice::from_ref(merged), tables),
        None => (picks, picks),
    };
    let own = asking.caption(seen.caption);
    let mut candidates = Vec::new();
    if !own.is_empty() {
        // clip-interrogator leaves it as it is, like the start of the chain.
        let caption = if asking.compat { seen.whole(&own) } else { seen.fitted(own, asking)? };
        candidates.push((Mode::Caption, caption));
    }
    let parts = classic::parts(asking, seen.caption, tables);
    candidates.push((Mode::Classic, seen.fitted(parts, asking)?));
    let parts = fast::parts(asking, seen.caption, merged);
    candidates.push((Mode::Fast, seen.fitted(parts, asking)?));
    candidates.push((Mode::Best, chain(asking, seen, merged)?));
    candidates.retain(|(_, candidate)| !candidate.text.is_empty());

    let texts: Vec<&str> = candidates.iter().map(|(_, candidate)| &*candidate.text).collect();
    let scores = seen.scorer()?.score("", &texts)?;
    let scored = candidates.into_iter().zip(scores);
    let better = |best: (_, f32), next: (_, f32)| if next.1 > best.1 { next } else { best };
    Ok(match scored.reduce(better) {
        Some(((chosen, best), score)) => {
            Written { score: Some(score), chosen: Some(chosen), ..best }
        }
        None => written(Vec::new()),
    })
}

/// Grows from the caption; where there is none, from the best label that fits.
fn chain(asking: &PromptOptions, seen: &mut Seen<'_, '_>, merged: &[Pick<'_>]) -> Result<Written> {
    let mut matches: Vec<_> = merged.iter().flat_map(|pick| &pick.matches).collect();
    matches.truncate(asking.candidates);
    // A label that two tables have is one phrase, as in clip-interrogator's set.
    let mut known = HashSet::new();
    matches.retain(|found| known.insert(found.label));
    let mut parts = seen.start(asking.caption(seen.caption), asking)?;
    if join(&parts).is_empty() && !matches.is_empty() {
        let first = matches.remove(first(&matches, seen.scorer()?)?);
        parts = seen.start(vec![Part::label(first.label, first.score)], asking)?;
    }
    let start = join(&parts);
    let phrases: Vec<&str> = matches.iter().map(|found| found.label).collect();
    let (min_count, max_count) = (asking.min_flavors, asking.max_flavors);
    let score = match start.as_str() {
        "" => f32::NEG_INFINITY,
        start => seen.scorer()?.score("", &[start])?.first().copied().unwrap_or(f32::NAN),
    };
    let Seen { scorer, progress, .. } = seen;
    let Some(scorer) = scorer else { return Err(Error::ScorerMissing) };
    let chain = Chain { min_count, max_count, order: Order::Best };
    let grown = chain.grow((&start, score), &phrases, &mut **scorer, progress)?;
    let added = grown.added.iter().map(|&at| Part::label(matches[at].label, matches[at].score));
    parts.extend(added);
    seen.grown(&parts, asking)
}

/// The place of the first label that is read whole; the first of all where none is.
fn first(matches: &[&Match<'_>], scorer: &dyn Scorer) -> Result<usize> {
    for (at, found) in matches.iter().enumerate() {
        if scorer.fits(found.label)? {
            return Ok(at);
        }
    }
    Ok(0)
}
