//! Hidden states: rows of f32 values, one row a position.
//!
//! Owns the layout that every layer here reads and writes. Which rows belong
//! to which image is for those who hold them.

/// States (rows, dim), row behind row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct States {
    dim: usize,
    values: Vec<f32>,
}

impl States {
    /// `values` are rows of `dim`; what is left of a last, broken row counts
    /// for nothing.
    pub(crate) fn new(dim: usize, values: Vec<f32>) -> Self {
        debug_assert!(dim > 0 && values.len().is_multiple_of(dim));
        States { dim, values }
    }

    /// All zero.
    pub(crate) fn zeros(rows: usize, dim: usize) -> Self {
        States { dim, values: vec![0.0; rows * dim] }
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dim..][..self.dim]
    }

    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    pub(crate) fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// Adds `other`, of the same shape: the residual.
    pub(crate) fn add(&mut self, other: &States) {
        debug_assert_eq!(self.values.len(), other.values.len());
        self.values.iter_mut().zip(&other.values).for_each(|(a, b)| *a += b);
    }

    /// The rows of these numbers, in their order.
    pub(crate) fn select(&self, rows: &[usize]) -> States {
        let values = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        States { dim: self.dim, values }
    }

    /// Columns `from..from + dim` of every row.
    pub(crate) fn columns(&self, from: usize, dim: usize) -> States {
        let values = self.rows().flat_map(|row| &row[from..from + dim]).copied().collect();
        States { dim, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_cut_out() {
        let states = States::new(3, (0u8..6).map(f32::from).collect());
        assert_eq!(states.select(&[1, 0, 1]).values(), [3., 4., 5., 0., 1., 2., 3., 4., 5.]);
        assert_eq!(states.columns(1, 2), States::new(2, vec![1., 2., 4., 5.]));
        assert_eq!((states.len(), states.dim()), (2, 3));
    }
}
