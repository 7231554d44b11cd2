//! Ranks tables, alone or several as one.

use half::f16;

use super::table::Table;
use super::table_ref::TableRef;
use crate::encoder::Features;
#[cfg(doc)]
use crate::error::IndexError;
use crate::error::RowsError;
use crate::rank::{self, Hit, Order, Rows, Softmax};
use crate::{Error, Result};

/// A ranked label.
///
/// ```
/// use interrogate::encoder::Features;
/// use interrogate::index::{Index, Match};
///
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/index-v1-codes");
/// let index = Index::open(folder.as_ref())?;
/// let image = Features::new((0..index.dim()).map(|d| d as f32).collect())?;
/// let Match { table, label, score, row } = index.table("mediums")?.rank(&image, 1)?[0];
/// assert_eq!((table, index.table(table)?.label(row)?), ("mediums", label));
/// assert!((-1.0..=1.0).contains(&score));
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'a> {
    /// The name of the label's table.
    pub table: &'a str,
    /// The label.
    pub label: &'a str,
    /// The cosine similarity of its row and the features.
    pub score: f32,
    /// The row's number in the table.
    pub row: usize,
}

/// Several tables, ranked as one.
#[derive(Clone, Debug)]
pub struct Merged<'a> {
    tables: Vec<TableRef<'a>>,
}

impl<'a> Merged<'a> {
    /// Merges `tables` in this order, which decides ties.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if their rows have different widths.
    pub fn new(tables: Vec<TableRef<'a>>) -> Result<Self> {
        let expected = tables.first().map_or(0, |table| table.dim());
        match tables.iter().map(|table| table.dim()).find(|&dim| dim != expected) {
            Some(found) => Err(Error::Rows(RowsError::Dim { what: "a table", expected, found })),
            None => Ok(Merged { tables }),
        }
    }

    /// Merges tables of one index, whose rows have one width.
    pub(super) fn indexed(tables: impl IntoIterator<Item = &'a Table>) -> Self {
        Merged { tables: tables.into_iter().map(TableRef::Indexed).collect() }
    }

    /// Returns the tables, in order.
    pub fn tables(&self) -> &[TableRef<'a>] {
        &self.tables
    }

    /// Returns the number of labels in all tables.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len()).sum()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the rows (rows, dim) of each block of each table, in order.
    pub fn rows(&self) -> Vec<&'a [f16]> {
        self.tables.iter().flat_map(|table| table.blocks()).map(|block| block.rows).collect()
    }

    /// Returns the `k` labels with the highest scores, best first. Equal scores are ordered
    /// by table, then by row, lower first.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the features have another width; [`IndexError::Damaged`] if a label
    /// cannot be read or a score of the result is NaN.
    pub fn rank(&self, features: &Features, k: usize) -> Result<Vec<Match<'a>>> {
        let ranked = self.rank_many(std::slice::from_ref(features), k, Order::Best)?;
        Ok(ranked.into_iter().next().unwrap_or_default())
    }

    /// Ranks many images in one pass over the rows, best or worst labels first. Returns one
    /// ranking per image, in their order.
    ///
    /// # Errors
    /// Those of [`rank`](Self::rank).
    pub fn rank_many(
        &self,
        features: &[Features],
        k: usize,
        order: Order,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        if self.tables.iter().any(|table| table.ranker().is_some()) {
            self.rank_by_table(features, k, order)
        } else {
            self.rank_with(features, |rows| rows.top_k(features, k, order))
        }
    }

    /// Ranks as clip-interrogator does: see [`Rows::top_k_by_quota`]. Always runs on the
    /// CPU.
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

    /// Returns the first `k` labels of each ranking for which `keep` returns true. If they
    /// are too few, ranks again with twice as many labels.
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
        let mut count = k.saturating_add(16);
        loop {
            let mut ranked = self.rank_many(features, count, order)?;
            for matches in &mut ranked {
                matches.retain(|found| keep(found.label));
                matches.truncate(k);
            }
            if count >= self.len() || ranked.iter().all(|matches| matches.len() == k) {
                return Ok(ranked);
            }
            count = count.saturating_mul(2);
        }
    }

    /// Returns the softmax of each image over all labels: see [`Rows::softmax`]. Always runs on
    /// the CPU.
    ///
    /// # Errors
    /// Those of [`rank`](Self::rank), also for a NaN in any row.
    pub fn softmax(&self, features: &[Features]) -> Result<Vec<Softmax>> {
        let rows = self.all_rows()?;
        let found = rows.softmax(features)?;
        if !self.is_empty() && found.iter().any(|softmax| !softmax.is_finite()) {
            // NaN ranks last: a ranking of all rows names it.
            self.matches(rows.top_k(features, rows.len(), Order::Best)?)?;
        }
        Ok(found)
    }

    /// The rows of all tables, in order.
    fn all_rows(&self) -> Result<Rows<'a>> {
        let dim = self.tables.first().map_or(1, |table| table.dim());
        Rows::with_codes(dim, self.tables.iter().flat_map(|table| table.blocks()).collect())
    }

    fn rank_with(
        &self,
        features: &[Features],
        rank: impl Fn(&Rows<'a>) -> Result<Vec<Vec<Hit>>>,
    ) -> Result<Vec<Vec<Match<'a>>>> {
        if self.tables.is_empty() {
            return Ok(vec![Vec::new(); features.len()]);
        }
        self.matches(rank(&self.all_rows()?)?)
    }

    /// Ranks each table on its own device and merges the rankings.
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
            let ranked = match table.ranker() {
                Some(ranker) => ranker.top_k(&rows, features, k, order)?,
                None => rows.top_k(features, k, order)?,
            };
            for (all, hits) in all.iter_mut().zip(ranked) {
                all.extend(hits.into_iter().map(|hit| Hit { row: before + hit.row, ..hit }));
            }
            before += rows.len();
        }
        self.matches(all.into_iter().map(|hits| rank::merged(hits, k, order)).collect())
    }

    /// Looks up the labels of hits.
    fn matches(&self, hits: Vec<Vec<Hit>>) -> Result<Vec<Vec<Match<'a>>>> {
        let to_match = |hit: Hit| {
            let (table, row) = self.locate(hit.row)?; // never `None`: the row is from a table
            if hit.score.is_nan() {
                return Some(Err(table.damaged(row)));
            }
            let label = table.label(row);
            Some(label.map(|label| Match { table: table.name(), label, score: hit.score, row }))
        };
        hits.into_iter().map(|hits| hits.into_iter().filter_map(to_match).collect()).collect()
    }

    /// Returns the table that contains `row`, and the row's number in it.
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
    /// Returns the `k` labels with the highest scores, best first, or all labels if there
    /// are fewer. Equal scores are ordered by row, lower first. Scans every row or its
    /// codes, on all threads.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the features have another width; [`IndexError::Damaged`] if a label
    /// cannot be read or a score of the result is NaN.
    pub fn rank(&self, features: &Features, k: usize) -> Result<Vec<Match<'_>>> {
        Merged::indexed([self]).rank(features, k)
    }

    /// Ranks many images in one pass over the rows, best or worst labels first. Returns one
    /// ranking per image, in their order.
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
