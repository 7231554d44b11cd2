//! Matrices of the CPU backend.

/// Rows of one width, row behind row.
#[derive(Debug, Default)]
pub(crate) struct HostRows {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl HostRows {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Makes it `rows` of `width`, whatever they hold.
    pub(super) fn shaped(&mut self, rows: usize, width: usize) -> &mut [f32] {
        self.width = width;
        match self.values.capacity() {
            0 => self.values = vec![0.0; rows * width], // the system has zeros at hand
            _ => self.values.resize(rows * width, 0.0),
        }
        &mut self.values
    }

    /// The row `number`.
    pub(super) fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..][..self.width]
    }
}
