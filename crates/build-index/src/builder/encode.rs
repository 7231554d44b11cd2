//! Encodes labels into the journal, block by block.

use std::ops::ControlFlow;

use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::Error as LibraryError;
use interrogate::encoder::{TextEncoder, Tokens};
use interrogate::error::RowsError;

use super::Progress;
use super::locations::Locations;
use super::pipeline::pipeline;
use crate::journal::Journal;
use crate::plan::{Block, Plan};
use crate::{Error, Result};

/// What a build encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Encoded {
    pub(super) labels: usize,
    pub(super) tokens: usize,
}

/// A block with its rows.
struct EncodedBlock<'a> {
    /// The labels that had no row, and their rows.
    labels: Vec<&'a str>,
    rows: Vec<f16>,
    tokens: usize,
    /// Labels and tokens of the whole block.
    all: (usize, usize),
}

/// Encodes the labels of `plan` that have no row yet, and adds their rows to `journal` and
/// `locations`, with `calls` of the encoder at a time.
pub(super) fn encode(
    encoder: &dyn TextEncoder,
    calls: usize,
    plan: &Plan<'_>,
    journal: &mut Journal,
    locations: &mut Locations<'_>,
    progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Encoded> {
    let mut encoded = Encoded::default();
    let (mut done, mut tokens_done) = (0, 0);
    let (total, total_tokens) = (plan.len(), plan.tokens());
    // Each label is in one block, so no block adds a row of another.
    let known = locations.known();
    let work = |block| encode_block(encoder, &block, &known);
    let mut stopped = false;
    let write = |block: EncodedBlock<'_>| {
        let EncodedBlock { labels, rows, tokens, all } = block;
        if !labels.is_empty() {
            let rows = journal.append(&labels, &rows)?;
            labels.iter().zip(rows).for_each(|(label, at)| locations.add_journaled(label, at));
            encoded.labels += labels.len();
            encoded.tokens += tokens;
        }
        done += all.0;
        tokens_done += all.1;
        let now = Progress::Encoding { labels: done, total, tokens: tokens_done, total_tokens };
        if !stopped {
            stopped = progress(now).is_break();
        }
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    pipeline(calls, plan.blocks(), work, write)?;
    if stopped { Err(Error::Stopped { done, total }) } else { Ok(encoded) }
}

/// Encodes the labels of `block` that are not `known`.
fn encode_block<'a>(
    encoder: &dyn TextEncoder,
    block: &Block<'a>,
    known: &[bool],
) -> Result<EncodedBlock<'a>> {
    let (labels, tokens) = block.without(|number| known[number as usize]);
    let rows = if labels.is_empty() { Vec::new() } else { embed(encoder, &tokens)? };
    let all = (block.len(), block.tokens());
    Ok(EncodedBlock { labels, rows, tokens: tokens.total(), all })
}

/// Returns the rows of `tokens`, in their order, rounded to f16.
fn embed(encoder: &dyn TextEncoder, tokens: &Tokens) -> Result<Vec<f16>> {
    let rows = encoder.embed(tokens)?;
    if rows.len() != tokens.len() {
        return Err(Error::Rows { expected: tokens.len(), found: rows.len() });
    }
    let (expected, found) = (encoder.dim(), rows.dim());
    if found != expected {
        return Err(
            LibraryError::Rows(RowsError::Dim { what: "embeddings", expected, found }).into()
        );
    }
    let mut halves = vec![f16::ZERO; rows.as_slice().len()];
    halves.convert_from_f32_slice(rows.as_slice());
    Ok(halves)
}
