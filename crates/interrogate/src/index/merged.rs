//! Several tables ranked as one, and what a ranking holds.

use half::f16;

use super::table::Table;
use crate::Result;
use crate::encoder::Features;
use crate::rank::{Hit, Order, Rows};

/// A label of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'a> {
    /// The table that the label stands in.
    pub table: &'a str,
    /// The label.
    pub label: &'a str,
    /// The cosine of its row and the features.
    pub score: f32,
    /// The row's number in that table.
    pub row: usize,
}

/// Tables one behind the other, ranked as one.
#[derive(Clone, Debug)]
pub struct Merged<'a> {
    tables: Vec<&'a Table>,
}

impl<'a> Merged<'a> {
    /// `tables` in this order, which decides ties. They are of one index, so
    /// that their rows have one width.
    pub(super) fn new(tables: Vec<&'a Table>) -> Self {
        Merged { tables }
    }

    /// The tables, in order.
    pub fn tables(&self) -> &[&'a Table] {
        &self.tables
    }

    /// Number of labels in all tables.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len()).sum()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows (rows, dim) of each shard of each table, in order.
    pub fn rows(&self) -> Vec<&'a [f16]> {
        self.tables.iter().flat_map(|table| table.rows()).collect()
    }

    /// The `k` labels nearest to `features`, best first; ties go to the earlier
    /// table, then to the lower row.
    ///
    /// # Errors
    /// [`crate::Error::Dim`] where the features are of another width,
    /// [`crate::Error::IndexDamaged`] where a label cannot be read.
    pub fn rank(&self, features: &Features, k: usize) -> Result<Vec<Match<'a>>> {
        let ranked = self.rank_many(std::slice::from_ref(features), k, Order::Best)?;
        Ok(ranked.into_iter().next().unwrap_or_default())
    }

    /// The same for many images in one pass over the rows, from either end: one
    /// ranking for each, in their order.
    ///
    /// # Errors
    /// Those of [`rank`](Self::rank).
    pub fn rank_many(
        &self,
        features: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        let Some(first) = self.tables.first() else { return Ok(vec![Vec::new(); features.len()]) };
        let blocks = self.tables.iter().flat_map(|table| table.blocks()).collect();
        let hits = Rows::with_codes(first.dim(), blocks)?.top_k(features, k, order)?;
        let name = |hit: Hit| {
            let (table, row) = self.locate(hit.row)?; // a hit's row is one of ours
            let named = |label| Match { table: table.name(), label, score: hit.score, row };
            Some(table.label(row).map(named))
        };
        hits.into_iter().map(|hits| hits.into_iter().filter_map(name).collect()).collect()
    }

    /// The table that holds `row`, and its number there.
    fn locate(&self, mut row: usize) -> Option<(&'a Table, usize)> {
        for table in &self.tables {
            if row < table.len() {
                return Some((table, row));
            }
            row -= table.len();
        }
        None
    }
}
