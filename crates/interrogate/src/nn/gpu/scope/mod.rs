//! Scopes of the GPU backend.

mod lists;
mod spans;

use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Tensor};

use super::super::backend::{Scope, Span};
pub(super) use lists::Lists;
pub(super) use spans::Spans;

/// A [`Scope`] for a device. What it needs there is copied when it is first used, and kept.
#[derive(Clone, Debug)]
pub(crate) enum GpuScope {
    Groups(usize),
    /// Groups that cover only the first `rows`.
    FirstGroups {
        count: usize,
        rows: usize,
    },
    Lists(Lists),
    Spans(Spans),
}

impl GpuScope {
    pub(super) fn new(scope: Scope, device: &Device) -> Self {
        match scope {
            Scope::Groups(count) => GpuScope::Groups(count),
            Scope::Lists(lists) => GpuScope::Lists(Lists::new(lists, device)),
            Scope::Spans(spans) => match groups(&spans) {
                Some(rows) => GpuScope::FirstGroups { count: spans.len(), rows },
                None => GpuScope::Spans(Spans::new(spans, device)),
            },
        }
    }

    /// The mean row of each span of `x`, in f32; none for other scopes.
    pub(super) fn means(&self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(1)?;
        match self {
            GpuScope::FirstGroups { count, rows } => {
                let x = x.narrow(0, 0, *rows)?.to_dtype(DType::F32)?;
                x.reshape((*count, rows / count, width))?.mean(1)
            }
            GpuScope::Groups(_) | GpuScope::Lists(_) => x.narrow(0, 0, 0),
            GpuScope::Spans(spans) => {
                let padded = spans.padded()?;
                let x = x.index_select(&padded.rows, 0)?.to_dtype(DType::F32)?;
                x.reshape((spans.count(), (), width))?.broadcast_mul(&padded.shares)?.sum(1)
            }
        }
    }
}

/// The value of `cell`, made by `make` at the first call.
pub(super) fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

/// The number of rows that `spans` cover if they are groups: adjacent, of equal length, starting
/// at row 0.
fn groups(spans: &[Span]) -> Option<usize> {
    let first = spans.first()?;
    let (queries, rows) = (first.queries.len(), first.rows.len());
    let follows = |(number, span): (usize, &Span)| {
        span.queries == (number * queries..(number + 1) * queries)
            && span.rows == (number * rows..(number + 1) * rows)
    };
    spans.iter().enumerate().all(follows).then_some(rows * spans.len())
}
