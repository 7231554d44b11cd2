//! Matrices of the CPU backend.

/// A matrix (rows, width), row-major.
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

    /// Resizes to `rows` of `width`, with unspecified contents.
    pub(super) fn shaped(&mut self, rows: usize, width: usize) -> &mut [f32] {
        self.width = width;
        match self.values.capacity() {
            0 => self.values = vec![0.0; rows * width], // zeroed by the system
            _ => self.values.resize(rows * width, 0.0),
        }
        &mut self.values
    }

    /// Row number `number`.
    pub(super) fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..][..self.width]
    }
}
