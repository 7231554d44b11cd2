//! Rows of embeddings and features.

/// What is wrong with rows of embeddings or features.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// Two sides have different widths: they come from different models.
    #[error("{what} has {found} values a row, expected {expected}")]
    Dim {
        /// The side that is wrong.
        what: &'static str,
        /// The width of the other side.
        expected: usize,
        /// Its width.
        found: usize,
    },
    /// A row has no direction and cannot be normalized: the encoder or its weights are
    /// broken.
    #[error("row {row} of the {what} is zero or not finite")]
    Direction {
        /// What the rows are.
        what: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// A block does not consist of whole rows: it is cut off, or of another width.
    #[error("block {block} has {values} values, expected whole rows of {dim}")]
    Block {
        /// The block, from 0.
        block: usize,
        /// Values in a row.
        dim: usize,
        /// Values in the block.
        values: usize,
    },
    /// Quantized codes do not belong to the rows beside them.
    #[error(
        "codes of {rows} rows of {dim} values: found {} codes, {} scales, {} error bounds, \
         a mean of {} and a spread of {}",
        found[0], found[1], found[2], found[3], found[4]
    )]
    Codes {
        /// Number of rows.
        rows: usize,
        /// Values in a row.
        dim: usize,
        /// Number of codes, scales, error bounds, and values of the mean and of the
        /// spread (without a spread: those of the mean).
        found: [usize; 5],
    },
}

impl RowsError {
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            RowsError::Dim { .. } => {
                Some("use the model that the index was built with, or build the index again")
            }
            RowsError::Direction { .. } => Some(
                "values of f16 end at 65,504: compute in bf16 or f32; if those fail too, download the weights again",
            ),
            RowsError::Block { .. } | RowsError::Codes { .. } => {
                Some("the rows are damaged or of another model; build the index again")
            }
        }
    }
}
