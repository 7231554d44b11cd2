//! The memory that a tower works in.

/// Rows on their way through the layers, and room for what each layer makes of
/// them: grown by the first layer, used again by the others.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Values in a row.
    pub(super) width: usize,
    /// The states (n, width).
    pub(super) rows: Vec<f32>,
    pub(super) normed: Vec<f32>,
    pub(super) queries: Vec<f32>,
    /// Keys of the past and then of the rows.
    pub(super) keys: Vec<f32>,
    /// Values of the past and then of the rows.
    pub(super) values: Vec<f32>,
    /// What attention gives.
    pub(super) sums: Vec<f32>,
    /// States between attention and the MLP.
    pub(super) next: Vec<f32>,
    /// The wide side of the MLP.
    pub(super) inner: Vec<f32>,
}

impl Room {
    /// Room around `rows` of `width` values.
    pub(super) fn new(width: usize, rows: Vec<f32>) -> Self {
        Room { width, rows, ..Room::default() }
    }
}
