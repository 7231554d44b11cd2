//! Encodes labels into the journal, block by block.

use std::ops::ControlFlow;

use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::Error as LibraryError;
use interrogate::encoder::{TextEncoder, Tokens};
use interrogate::error::RowsError;

use super::Progress;
use super::locations::Locations;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::{Error, Result};

/// What a build encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Encoded {
    pub(super) labels: usize,
    pub(super) tokens: usize,
}

/// Encodes the labels of `plan` that have no row yet, and adds their rows to `journal` and
/// `locations`.
pub(super) fn encode(
    encoder: &dyn TextEncoder,
    plan: &Plan<'_>,
    journal: &mut Journal,
    locations: &mut Locations<'_>,
    progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Encoded> {
    let mut encoded = Encoded::default();
    let (mut done, mut tokens_done) = (0, 0);
    let (total, total_tokens) = (plan.len(), plan.tokens());
    for block in plan.blocks() {
        let (labels, tokens) = block.without(|number| locations.contains(number));
        if !labels.is_empty() {
            let rows = journal.append(&labels, &embed(encoder, &tokens)?)?;
            labels.iter().zip(rows).for_each(|(label, at)| locations.add_journaled(label, at));
            encoded.labels += labels.len();
            encoded.tokens += tokens.total();
        }
        done += block.len();
        tokens_done += block.tokens();
        let now = Progress::Encoding { labels: done, total, tokens: tokens_done, total_tokens };
        if progress(now).is_break() {
            return Err(Error::Stopped { done, total });
        }
    }
    Ok(encoded)
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
