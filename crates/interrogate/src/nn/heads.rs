//! How rows are split into attention heads.

/// How rows are split into attention heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    /// Number of heads; divides the width of a row.
    pub(crate) count: usize,
    /// The factor of the dot products.
    pub(crate) scale: f32,
}

impl Heads {
    /// Heads of rows of `width` values, with the scale `1 / sqrt(width / count)`.
    pub(crate) fn scaled(count: usize, width: usize) -> Self {
        Heads { count, scale: 1.0 / ((width / count.max(1)) as f32).sqrt() }
    }
}
