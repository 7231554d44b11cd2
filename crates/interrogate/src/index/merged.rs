//! Several tables ranked as one, and what a ranking holds.

use half::f16;

use super::table::Table;
use super::table_ref::TableRef;
use crate::encoder::Features;
use crate::rank::{self, Hit, Order, Rows};
use crate::{Error, Result};

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
    tables: Vec<TableRef<'a>>,
}

impl<'a> Merged<'a> {
    /// `tables` in this order, which decides ties.
    ///
    /// # Errors
    /// [`Error::Dim`] where their rows are of different widths.
    pub fn new(tables: Vec<TableRef<'a>>) -> Result<Self> {
        let expected = tables.first().map_or(0, |table| table.dim());
        match tables.iter().map(|table| table.dim()).find(|&dim| dim != expected) {
            Some(found) => Err(Error::Dim { what: "a table", expected, found }),
            None => Ok(Merged { tables }),
        }
    }

    /// Tables of one index, whose rows have one width.
    pub(super) fn indexed(tables: impl IntoIterator<Item = &'a Table>) -> Self {
        Merged { tables: tables.into_iter().map(TableRef::Indexed).collect() }
    }

    /// The tables, in order.
    pub fn tables(&self) -> &[TableRef<'a>] {
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

    /// The rows (rows, dim) of each block of each table, in order.
    pub fn rows(&self) -> Vec<&'a [f16]> {
        self.tables.iter().flat_map(|table| table.blocks()).map(|block| block.rows).collect()
    }

    /// The `k` labels nearest to `features`, best first; ties go to the earlier
    /// table, then to the lower row.
    ///
    /// # Errors
    /// [`Error::Dim`] where the features are of another width,
    /// [`Error::IndexDamaged`] where a label cannot be read, or a score of the answer
    /// is not a number.
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
        match self.tables.iter().any(|table| table.place().is_some()) {
            true => self.rank_by_table(features, k, order),
            false => self.rank_with(features, |rows| rows.top_k(features, k, order)),
        }
    }

    /// The same as clip-interrogator ranks: see [`Rows::top_k_by_quota`]. By the processor,
    /// wherever the tables are ranked otherwise.
    ///
    /// # Errors
    /// Those of [`rank`](Self::rank).
    pub fn rank_by_quota(
        &self,
        features: &[Features],
        k: usize,
        order: Order,
        chunk_size: usize,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        self.rank_with(features, |rows| rows.top_k_by_quota(features, k, order, chunk_size))
    }

    /// The first `k` labels of each ranking for which `keep` holds. Ranks anew,
    /// with twice as many labels, where too few of them do.
    ///
    /// # Errors
    /// Those of [`rank`](Self::rank).
    pub fn rank_filtered(
        &self,
        features: &[Features],
        k: usize,
        order: Order,
        keep: impl Fn(&str) -> bool,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        let mut asked = k.saturating_add(16);
        loop {
            let mut ranked = self.rank_many(features, asked, order)?;
            for matches in &mut ranked {
                matches.retain(|found| keep(found.label));
                matches.truncate(k);
            }
            if asked >= self.len() || ranked.iter().all(|matches| matches.len() == k) {
                return Ok(ranked);
            }
            asked = asked.saturating_mul(2);
        }
    }

    fn rank_with(
        &self,
        features: &[Features],
        rank: impl Fn(&Rows<'a>) -> Result<Vec<Vec<Hit>>>,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        let Some(first) = self.tables.first() else { return Ok(vec![Vec::new(); features.len()]) };
        let blocks = self.tables.iter().flat_map(|table| table.blocks()).collect();
        self.matches(rank(&Rows::with_codes(first.dim(), blocks)?)?)
    }

    /// Table by table, each where it lies; the rankings together are the one of all.
    fn rank_by_table(
        &self,
        features: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        let mut all: Vec<Vec<Hit>> = vec![Vec::new(); features.len()];
        let mut before = 0;
        for table in &self.tables {
            let rows = Rows::with_codes(table.dim(), table.blocks())?;
            let ranked = match table.place() {
                Some(place) => place.top_k(&rows, features, k, order)?,
                None => rows.top_k(features, k, order)?,
            };
            for (all, hits) in all.iter_mut().zip(ranked) {
                all.extend(hits.into_iter().map(|hit| Hit { row: before + hit.row, ..hit }));
            }
            before += rows.len();
        }
        self.matches(all.into_iter().map(|hits| rank::merged(hits, k, order)).collect())
    }

    /// Hits with their labels.
    fn matches(&self, hits: Vec<Vec<Hit>>) -> Result<Vec<Vec<Match<'a>>>> {
        let name = |hit: Hit| {
            let (table, row) = self.locate(hit.row)?; // a hit's row is one of ours
            if hit.score.is_nan() {
                return Some(Err(table.damaged(row)));
            }
            let named = |label| Match { table: table.name(), label, score: hit.score, row };
            Some(table.label(row).map(named))
        };
        hits.into_iter().map(|hits| hits.into_iter().filter_map(name).collect()).collect()
    }

    /// The table that holds `row`, and its number there.
    fn locate(&self, mut row: usize) -> Option<(TableRef<'a>, usize)> {
        for table in &self.tables {
            if row < table.len() {
                return Some((*table, row));
            }
            row -= table.len();
        }
        None
    }
}

impl Table {
    /// The `k` labels nearest to `features`, best first, ties by row, lower
    /// first; all labels where `k` is more. Scans every row or its codes, on all
    /// threads.
    ///
    /// # Errors
    /// [`Error::Dim`] where the features are of another width,
    /// [`Error::IndexDamaged`] where a label cannot be read.
    pub fn rank(&self, features: &Features, k: usize) -> Result<Vec<Match<'_>>> {
        Merged::indexed([self]).rank(features, k)
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
    ) -> Result<Vec<Vec<Match<'_>>>> {
        Merged::indexed([self]).rank_many(features, k, order)
    }
}
