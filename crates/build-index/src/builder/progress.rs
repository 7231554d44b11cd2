//! How far a build has come.

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Labels are being tokenized.
    Tokenizing {
        /// Labels done.
        labels: usize,
        /// Labels there are to do.
        total: usize,
    },
    /// Labels are being encoded, shortest first.
    Encoding {
        /// Labels done, those of an earlier build that was stopped among them.
        labels: usize,
        /// Labels there are to do.
        total: usize,
        /// Their tokens done: what time goes by.
        tokens: usize,
        /// Their tokens there are to do.
        total_tokens: usize,
    },
    /// Rows are being written.
    Writing {
        /// Rows written.
        rows: usize,
        /// Rows there are to write.
        total: usize,
    },
}
