//! How rows are split into attention heads.

/// How a row is cut into heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    /// Number of heads; it divides the width of a row.
    pub(crate) count: usize,
    /// What a dot product is multiplied by.
    pub(crate) scale: f32,
}

impl Heads {
    /// Heads of rows of `width` values, scaled by one over the root of a head's
    /// width.
    pub(crate) fn scaled(count: usize, width: usize) -> Self {
        Heads { count, scale: 1.0 / ((width / count.max(1)) as f32).sqrt() }
    }
}
