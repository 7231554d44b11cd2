//! Sums of embeddings.

use candle_core::{DType, Result, Tensor};

use super::{Kernels, SUMS};

/// A table and the ids of its rows that are looked up.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Lookup<'a> {
    pub(super) table: &'a Tensor,
    pub(super) ids: &'a [u32],
}

impl<'a> Lookup<'a> {
    /// # Errors
    /// If the table lacks one of the rows.
    pub(in super::super) fn new(table: &'a Tensor, ids: &'a [u32]) -> Result<Self> {
        let rows = table.dim(0)?;
        match ids.iter().find(|id| **id as usize >= rows) {
            Some(id) => candle_core::bail!("row {id} of a table of {rows} rows"),
            None => Ok(Lookup { table, ids }),
        }
    }

    /// Returns the rows.
    pub(in super::super) fn rows(self) -> Result<Tensor> {
        self.table.index_select(&Tensor::new(self.ids, self.table.device())?, 0)
    }
}

impl Kernels {
    /// Returns the sums of the rows of two tables.
    pub(in super::super) fn lookup_sum(&self, [a, b]: [Lookup<'_>; 2]) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Some(found) = self.launch_lookup(a.table, Some(a.ids), b)? {
            return Ok(found);
        }
        add(&a.rows()?, &b.rows()?)
    }

    /// Returns the sums of `rows` and of the rows of a table.
    pub(in super::super) fn add_lookup(&self, rows: &Tensor, lookup: Lookup<'_>) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Some(found) = self.launch_lookup(rows, None, lookup)? {
            return Ok(found);
        }
        add(rows, &lookup.rows()?)
    }
}

fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a.to_dtype(DType::F32)? + b.to_dtype(DType::F32)?)?.to_dtype(SUMS)
}
