//! Which rows each query attends to.

use std::ops::Range;

/// Which rows each query attends to.
#[derive(Debug)]
pub(crate) enum Scope {
    /// This number of groups of equal length; each query attends to all rows of its group, as
    /// the patches of an image do.
    Groups(usize),
    /// A list of rows for each query, as the nodes of a trie have their ancestors.
    Lists(RowLists),
    /// Spans of any lengths; each query attends to all rows of its span, as the tokens of a
    /// sentence do.
    Spans(Vec<Span>),
}

/// A list of rows for each query, none of them empty. Sums are taken in list order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowLists {
    rows: Vec<u32>,
    /// The end of each list in `rows`.
    ends: Vec<usize>,
}

impl RowLists {
    /// Creates the lists: `list` appends that of each query.
    pub(crate) fn new(queries: usize, mut list: impl FnMut(usize, &mut Vec<u32>)) -> Self {
        let mut lists = RowLists { rows: Vec::new(), ends: Vec::with_capacity(queries) };
        for query in 0..queries {
            list(query, &mut lists.rows);
            lists.ends.push(lists.rows.len());
        }
        lists
    }

    /// Number of queries.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The list of a query.
    pub(crate) fn get(&self, query: usize) -> &[u32] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[query]]
    }

    /// The lists of the queries in `only`.
    pub(crate) fn select(&self, only: &[u32]) -> Self {
        RowLists::new(only.len(), |query, rows| {
            rows.extend_from_slice(self.get(only[query] as usize));
        })
    }

    /// The length of the longest list.
    pub(crate) fn longest(&self) -> usize {
        (0..self.len()).map(|query| self.get(query).len()).max().unwrap_or(0)
    }
}

/// Consecutive queries, and the rows that they all attend to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) queries: Range<usize>,
    pub(crate) rows: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_stored_and_selected() {
        let lists = RowLists::new(3, |query, rows| rows.extend(0..=query as u32));
        assert_eq!((lists.len(), lists.longest()), (3, 3));
        assert_eq!(lists.get(2), [0, 1, 2]);
        let some = lists.select(&[2, 0, 0]);
        assert_eq!([some.get(0), some.get(1), some.get(2)], [&[0, 1, 2][..], &[0], &[0]]);
        assert_eq!(RowLists::default().longest(), 0);
    }
}
