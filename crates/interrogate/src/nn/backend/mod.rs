//! What models are computed with: the processor's kernels, or a GPU's tensors.
//!
//! A model is written once, over a [`Backend`]: its matrices are the backend's
//! [`Rows`](Backend::Rows), its layers the backend's products and norms. [`Cpu`](super::Cpu)
//! has them as slices and this library's kernels, [`Gpu`](super::Gpu) as candle's tensors.
//! Every operation writes to an output that the caller lends, so that a layer of the
//! processor allocates nothing after its first call.
//!
//! Which rows a row attends to is a [`Scope`].

mod batch;
mod scope;
mod workspace;

use std::fmt::Debug;
use std::ops::Range;

use super::{Activation, Heads, RelativeBias};
use crate::Result;
use crate::weights::Values;

pub(crate) use batch::Batch;
pub(crate) use scope::{RowLists, Scope, Span};
pub(crate) use workspace::Workspace;

/// Operations over matrices of f32, rows lying flat.
///
/// Unless said otherwise an output is overwritten and takes the shape of the result.
///
/// # Errors
/// [`Error::Dim`](crate::Error::Dim) where shapes do not go together,
/// [`Error::Engine`](crate::Error::Engine) where a device fails.
pub(crate) trait Backend: Clone + Debug + Send + Sync + Sized + 'static {
    /// A matrix of f32: rows of one width.
    type Rows: Debug + Default + Send + Sync;
    /// A weight `(out, in)` with its bias.
    type Linear: Debug + Send + Sync;
    /// The weights of a normalisation.
    type Norm: Debug + Send + Sync;
    /// A matrix of which single rows are read.
    type Table: Debug + Send + Sync;
    /// Numbers of rows.
    type Ids: Debug + Send + Sync;
    /// A [`Scope`], laid out for the backend.
    type Scope: Debug + Send + Sync;
    /// Keys and values of one layer.
    type KvLayer: Debug + Default + Send + Sync;

    // ---- weights

    /// A product with `weight` `(out, in)`, kept in the backend's precision.
    fn linear(
        &self,
        weight: &Values,
        shape: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<Self::Linear>;

    /// A normalisation by `weight`: to mean 0 and variance 1 with a `bias`, else to a root
    /// mean square of 1.
    fn norm(&self, weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<Self::Norm>;

    /// A table of rows of `width`.
    fn table(&self, values: Values, width: usize) -> Result<Self::Table>;

    // ---- to and from the host

    /// Copies rows of `width` to the backend.
    fn upload(&self, values: Vec<f32>, width: usize) -> Result<Self::Rows>;

    /// The values of rows on the host, row behind row.
    fn download(&self, rows: Self::Rows) -> Result<Vec<f32>>;

    /// Copies numbers of rows to the backend.
    fn ids(&self, ids: &[u32]) -> Result<Self::Ids>;

    /// Lays out a scope.
    fn scope(&self, scope: Scope) -> Result<Self::Scope>;

    // ---- layers

    /// `x W^T + b` of several layers over one input.
    fn apply_each(
        &self,
        layers: &mut [(&Self::Linear, &mut Self::Rows)],
        x: &Self::Rows,
    ) -> Result<()>;

    /// `activation(x W^T + b) + residual`.
    fn apply(
        &self,
        layer: &Self::Linear,
        x: &Self::Rows,
        epilogue: Epilogue<'_, Self>,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Normalises each row.
    fn normalize(&self, norm: &Self::Norm, x: &Self::Rows, out: &mut Self::Rows) -> Result<()>;

    /// Scaled dot-product attention of each of `queries` over the rows of `kv` that `scope`
    /// names for it, with `bias` added to the scaled products
    /// (Vaswani et al., arXiv 1706.03762, section 3.2.1).
    fn attend(
        &self,
        heads: Heads,
        queries: &Self::Rows,
        kv: KvView<'_, Self>,
        scope: &Self::Scope,
        bias: Option<&RelativeBias>,
        out: &mut Self::Rows,
    ) -> Result<()>;

    // ---- rows

    /// The rows of `table` numbered `ids`, all of which it has.
    fn lookup(&self, table: &Self::Table, ids: &[u32], out: &mut Self::Rows) -> Result<()>;

    /// Adds to each row of `rows` the row of `table` that `ids` numbers for it.
    fn add_lookup(&self, table: &Self::Table, ids: &[u32], rows: &mut Self::Rows) -> Result<()>;

    /// The rows of `x` numbered `ids`, all of which it has.
    fn select(&self, x: &Self::Rows, ids: &Self::Ids, out: &mut Self::Rows) -> Result<()>;

    /// The rows of `parts`, one part behind the other.
    fn concat(&self, parts: &[&Self::Rows], out: &mut Self::Rows) -> Result<()>;

    /// `rows`, cut into `groups` of equal length, with `first`, one row, before each.
    fn prepend(
        &self,
        first: &Self::Rows,
        groups: usize,
        rows: &Self::Rows,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Adds `group` to each of the groups of as many rows that `rows` is made of.
    fn add_to_groups(&self, group: &Self::Rows, rows: &mut Self::Rows) -> Result<()>;

    /// `group`, `groups` times.
    fn repeat(&self, group: &Self::Rows, groups: usize, out: &mut Self::Rows) -> Result<()>;

    /// Multiplies each value of `rows` by the one of `by` in its place.
    fn multiply(&self, by: &Self::Rows, rows: &mut Self::Rows) -> Result<()>;

    /// Multiplies all values by one number.
    fn scale(&self, by: f32, rows: &mut Self::Rows) -> Result<()>;

    /// The mean of the rows that each span of `scope` has, a row each; zeros for an empty one.
    fn means(&self, x: &Self::Rows, scope: &Self::Scope, out: &mut Self::Rows) -> Result<()>;

    // ---- KV caches

    /// Appends keys and values, a row each.
    fn append(
        &self,
        layer: &mut Self::KvLayer,
        keys: &Self::Rows,
        values: &Self::Rows,
    ) -> Result<()>;

    /// Forgets all but the first `rows`.
    fn truncate(&self, layer: &mut Self::KvLayer, rows: usize);

    // ---- work

    /// How many tokens go through at once where the processor takes `tokens`.
    fn batch_tokens(&self, tokens: usize) -> usize;

    /// `items` cut into batches of at most `most`, as even as can be: on the processor so
    /// many that each thread has one.
    fn batches(&self, items: usize, most: usize) -> std::vec::IntoIter<Range<usize>>;

    /// Calls `work` with a workspace.
    fn with_workspace<T: Send>(
        &self,
        work: impl FnOnce(&mut Workspace<Self>) -> Result<T> + Send,
    ) -> Result<T>;

    /// The results of `work` for `batches`, in their order: on the processor on all threads,
    /// on a device one after the other. A device that runs out of memory halves the batch,
    /// and gives the results of the halves.
    ///
    /// # Errors
    /// Those of `work`; [`Error::DeviceMemory`](crate::Error::DeviceMemory) at `action` where
    /// a batch of one does not fit.
    fn each<I, T>(
        &self,
        action: &'static str,
        batches: I,
        work: impl Fn(&mut Workspace<Self>, I::Item) -> Result<T> + Sync,
    ) -> Result<Vec<T>>
    where
        I: ExactSizeIterator + Send,
        I::Item: Batch + Clone + Send,
        T: Send;
}

/// What a product does to its output before it leaves the cache:
/// `activation(x W^T + b) + residual`.
#[derive(Debug)]
pub(crate) struct Epilogue<'a, B: Backend> {
    /// The non-linear step.
    pub(crate) activation: Activation,
    /// `(rows, out)`, added last.
    pub(crate) residual: Option<&'a B::Rows>,
}

impl<'a, B: Backend> Epilogue<'a, B> {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Epilogue { activation: Activation::None, residual: None }
    }

    /// The activation alone.
    pub(crate) fn activation(activation: Activation) -> Self {
        Epilogue { activation, residual: None }
    }

    /// The residual alone.
    pub(crate) fn plus(residual: &'a B::Rows) -> Self {
        Epilogue { activation: Activation::None, residual: Some(residual) }
    }
}

/// Keys and values, a row each.
pub(crate) type KeysAndValues<B> = [<B as Backend>::Rows; 2];

/// Keys and values that can be attended to: rows that were computed before, numbered first,
/// then those of now.
#[derive(Debug)]
pub(crate) struct KvView<'a, B: Backend> {
    /// What a KV cache has.
    pub(crate) cached: Option<&'a B::KvLayer>,
    /// Keys and values of now, a row each.
    pub(crate) current: Option<[&'a B::Rows; 2]>,
}

impl<'a, B: Backend> KvView<'a, B> {
    /// Keys and values of now alone.
    pub(crate) fn uncached(keys: &'a B::Rows, values: &'a B::Rows) -> Self {
        KvView { cached: None, current: Some([keys, values]) }
    }
}
