//! The best labels of one table.

use crate::index::Match;

/// The best labels of one table for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick<'a> {
    /// The table's name.
    pub table: &'a str,
    /// Its labels, best first: as many as were requested, or all.
    pub matches: Vec<Match<'a>>,
}
