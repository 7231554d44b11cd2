//! Queries: sums of texts and images.

/// A query cannot be parsed or has no direction.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The query does not parse.
    #[error("query {query:?}, column {column}: expected {expected}, found {found}")]
    Syntax {
        /// The query.
        query: String,
        /// The character where parsing failed, from 1.
        column: usize,
        /// What is valid there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The terms sum to zero, which has no direction to rank by.
    #[error("the terms of {query} cancel each other out")]
    Zero {
        /// The query.
        query: String,
    },
}

impl QueryError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            QueryError::Syntax { .. } => {
                "a query is like '2*a.jpg - \"a drawing\"': texts in double quotes, images bare or as image:\"a b.jpg\""
            }
            QueryError::Zero { .. } => "leave a term out, or change a factor",
        }
    }
}
