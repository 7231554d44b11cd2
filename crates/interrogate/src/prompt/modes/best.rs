//! The best-scoring of four candidates: the caption, classic, fast and a chain.

use std::collections::HashSet;

use super::super::part::{Part, join};
use super::super::{Chain, Pick, Scorer};
use super::{
    Mode, ModeInput, ModeOutput, PromptOptions, RankingRequest, TableEntry, classic, fast,
};
use crate::error::PromptError;
use crate::index::Match;
use crate::rank::Order;
use crate::{Error, Result};

/// Returns the rankings of classic, then the chain's candidates, the first of which are
/// the labels of fast.
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
        // clip-interrogator cuts neither the caption nor the start of the chain.
        let caption = if options.compat { input.surround(&own) } else { input.fit(own, false)? };
        candidates.push((Mode::Caption, caption));
    }
    let parts = classic::parts(options, input.caption, tables);
    candidates.push((Mode::Classic, input.fit(parts, options.compat)?));
    let parts = fast::parts(options, input.caption, merged);
    candidates.push((Mode::Fast, input.fit(parts, options.compat)?));
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
        None => ModeOutput::unscored(Vec::new()),
    })
}

/// Grows a chain from the caption, or from the best label that fits if there is no caption.
fn chain(
    options: &PromptOptions,
    input: &mut ModeInput<'_, '_>,
    merged: &[Pick<'_>],
) -> Result<ModeOutput> {
    let mut matches: Vec<_> = merged.iter().flat_map(|pick| &pick.matches).collect();
    matches.truncate(options.candidates);
    // A label of two tables is one phrase, as in clip-interrogator's set.
    let mut known = HashSet::new();
    matches.retain(|found| known.insert(found.label));
    let mut parts = input.chain_start(options.caption(input.caption), options.compat)?;
    if join(&parts).is_empty() && !matches.is_empty() {
        let first = matches.remove(first_that_fits(&matches, input.scorer()?)?);
        parts = input.chain_start(vec![Part::label(first.label, first.score)], options.compat)?;
    }
    let start = join(&parts);
    let phrases: Vec<&str> = matches.iter().map(|found| found.label).collect();
    let (min_count, max_count) = (options.min_flavors, options.max_flavors);
    let score = match start.as_str() {
        "" => f32::NEG_INFINITY,
        start => input.scorer()?.score("", &[start])?.first().copied().unwrap_or(f32::NAN),
    };
    let ModeInput { scorer, progress, .. } = input;
    let Some(scorer) = scorer else { return Err(Error::Prompt(PromptError::ScorerMissing)) };
    let chain = Chain { min_count, max_count, order: Order::Best };
    let grown = chain.grow((&start, score), &phrases, &mut **scorer, progress)?;
    let added = grown.added.iter().map(|&at| Part::label(matches[at].label, matches[at].score));
    parts.extend(added);
    input.chain_output(&parts, options.compat)
}

/// Returns the index of the first label that fits; 0 if none does.
fn first_that_fits(matches: &[&Match<'_>], scorer: &dyn Scorer) -> Result<usize> {
    for (at, found) in matches.iter().enumerate() {
        if scorer.fits(found.label)? {
            return Ok(at);
        }
    }
    Ok(0)
}
