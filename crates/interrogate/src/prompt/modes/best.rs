//! The caption, classic, fast and a chain; the best of them by its own score.

use std::collections::HashSet;

use super::super::part::{Part, join};
use super::super::{Chain, Pick, Scorer};
use super::{
    Mode, ModeInput, ModeOutput, PromptOptions, RankingRequest, TableEntry, classic, fast, written,
};
use crate::index::Match;
use crate::rank::Order;
use crate::{Error, Result};

/// Those of classic, then the candidates of the chain, whose first are fast's.
pub(super) fn rankings(tables: &[TableEntry], options: &PromptOptions) -> Vec<RankingRequest> {
    let mut rankings = classic::rankings(tables, options.max_flavors);
    rankings.push(RankingRequest::merged(tables, options.candidates.max(options.max_flavors)));
    rankings
}

pub(super) fn write(options: &PromptOptions, input: &mut ModeInput<'_, '_>) -> Result<ModeOutput> {
    let picks = input.picks;
    let (merged, tables) = match picks.split_last() {
        Some((merged, tables)) => (std::slice::from_ref(merged), tables),
        None => (picks, picks),
    };
    let own = options.caption(input.caption);
    let mut candidates = Vec::new();
    if !own.is_empty() {
        // clip-interrogator leaves it as it is, like the start of the chain.
        let caption =
            if options.compat { input.whole(&own) } else { input.fitted(own, options)? };
        candidates.push((Mode::Caption, caption));
    }
    let parts = classic::parts(options, input.caption, tables);
    candidates.push((Mode::Classic, input.fitted(parts, options)?));
    let parts = fast::parts(options, input.caption, merged);
    candidates.push((Mode::Fast, input.fitted(parts, options)?));
    candidates.push((Mode::Best, chain(options, input, merged)?));
    candidates.retain(|(_, candidate)| !candidate.text.is_empty());

    let texts: Vec<&str> = candidates.iter().map(|(_, candidate)| &*candidate.text).collect();
    let scores = input.scorer()?.score("", &texts)?;
    let scored = candidates.into_iter().zip(scores);
    let better = |best: (_, f32), next: (_, f32)| if next.1 > best.1 { next } else { best };
    Ok(match scored.reduce(better) {
        Some(((chosen, best), score)) => {
            ModeOutput { score: Some(score), chosen: Some(chosen), ..best }
        }
        None => written(Vec::new()),
    })
}

/// Grows from the caption; where there is none, from the best label that fits.
fn chain(
    options: &PromptOptions,
    input: &mut ModeInput<'_, '_>,
    merged: &[Pick<'_>],
) -> Result<ModeOutput> {
    let mut matches: Vec<_> = merged.iter().flat_map(|pick| &pick.matches).collect();
    matches.truncate(options.candidates);
    // A label that two tables have is one phrase, as in clip-interrogator's set.
    let mut known = HashSet::new();
    matches.retain(|found| known.insert(found.label));
    let mut parts = input.start(options.caption(input.caption), options)?;
    if join(&parts).is_empty() && !matches.is_empty() {
        let first = matches.remove(first(&matches, input.scorer()?)?);
        parts = input.start(vec![Part::label(first.label, first.score)], options)?;
    }
    let start = join(&parts);
    let phrases: Vec<&str> = matches.iter().map(|found| found.label).collect();
    let (min_count, max_count) = (options.min_flavors, options.max_flavors);
    let score = match start.as_str() {
        "" => f32::NEG_INFINITY,
        start => input.scorer()?.score("", &[start])?.first().copied().unwrap_or(f32::NAN),
    };
    let ModeInput { scorer, progress, .. } = input;
    let Some(scorer) = scorer else { return Err(Error::ScorerMissing) };
    let chain = Chain { min_count, max_count, order: Order::Best };
    let grown = chain.grow((&start, score), &phrases, &mut **scorer, progress)?;
    let added = grown.added.iter().map(|&at| Part::label(matches[at].label, matches[at].score));
    parts.extend(added);
    input.grown(&parts, options)
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
