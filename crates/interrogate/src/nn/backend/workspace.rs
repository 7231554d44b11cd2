//! The buffers of a model's forward pass.

use super::Backend;

/// The hidden states of a batch, and buffers for the intermediate results of a layer. The first
/// layer allocates them, the others reuse them.
#[derive(Debug)]
pub(crate) struct Workspace<B: Backend> {
    /// The hidden states (n, width).
    pub(crate) rows: B::Rows,
    pub(crate) normed: B::Rows,
    pub(crate) queries: B::Rows,
    pub(crate) keys: B::Rows,
    pub(crate) values: B::Rows,
    /// The output of attention.
    pub(crate) context: B::Rows,
    /// The states between attention and the MLP.
    pub(crate) next: B::Rows,
    /// The inner layer of the MLP.
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
