//! Queries against the tables of an index.

use std::path::{Path, PathBuf};

use interrogate::encoder::Features;
use interrogate::index::{Index, Merged};
use interrogate::rank::Order;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Result, turns};

/// An open index and its queries.
pub(crate) struct Opened {
    index: Index,
    queries: Vec<Features>,
}

/// The file of the queries in the index's folder: little-endian f32 values.
pub(crate) const QUERIES: &str = "queries.f32";

impl Opened {
    /// Opens the index in `folder` and the queries beside it.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let index = Index::open(folder)?;
        let queries = turns::features(&folder.join(QUERIES), index.dim())?;
        Ok(Opened { index, queries })
    }
}

/// Opens an index that another process has built.
#[derive(Deserialize)]
pub(crate) struct Reopen {
    folder: PathBuf,
}

impl Reopen {
    pub(crate) fn run(self, open: &mut Option<Opened>) -> Result<Value> {
        *open = Some(Opened::open(&self.folder)?);
        Ok(json!({}))
    }
}

/// Ranks the first `queries` against the merged `tables`.
#[derive(Deserialize)]
pub(crate) struct Rank {
    tables: Vec<String>,
    queries: usize,
    k: usize,
    runs: usize,
    /// Whether to return the rows found.
    #[serde(default)]
    tell: bool,
}

impl Rank {
    pub(crate) fn run(self, open: Option<&Opened>) -> Result<Value> {
        let Opened { index, queries } = open.ok_or("rank: no table is built")?;
        let names: Vec<&str> = self.tables.iter().map(String::as_str).collect();
        let merged = index.merged(&names)?;
        let queries = queries.get(..self.queries).ok_or("rank: fewer queries were written")?;
        let rank = || Ok(merged.rank_many(queries, self.k, Order::Best)?);
        let (ms, ranked) = turns::time((1, self.runs), rank)?;
        let rows = |matches: &Vec<interrogate::index::Match<'_>>| -> Vec<usize> {
            matches.iter().map(|found| first(&merged, found.table) + found.row).collect()
        };
        let found = if self.tell { ranked.iter().map(rows).collect() } else { Vec::new() };
        Ok(json!({ "ms": ms, "rows": found }))
    }
}

/// The number of rows before the table `name`.
fn first(merged: &Merged<'_>, name: &str) -> usize {
    merged.tables().iter().take_while(|table| table.name() != name).map(|table| table.len()).sum()
}
