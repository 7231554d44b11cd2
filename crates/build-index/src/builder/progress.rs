//! Progress of a build.

/// Progress of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Labels are being tokenized.
    Tokenizing {
        /// Labels done.
        labels: usize,
        /// Labels in all.
        total: usize,
    },
    /// The rows of parts are being checked.
    Checking {
        /// Rows checked.
        rows: usize,
        /// Rows in all.
        total: usize,
    },
    /// Labels are being encoded, shortest first.
    Encoding {
        /// Labels done, including those of an earlier, unfinished build.
        labels: usize,
        /// Labels in all.
        total: usize,
        /// Tokens done; the time left follows from these.
        tokens: usize,
        /// Tokens in all.
        total_tokens: usize,
    },
    /// Rows are being written.
    Writing {
        /// Rows written.
        rows: usize,
        /// Rows in all.
        total: usize,
    },
}
