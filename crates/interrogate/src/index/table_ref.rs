//! A reference to a table that can be ranked, whatever it is stored in.

use super::custom::CustomTable;
use super::table::Table;
use crate::rank::Block;
use crate::rank::device::Place;
use crate::{Error, Result};

/// A table to be ranked, of an index or one's own.
#[derive(Clone, Copy, Debug)]
pub enum TableRef<'a> {
    /// Of an index.
    Indexed(&'a Table),
    /// In memory.
    Custom(&'a CustomTable),
}

impl<'a> TableRef<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        match self {
            TableRef::Indexed(table) => table.name(),
            TableRef::Custom(table) => table.name(),
        }
    }

    /// How many of its labels a prompt takes; `None` where the prompt decides.
    pub fn top(self) -> Option<u32> {
        match self {
            TableRef::Indexed(table) => table.top(),
            TableRef::Custom(table) => table.top(),
        }
    }

    /// Number of labels, and of rows.
    pub fn len(self) -> usize {
        match self {
            TableRef::Indexed(table) => table.len(),
            TableRef::Custom(table) => table.labels().len(),
        }
    }

    /// Whether there is no label.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// All labels, in the order of the rows.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`] where a label is no text.
    pub fn labels(self) -> Result<Vec<&'a str>> {
        (0..self.len()).map(|row| self.label(row)).collect()
    }

    /// The label of `row`, which is one of the table's.
    pub(super) fn label(self, row: usize) -> Result<&'a str> {
        match self {
            TableRef::Indexed(table) => table.label(row),
            TableRef::Custom(table) => Ok(&table.labels()[row]),
        }
    }

    /// The error of a row whose score is not a number.
    pub(super) fn damaged(self, row: usize) -> Error {
        let place = match self {
            TableRef::Indexed(table) => table.shard_of(row),
            TableRef::Custom(_) => None,
        };
        let (path, row) = place.unwrap_or_else(|| (self.name().into(), row));
        Error::damaged(path, "rows", "finite values", format!("NaN in row {row}"))
    }

    pub(super) fn dim(self) -> usize {
        match self {
            TableRef::Indexed(table) => table.dim(),
            TableRef::Custom(table) => table.dim(),
        }
    }

    pub(super) fn place(self) -> Option<&'a Place> {
        match self {
            TableRef::Indexed(table) => table.place(),
            TableRef::Custom(table) => table.place(),
        }
    }

    pub(super) fn blocks(self) -> Vec<Block<'a>> {
        match self {
            TableRef::Indexed(table) => table.blocks().collect(),
            TableRef::Custom(table) => vec![table.block()],
        }
    }
}
