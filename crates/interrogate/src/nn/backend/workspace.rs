//! The memory that a model works in.

use super::Backend;

/// Rows on their way through the layers, and buffers for what each layer makes of them:
/// grown by the first layer, used again by the others.
#[derive(Debug)]
pub(crate) struct Workspace<B: Backend> {
    /// The states (n, width).
    pub(crate) rows: B::Rows,
    pub(crate) normed: B::Rows,
    pub(crate) queries: B::Rows,
    pub(crate) keys: B::Rows,
    pub(crate) values: B::Rows,
    /// The output of attention.
    pub(crate) context: B::Rows,
    /// States between attention and the MLP.
    pub(crate) next: B::Rows,
    /// The wide side of the MLP.
    pub(crate) inner: B::Rows,
}

impl<B: Backend> Default for Workspace<B> {
    fn default() -> Self {
        Workspace {
            rows: B::Rows::default(),
            normed: B::Rows::default(),
            queries: B::Rows::default(),
            keys: B::Rows::default(),
            values: B::Rows::default(),
            context: B::Rows::default(),
            next: B::Rows::default(),
            inner: B::Rows::default(),
        }
    }
}
