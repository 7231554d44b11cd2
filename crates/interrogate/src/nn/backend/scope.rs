//! Which rows each row attends to.

use std::ops::Range;

/// Which rows each query attends to.
#[derive(Debug)]
pub(crate) enum Scope {
    /// Queries and rows form this number of groups of equal length; the queries of a group
    /// attend to all of its rows, as the patches of an image do.
    Groups(usize),
    /// Each query has a list of rows, as the nodes of a trie have their ancestors.
    Lists(RowLists),
    /// Queries and rows form spans of any lengths; the queries of a span attend to all of
    /// its rows, as the tokens of a sentence do.
    Spans(Vec<Span>),
}

/// A list of rows for each query, none of them empty, in the order in which sums are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowLists {
    rows: Vec<u32>,
    /// Where each list ends in `rows`.
    ends: Vec<usize>,
}

impl RowLists {
    /// Asks `list` to append the list of each query.
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

    /// The list of one query.
    pub(crate) fn get(&self, query: usize) -> &[u32] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[query]]
    }

    /// The lists of the queries that `only` numbers.
    pub(crate) fn select(&self, only: &[u32]) -> Self {
        RowLists::new(only.len(), |query, rows| {
            rows.extend_from_slice(self.get(only[query] as usize));
        })
    }

    /// Length of the longest.
    pub(crate) fn longest(&self) -> usize {
        (0..self.len()).map(|query| self.get(query).len()).max().unwrap_or(0)
    }
}

/// Queries next to one another, and the rows that they all attend to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) queries: Range<usize>,
    pub(crate) rows: Range<usize>,
}

/// What is added to a scaled product for the distance between a query and a row, by head:
/// T5's relative position bias (Raffel et al., arXiv 1910.10683, section 2.1).
///
/// A query stands at its place within its group, or at the end of its list.
#[derive(Clone, Debug)]
pub(crate) struct RelativeBias {
    /// (heads, offsets), offsets from `-before` on.
    values: Vec<f32>,
    offsets: usize,
    before: usize,
}

impl RelativeBias {
    /// `value(head, offset)` for rows from `before` places before a query to `after` places
    /// behind it.
    pub(crate) fn new(
        heads: usize,
        before: usize,
        after: usize,
        value: impl Fn(usize, isize) -> f32,
    ) -> Self {
        let offsets = before + after + 1;
        let value = |i: usize| value(i / offsets, (i % offsets) as isize - before as isize);
        RelativeBias { values: (0..heads * offsets).map(value).collect(), offsets, before }
    }

    /// The values of `head` for rows at places 0 and on, where the query stands at `place`.
    pub(crate) fn of(&self, head: usize, place: usize) -> &[f32] {
        &self.values[head * self.offsets..][..self.offsets][self.before - place..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_back_and_selected() {
        let lists = RowLists::new(3, |query, rows| rows.extend(0..=query as u32));
        assert_eq!((lists.len(), lists.longest()), (3, 3));
        assert_eq!(lists.get(2), [0, 1, 2]);
        let some = lists.select(&[2, 0, 0]);
        assert_eq!([some.get(0), some.get(1), some.get(2)], [&[0, 1, 2][..], &[0], &[0]]);
        assert_eq!(RowLists::default().longest(), 0);
    }

    #[test]
    fn a_bias_depends_on_head_and_distance() {
        let bias = RelativeBias::new(2, 2, 1, |head, offset| (10 * head) as f32 + offset as f32);
        assert_eq!(bias.of(0, 0)[..2], [0.0, 1.0]);
        assert_eq!(bias.of(1, 2)[..3], [8.0, 9.0, 10.0]);
    }
}
