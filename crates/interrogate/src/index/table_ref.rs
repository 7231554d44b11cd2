//! A reference to a table of either kind.

use super::Index;
use super::custom::CustomTable;
use super::table::Table;
use crate::error::IndexError;
use crate::rank::Block;
use crate::rank::device::DeviceRanker;
use crate::{Error, Result};

/// A reference to a table: of an index, or of the user's own labels.
#[derive(Clone, Copy, Debug)]
pub enum TableRef<'a> {
    /// A table of an index.
    Indexed(&'a Table),
    /// A table of the user's own labels.
    Custom(&'a CustomTable),
}

impl<'a> TableRef<'a> {
    /// Returns the table `name`: one of `own`, which hide those of `index`.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`], with the names of all tables.
    pub fn find(name: &str, own: &'a [CustomTable], index: &'a Index) -> Result<Self> {
        let indexed = || index.tables().iter().find(|table| table.name() == name);
        let own_table = own.iter().find(|own| own.name() == name).map(TableRef::Custom);
        let found = own_table.or_else(|| indexed().map(TableRef::Indexed));
        found.ok_or_else(|| missing(name, own, std::slice::from_ref(index)))
    }

    /// Returns the tables `name` of several indexes, in their order: of each that has one, or
    /// the one of `own`, which hides those of `indexes`. [`Merged`](super::Merged) ranks them
    /// as one table: the labels of an index may be divided among several folders.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`] if no index has one, with the names of all tables.
    pub fn find_all(name: &str, own: &'a [CustomTable], indexes: &'a [Index]) -> Result<Vec<Self>> {
        let found: Vec<Self> =
            indexes.iter().filter_map(|index| Self::find(name, own, index).ok()).collect();
        match found[..] {
            [] => Err(missing(name, own, indexes)),
            [own @ TableRef::Custom(_), ..] => Ok(vec![own]),
            _ => Ok(found),
        }
    }

    /// Returns `own` and the tables of `index` that they do not hide, sorted by name.
    pub fn all(own: &'a [CustomTable], index: &'a Index) -> Vec<Self> {
        let is_hidden = |table: &&Table| own.iter().any(|own| own.name() == table.name());
        let indexed = index.tables().iter().filter(|table| !is_hidden(table));
        let mut all: Vec<_> = indexed.map(TableRef::Indexed).collect();
        all.extend(own.iter().map(TableRef::Custom));
        all.sort_by_key(|table| table.name());
        all
    }

    /// Returns the table's name.
    pub fn name(self) -> &'a str {
        match self {
            TableRef::Indexed(table) => table.name(),
            TableRef::Custom(table) => table.name(),
        }
    }

    /// Returns the number of labels in a prompt, or `None` if the prompt decides.
    pub fn top(self) -> Option<u32> {
        match self {
            TableRef::Indexed(table) => table.top(),
            TableRef::Custom(table) => table.top(),
        }
    }

    /// Returns the number of labels, which is that of rows.
    pub fn len(self) -> usize {
        match self {
            TableRef::Indexed(table) => table.len(),
            TableRef::Custom(table) => table.labels().len(),
        }
    }

    /// Whether the table has no label.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns all labels, in the order of the rows.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if a label cannot be read.
    pub fn labels(self) -> Result<Vec<&'a str>> {
        (0..self.len()).map(|row| self.label(row)).collect()
    }

    /// Returns the label of `row`, which must exist.
    pub(super) fn label(self, row: usize) -> Result<&'a str> {
        match self {
            TableRef::Indexed(table) => table.label(row),
            TableRef::Custom(table) => Ok(&table.labels()[row]),
        }
    }

    /// Returns the error for a row whose score is NaN.
    pub(super) fn damaged(self, row: usize) -> Error {
        let shard = match self {
            TableRef::Indexed(table) => table.shard_of(row),
            TableRef::Custom(_) => None,
        };
        let (path, row) = shard.unwrap_or_else(|| (self.name().into(), row));
        Error::damaged(path, "rows", "finite values", format!("NaN in row {row}"))
    }

    pub(super) fn dim(self) -> usize {
        match self {
            TableRef::Indexed(table) => table.dim(),
            TableRef::Custom(table) => table.dim(),
        }
    }

    pub(super) fn ranker(self) -> Option<&'a DeviceRanker> {
        match self {
            TableRef::Indexed(table) => table.ranker(),
            TableRef::Custom(table) => table.ranker(),
        }
    }

    pub(super) fn blocks(self) -> Vec<Block<'a>> {
        match self {
            TableRef::Indexed(table) => table.blocks().collect(),
            TableRef::Custom(table) => vec![table.block()],
        }
    }
}

/// Returns the error for a table that neither `own` nor `indexes` have.
fn missing(name: &str, own: &[CustomTable], indexes: &[Index]) -> Error {
    let indexed = indexes.iter().flat_map(Index::tables).map(Table::name);
    let mut tables: Vec<String> =
        indexed.chain(own.iter().map(CustomTable::name)).map(str::to_owned).collect();
    tables.sort();
    tables.dedup();
    let path = indexes.first().map_or_else(Default::default, |index| index.path().to_owned());
    Error::Index(IndexError::TableMissing { path, name: name.to_owned(), tables })
}
