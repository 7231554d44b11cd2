//! Scopes of the CPU backend.

use super::super::backend::{RowLists, Scope, Span};
use crate::error::RowsError;
use crate::{Error, Result};

/// A [`Scope`] prepared for the CPU.
#[derive(Debug)]
pub(crate) enum CpuScope {
    Groups(usize),
    Lists(RowLists),
    /// The spans, and the span number of each query.
    Spans(Vec<Span>, Vec<u32>),
}

impl CpuScope {
    pub(super) fn new(scope: Scope) -> Self {
        match scope {
            Scope::Groups(count) => CpuScope::Groups(count),
            Scope::Lists(lists) => CpuScope::Lists(lists),
            Scope::Spans(spans) => {
                let own = spans.iter().zip(0u32..);
                let own = own.flat_map(|(span, number)| vec![number; span.queries.len()]);
                let own = own.collect();
                CpuScope::Spans(spans, own)
            }
        }
    }

    /// Returns a function that appends the rows that a query attends to, for `queries` over
    /// `rows`.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the scope has another number of queries.
    pub(super) fn lists(
        &self,
        queries: usize,
        rows: usize,
    ) -> Result<impl Fn(usize, &mut Vec<u32>) + Sync + '_> {
        let found = match self {
            CpuScope::Groups(_) => queries,
            CpuScope::Lists(lists) => lists.len(),
            CpuScope::Spans(_, own) => own.len(),
        };
        if found != queries {
            return Err(Error::Rows(RowsError::Dim {
                what: "queries of a scope",
                expected: queries,
                found,
            }));
        }
        Ok(move |query: usize, list: &mut Vec<u32>| match self {
            CpuScope::Groups(count) => {
                let (group, of_group) = (query / (queries / count), rows / count);
                list.extend((group * of_group) as u32..((group + 1) * of_group) as u32);
            }
            CpuScope::Lists(lists) => list.extend_from_slice(lists.get(query)),
            CpuScope::Spans(spans, own) => {
                let span = &spans[own[query] as usize].rows;
                list.extend(span.start as u32..span.end as u32);
            }
        })
    }

    /// The spans; none for other scopes.
    pub(super) fn spans(&self) -> &[Span] {
        if let CpuScope::Spans(spans, _) = self { spans } else { &[] }
    }
}
