//! The backend of a model: CPU kernels or a GPU's tensors.
//!
//! A model is written once, over a [`Backend`]: its matrices are the backend's
//! [`Rows`](Backend::Rows), its layers the backend's products and norms. [`Cpu`](super::Cpu)
//! uses slices and this library's kernels, [`Gpu`](super::Gpu) candle's tensors. Every operation
//! writes to an output that the caller passes in, so that a layer on the CPU allocates nothing
//! after its first call.
//!
//! A [`Scope`] says which rows each row attends to.

mod batch;
mod logits;
mod scope;
mod workspace;

use std::fmt::Debug;
use std::ops::Range;

use super::{Activation, Heads, RelativeBias, Rotary, Window};
use crate::Result;
#[cfg(doc)]
use crate::error::{DeviceError, RowsError};
use crate::weights::Values;

pub(crate) use batch::Batch;
pub(crate) use logits::{LogitsRequest, ReducedLogits, TokenLogit, log_sum_exp};
pub(crate) use scope::{RowLists, Scope, Span};
pub(crate) use workspace::Workspace;

/// Operations on matrices: of f32 on the CPU, and of the precision's type on a device, where
/// values come from and return to the host as f32.
///
/// Unless stated otherwise, an output is overwritten and takes the shape of the result.
///
/// # Errors
/// [`RowsError::Dim`] if shapes do not match,
/// [`DeviceError::Tensors`] if a device fails.
pub(crate) trait Backend: Clone + Debug + Send + Sync + Sized + 'static {
    /// A matrix, (rows, width).
    type Rows: Debug + Default + Send + Sync;
    /// A weight `(out, in)` with its bias.
    type Linear: Debug + Send + Sync;
    /// The weights of a norm.
    type Norm: Debug + Send + Sync;
    /// A matrix whose rows are looked up one by one.
    type Table: Debug + Send + Sync;
    /// Row numbers.
    type Ids: Debug + Send + Sync;
    /// A [`Scope`], prepared for the backend.
    type Scope: Debug + Send + Sync;
    /// A [`Rotary`], prepared for the backend.
    type Rotary: Debug + Send + Sync;
    /// The cached keys and values of one layer.
    type KvLayer: Debug + Default + Send + Sync;

    // ---- weights

    /// Creates a product with `weight` `(out, in)`, in the backend's precision.
    fn linear(
        &self,
        weight: &Values,
        shape: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<Self::Linear>;

    /// Creates a norm by `weight`: layer norm with a `bias`, else RMS norm.
    fn norm(&self, weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<Self::Norm>;

    /// Creates a table of rows of `width`.
    fn table(&self, values: Values, width: usize) -> Result<Self::Table>;

    /// Prepares a rotary position embedding for the backend.
    fn rotary(&self, rotary: Rotary) -> Result<Self::Rotary>;

    /// Prepares for layers of rows of `width` with heads of `head` values, while their weights
    /// are loaded. No result depends on it.
    fn warm_up(&self, _width: usize, _head: usize) {}

    // ---- to and from the host

    /// Copies rows of `width` to the backend.
    fn upload(&self, values: Vec<f32>, width: usize) -> Result<Self::Rows>;

    /// Copies rows to the host, in row order.
    fn download(&self, rows: Self::Rows) -> Result<Vec<f32>>;

    /// Copies row numbers to the backend.
    fn ids(&self, ids: &[u32]) -> Result<Self::Ids>;

    /// Prepares a scope for the backend.
    fn scope(&self, scope: Scope) -> Result<Self::Scope>;

    /// Reduces `logits`, (sequences, vocab), to the parts that `request` names, or returns `None`
    /// if reading them all costs no more. The picks must be in range.
    fn reduce_logits(
        &self,
        logits: &Self::Rows,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>>;

    // ---- layers

    /// Computes `x W^T + b` of several layers for one input.
    fn apply_each(
        &self,
        layers: &mut [(&Self::Linear, &mut Self::Rows)],
        x: &Self::Rows,
    ) -> Result<()>;

    /// Computes `activation(x W^T + b) + residual`.
    fn apply(
        &self,
        layer: &Self::Linear,
        x: &Self::Rows,
        epilogue: Epilogue<'_, Self>,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Computes `x W^T + b + residual`, and its norm. Unless the sum is kept, `sum` need not be
    /// written.
    fn apply_and_normalize(
        &self,
        layer: &Self::Linear,
        x: &Self::Rows,
        SumAndNorm { residual, norm, .. }: SumAndNorm<'_, Self>,
        sum: &mut Self::Rows,
        normed: &mut Self::Rows,
    ) -> Result<()> {
        self.apply(layer, x, Epilogue::plus(residual), sum)?;
        self.normalize(norm, sum, normed)
    }

    /// Normalizes each row.
    fn normalize(&self, norm: &Self::Norm, x: &Self::Rows, out: &mut Self::Rows) -> Result<()>;

    /// Scaled dot-product attention of each of `queries` to the rows of `kv` that `scope` lists
    /// for it, with `bias` added to the scaled products (Vaswani et al., arXiv 1706.03762,
    /// section 3.2.1).
    fn attend(
        &self,
        heads: Heads,
        queries: &Self::Rows,
        kv: KvView<'_, Self>,
        scope: &Self::Scope,
        bias: Option<&RelativeBias>,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Applies a rotary position embedding to the heads of `rows`, which are whole groups of its
    /// positions.
    fn rotate(&self, rotary: &Self::Rotary, rows: &mut Self::Rows) -> Result<()>;

    // ---- feature maps: rows are pixels, line by line, and their values are channels

    /// Convolves square maps with `layer`, and applies `activation`. An input of the product is
    /// (kernel, kernel, channels): the pixels of a window, line by line.
    fn convolve(
        &self,
        layer: &Self::Linear,
        window: &Window,
        x: &Self::Rows,
        activation: Activation,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Convolves each channel of square maps with its own kernel.
    fn convolve_depthwise(
        &self,
        kernels: &Depthwise<Self>,
        window: &Window,
        x: &Self::Rows,
        out: &mut Self::Rows,
    ) -> Result<()>;

    // ---- rows

    /// Applies `activation` to all values.
    fn activate(&self, activation: Activation, rows: &mut Self::Rows) -> Result<()>;

    /// Copies the rows `ids` of `table`; all must exist.
    fn lookup(&self, table: &Self::Table, ids: &[u32], out: &mut Self::Rows) -> Result<()>;

    /// Adds to each row of `rows` the row of `table` with its number in `ids`.
    fn add_lookup(&self, table: &Self::Table, ids: &[u32], rows: &mut Self::Rows) -> Result<()>;

    /// Sums rows of two tables, each table with the ids of its rows; all must exist.
    fn lookup_sum(
        &self,
        [(first, ids), (second, more)]: [(&Self::Table, &[u32]); 2],
        out: &mut Self::Rows,
    ) -> Result<()> {
        self.lookup(first, ids, out)?;
        self.add_lookup(second, more, out)
    }

    /// Copies the rows `ids` of `x`; all must exist.
    fn select(&self, x: &Self::Rows, ids: &Self::Ids, out: &mut Self::Rows) -> Result<()>;

    /// Concatenates the rows of `parts`.
    fn concat(&self, parts: &[&Self::Rows], out: &mut Self::Rows) -> Result<()>;

    /// Splits `rows` into `groups` of equal length, and inserts the row `first` before each.
    fn prepend(
        &self,
        first: &Self::Rows,
        groups: usize,
        rows: &Self::Rows,
        out: &mut Self::Rows,
    ) -> Result<()>;

    /// Adds `group` to each group of as many rows in `rows`.
    fn add_to_groups(&self, group: &Self::Rows, rows: &mut Self::Rows) -> Result<()>;

    /// Repeats `group` `groups` times.
    fn repeat(&self, group: &Self::Rows, groups: usize, out: &mut Self::Rows) -> Result<()>;

    /// Transposes each of `groups` groups of equally many rows: (groups * n, width) becomes
    /// (groups * width, n).
    fn transpose(&self, groups: usize, rows: &Self::Rows, out: &mut Self::Rows) -> Result<()>;

    /// Multiplies `rows` elementwise by `by`.
    fn multiply(&self, by: &Self::Rows, rows: &mut Self::Rows) -> Result<()>;

    /// Multiplies all values by a number.
    fn scale(&self, by: f32, rows: &mut Self::Rows) -> Result<()>;

    /// Computes the mean row of each span of `scope`; zeros for an empty span.
    fn means(&self, x: &Self::Rows, scope: &Self::Scope, out: &mut Self::Rows) -> Result<()>;

    // ---- KV caches

    /// Appends keys and values, one row per token.
    fn append(
        &self,
        layer: &mut Self::KvLayer,
        keys: &Self::Rows,
        values: &Self::Rows,
    ) -> Result<()>;

    /// Removes all but the first `rows` rows.
    fn truncate(&self, layer: &mut Self::KvLayer, rows: usize);

    // ---- work

    /// Returns the tokens per batch on this backend, where the CPU uses `tokens`.
    fn batch_tokens(&self, tokens: usize) -> usize;

    /// Returns the nodes of a trie per batch on this backend, where the CPU uses `tokens`. A node
    /// takes `node` bytes of rows.
    fn batch_nodes(&self, tokens: usize, node: usize) -> usize;

    /// Splits `items` into even batches of at most `most`; on the CPU into enough that each
    /// thread has one.
    fn batches(&self, items: usize, most: usize) -> std::vec::IntoIter<Range<usize>>;

    /// Calls `work` with a workspace.
    fn with_workspace<T: Send>(
        &self,
        work: impl FnOnce(&mut Workspace<Self>) -> Result<T> + Send,
    ) -> Result<T>;

    /// Returns the results of `work` for `batches`, in order: on all threads of the CPU, or a few
    /// at a time on a device. If a device runs out of memory with one batch, the batch is halved,
    /// and the results are those of the halves.
    ///
    /// # Errors
    /// Those of `work`; [`DeviceError::OutOfMemory`] at `action` if a
    /// batch of one does not fit.
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

/// The operations fused to a product: `activation(x W^T + b) + residual`.
#[derive(Debug)]
pub(crate) struct Epilogue<'a, B: Backend> {
    /// The activation function.
    pub(crate) activation: Activation,
    /// `(rows, out)`, added last.
    pub(crate) residual: Option<&'a B::Rows>,
}

impl<'a, B: Backend> Epilogue<'a, B> {
    /// No operations.
    pub(crate) fn none() -> Self {
        Epilogue { activation: Activation::None, residual: None }
    }

    /// An activation alone.
    pub(crate) fn activation(activation: Activation) -> Self {
        Epilogue { activation, residual: None }
    }

    /// A residual alone.
    pub(crate) fn plus(residual: &'a B::Rows) -> Self {
        Epilogue { activation: Activation::None, residual: Some(residual) }
    }
}

/// The weights of a depthwise convolution.
#[derive(Debug)]
pub(crate) struct Depthwise<B: Backend> {
    /// (kernel * kernel, channels)
    pub(crate) kernel: B::Rows,
    /// (1, channels)
    pub(crate) bias: B::Rows,
}

/// What a product is summed with, and the norm of the sum.
#[derive(Debug)]
pub(crate) struct SumAndNorm<'a, B: Backend> {
    /// `(rows, out)`.
    pub(crate) residual: &'a B::Rows,
    pub(crate) norm: &'a B::Norm,
    /// Whether the sum is read later, and not only its norm.
    pub(crate) keep: bool,
}

/// Keys and values, one row per token.
pub(crate) type KeysAndValues<B> = [<B as Backend>::Rows; 2];

/// The keys and values that a layer attends to: the cached rows, numbered first, then those of
/// the current call.
#[derive(Debug)]
pub(crate) struct KvView<'a, B: Backend> {
    /// The rows of a KV cache.
    pub(crate) cached: Option<&'a B::KvLayer>,
    /// Keys and values of the current call.
    pub(crate) current: Option<[&'a B::Rows; 2]>,
}

impl<'a, B: Backend> KvView<'a, B> {
    /// A view of the current call's rows alone.
    pub(crate) fn uncached(keys: &'a B::Rows, values: &'a B::Rows) -> Self {
        KvView { cached: None, current: Some([keys, values]) }
    }
}
