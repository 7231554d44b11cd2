//! The GPU backend: candle's tensors and operations.
//!
//! Rows stay on the device from layer to layer, in the precision's type. They equal the CPU's
//! within rounding:
//! candle sums in an order of its own, so that a row's last bits may depend on its batch. All of
//! it also runs on candle's own CPU device, and is tested there against this library's
//! kernels.

mod attention;
mod in_flight;
mod kernels;
mod kv;
mod logits;
mod maps;
mod memory;
mod rotary;
mod scope;
#[cfg(test)]
mod tests;
mod transfer;

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use super::backend::{
    Backend, Batch, Depthwise, Epilogue, KvView, LogitsRequest, ReducedLogits, Scope, SumAndNorm,
    Workspace,
};
use super::{Activation, Heads, Precision, RelativeBias, Rotary, Window, even};
use crate::error::RowsError;
use crate::weights::Values;
use crate::{Error, Result};
use in_flight::InFlight;
use kernels::{Branch, Kernels, Lookup, SUMS, activate};
pub(crate) use kv::KvTensors;
pub(crate) use maps::{Along, depthwise};
pub(crate) use memory::{halving, is_out_of_memory};
pub(crate) use rotary::DeviceRotary;
pub(crate) use scope::GpuScope;
#[cfg(test)]
pub(crate) use tests::devices;
pub(crate) use transfer::Source;

/// How many times more tokens a batch has than on the CPU, where it should fit the caches.
const TOKENS_FACTOR: usize = 16;

/// The most batches at a time: one is computed, one is queued, and one is prepared on the host
/// or copied back.
const IN_FLIGHT: usize = 3;

/// The GPU backend.
#[derive(Clone, Debug)]
pub(crate) struct Gpu {
    device: Device,
    /// The type of weights, of the inputs and outputs of products, and of the outputs of norms.
    /// Sums of residuals and of embeddings are f32 (docs/decisions/0035-residual-sums-in-f32.md).
    dtype: DType,
    in_flight: InFlight,
    kernels: Kernels,
}

/// A matrix on a device; `None` before its first use.
#[derive(Debug, Default)]
pub(crate) struct DeviceRows(Option<Tensor>);

/// A weight on a device.
#[derive(Debug)]
pub(crate) struct DeviceLinear {
    /// (out, in) in the precision's type.
    weight: Tensor,
    /// (out) in f32.
    bias: Option<Tensor>,
}

/// The weights of a norm on a device.
#[derive(Debug)]
pub(crate) struct DeviceNorm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
}

impl Gpu {
    /// Creates the backend, with weights in `precision`; those of eight bits in f32.
    pub(crate) fn new(device: &Device, precision: Precision) -> Self {
        let dtype = match precision {
            Precision::F32 | Precision::Q8 => DType::F32,
            Precision::F16 => DType::F16,
            Precision::Bf16 => DType::BF16,
        };
        Gpu {
            device: device.clone(),
            dtype,
            in_flight: InFlight::new(IN_FLIGHT),
            kernels: Kernels::new(dtype),
        }
    }

    /// Returns `x W^T`.
    fn product(&self, layer: &DeviceLinear, x: &Tensor) -> candle_core::Result<Tensor> {
        x.to_dtype(self.dtype)?.matmul(&layer.weight.t()?)
    }

    fn copy(&self, source: Source<'_>, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let copied = transfer::upload(source, shape, dtype, &self.device);
        copied.map_err(Error::tensors("copy values to the device"))
    }
}

impl DeviceRows {
    fn get(&self) -> Result<&Tensor> {
        self.0.as_ref().ok_or(Error::Rows(RowsError::Dim {
            what: "rows on the device",
            expected: 1,
            found: 0,
        }))
    }

    /// Replaces the rows. Frees the old ones first, so that both are never in memory at once.
    fn set(
        &mut self,
        action: &'static str,
        compute: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> Result<()> {
        self.0 = None;
        self.0 = Some(compute().map_err(Error::tensors(action))?);
        Ok(())
    }

    /// Updates the rows in place.
    fn change(
        &mut self,
        action: &'static str,
        compute: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<()> {
        let changed = compute(self.get()?).map_err(Error::tensors(action))?;
        self.0 = Some(changed);
        Ok(())
    }
}

impl Backend for Gpu {
    type Rows = DeviceRows;
    type Linear = DeviceLinear;
    type Norm = DeviceNorm;
    type Table = Tensor;
    type Ids = Tensor;
    type Scope = GpuScope;
    type Rotary = DeviceRotary;
    type KvLayer = KvTensors;

    fn linear(
        &self,
        weight: &Values,
        shape: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<DeviceLinear> {
        let stored = self.copy(Source::Stored(weight), &shape, self.dtype)?;
        weight.release();
        let bias = bias
            .map(|bias| self.copy(Source::Floats(&bias), &shape[..1], DType::F32))
            .transpose()?;
        Ok(DeviceLinear { weight: stored, bias })
    }

    fn norm(&self, weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<DeviceNorm> {
        let shape = [weight.len()];
        let weight = self.copy(Source::Floats(&weight), &shape, DType::F32)?;
        let bias =
            bias.map(|bias| self.copy(Source::Floats(&bias), &shape, DType::F32)).transpose()?;
        Ok(DeviceNorm { weight, bias, eps })
    }

    fn table(&self, values: Values, width: usize) -> Result<Tensor> {
        let shape = [values.len() / width, width];
        let table = self.copy(Source::Stored(&values), &shape, self.dtype)?;
        values.release();
        Ok(table)
    }

    fn rotary(&self, rotary: Rotary) -> Result<DeviceRotary> {
        let copied = DeviceRotary::new(rotary, &self.device);
        copied.map_err(Error::tensors("copy values to the device"))
    }

    /// Compiles the kernels of such layers in the background.
    #[cfg(feature = "cuda")]
    fn warm_up(&self, width: usize, head: usize) {
        if let Device::Cuda(device) = &self.device {
            let mut sources = self.kernels.sources(width);
            sources.extend(attention::sources(head, self.dtype));
            crate::cuda::warm_up(device, sources);
        }
    }

    fn upload(&self, values: Vec<f32>, width: usize) -> Result<DeviceRows> {
        let rows = values.len() / width;
        Ok(DeviceRows(Some(self.copy(Source::Floats(&values), &[rows, width], self.dtype)?)))
    }

    fn download(&self, rows: DeviceRows) -> Result<Vec<f32>> {
        let values = transfer::download(rows.get()?);
        values.map_err(Error::tensors("read from the device"))
    }

    fn ids(&self, ids: &[u32]) -> Result<Tensor> {
        let copied = transfer::upload_ids(ids, ids.len(), &self.device);
        copied.map_err(Error::tensors("copy numbers to the device"))
    }

    fn scope(&self, scope: Scope) -> Result<GpuScope> {
        Ok(GpuScope::new(scope, &self.device))
    }

    fn reduce_logits(
        &self,
        logits: &DeviceRows,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        let reduced = logits::reduce(logits.get()?, request);
        reduced.map(Some).map_err(Error::tensors("reduce logits"))
    }

    fn apply_each(
        &self,
        layers: &mut [(&DeviceLinear, &mut DeviceRows)],
        x: &DeviceRows,
    ) -> Result<()> {
        layers.iter_mut().try_for_each(|(layer, out)| self.apply(layer, x, Epilogue::none(), out))
    }

    fn apply(
        &self,
        layer: &DeviceLinear,
        x: &DeviceRows,
        Epilogue { activation, residual }: Epilogue<'_, Self>,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let (x, residual) = (x.get()?, residual.map(DeviceRows::get).transpose()?);
        out.set("apply a layer", || {
            let product = self.product(layer, x)?;
            self.kernels.epilogue(product, layer.bias.as_ref(), activation, residual)
        })
    }

    fn apply_and_normalize(
        &self,
        layer: &DeviceLinear,
        x: &DeviceRows,
        SumAndNorm { residual, norm, keep }: SumAndNorm<'_, Self>,
        sum: &mut DeviceRows,
        normed: &mut DeviceRows,
    ) -> Result<()> {
        let (x, residual) = (x.get()?, residual.get()?);
        // Frees the old rows first, as `set` does.
        (sum.0, normed.0) = (None, None);
        let compute = || {
            let branch = Branch { product: &self.product(layer, x)?, bias: layer.bias.as_ref() };
            self.kernels.sum_and_norm(residual, branch, norm, keep)
        };
        let (rows, kept) = compute().map_err(Error::tensors("apply a layer"))?;
        (sum.0, normed.0) = (kept, Some(rows));
        Ok(())
    }

    fn normalize(&self, norm: &DeviceNorm, x: &DeviceRows, out: &mut DeviceRows) -> Result<()> {
        let x = x.get()?;
        out.set("normalize rows", || self.kernels.norm(x, norm))
    }

    fn attend(
        &self,
        heads: Heads,
        queries: &DeviceRows,
        KvView { cached, current }: KvView<'_, Self>,
        scope: &GpuScope,
        bias: Option<&RelativeBias>,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let queries = queries.get()?;
        let current = match current {
            Some([keys, values]) => Some([keys.get()?, values.get()?]),
            None => None,
        };
        let kv = kv::KeysAndValues::new(cached, current);
        out.set("compute attention", || attention::attend(heads, queries, kv, scope, bias))
    }

    fn convolve(
        &self,
        layer: &DeviceLinear,
        window: &Window,
        x: &DeviceRows,
        activation: Activation,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let x = x.get()?;
        window.maps(x.dims()[0])?;
        out.set("convolve", || {
            let product = self.product(layer, &maps::unfold(window, &x.to_dtype(self.dtype)?)?)?;
            self.kernels.epilogue(product, layer.bias.as_ref(), activation, None)
        })
    }

    fn convolve_depthwise(
        &self,
        Depthwise { kernel, bias }: &Depthwise<Self>,
        window: &Window,
        x: &DeviceRows,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let (x, kernel, bias) = (x.get()?, kernel.get()?, bias.get()?);
        let (maps, side) = (window.maps(x.dims()[0])?, window.side);
        out.set("convolve", || {
            let [x, kernel, bias] = [x, kernel, bias].map(|tensor| tensor.to_dtype(DType::F32));
            let (_, channels) = x.as_ref().map_or(Ok((0, 0)), Tensor::dims2)?;
            let x = x?.reshape((maps, side, side, channels))?;
            let along = Along { before: window.padding, outputs: window.outputs() };
            let y = depthwise(&x, &kernel?, &bias?.flatten_all()?, window.stride, [along; 2])?;
            y.reshape(((), channels))?.to_dtype(self.dtype)
        })
    }

    fn activate(&self, activation: Activation, rows: &mut DeviceRows) -> Result<()> {
        rows.change("apply an activation", |rows| activate(activation, rows))
    }

    fn rotate(&self, rotary: &DeviceRotary, rows: &mut DeviceRows) -> Result<()> {
        let (count, width) = rows.get()?.dims2().map_err(Error::tensors("rotate rows"))?;
        rotary.host().check(count, width)?;
        rows.change("rotate rows", |rows| rotary.apply(rows))
    }

    fn lookup(&self, table: &Tensor, ids: &[u32], out: &mut DeviceRows) -> Result<()> {
        out.set("look up rows", || Lookup::new(table, ids)?.rows())
    }

    fn lookup_sum(&self, tables: [(&Tensor, &[u32]); 2], out: &mut DeviceRows) -> Result<()> {
        out.set("look up rows", || {
            let [first, second] = tables.map(|(table, ids)| Lookup::new(table, ids));
            self.kernels.lookup_sum([first?, second?])
        })
    }

    fn add_lookup(&self, table: &Tensor, ids: &[u32], rows: &mut DeviceRows) -> Result<()> {
        rows.change("look up rows", |rows| self.kernels.add_lookup(rows, Lookup::new(table, ids)?))
    }

    fn select(&self, x: &DeviceRows, ids: &Tensor, out: &mut DeviceRows) -> Result<()> {
        let x = x.get()?;
        out.set("select rows", || x.index_select(ids, 0))
    }

    fn concat(&self, parts: &[&DeviceRows], out: &mut DeviceRows) -> Result<()> {
        let parts = parts.iter().map(|part| part.get()).collect::<Result<Vec<_>>>()?;
        out.set("join rows", || {
            let first = parts.first().map_or(self.dtype, |part| part.dtype());
            let same = parts.iter().map(|part| part.to_dtype(first));
            Tensor::cat(&same.collect::<candle_core::Result<Vec<_>>>()?, 0)
        })
    }

    fn prepend(
        &self,
        first: &DeviceRows,
        groups: usize,
        rows: &DeviceRows,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let (first, rows) = (first.get()?, rows.get()?);
        out.set("join rows", || {
            let (count, width) = rows.dims2()?;
            let of_group = count / groups.max(1);
            let first = first.to_dtype(rows.dtype())?;
            let first = first.broadcast_as((groups, 1, width))?.contiguous()?;
            let rows = rows.reshape((groups, of_group, width))?;
            Tensor::cat(&[&first, &rows], 1)?.reshape((groups * (of_group + 1), width))
        })
    }

    fn add_to_groups(&self, group: &DeviceRows, rows: &mut DeviceRows) -> Result<()> {
        let group = group.get()?;
        rows.change("add to rows", |rows| {
            let (count, width) = rows.dims2()?;
            let of_group = group.dim(0)?;
            let groups = rows.to_dtype(DType::F32)?;
            let groups = groups.reshape((count / of_group, of_group, width))?;
            let sums = groups.broadcast_add(&group.to_dtype(DType::F32)?)?;
            sums.reshape((count, width))?.to_dtype(SUMS)
        })
    }

    fn repeat(&self, group: &DeviceRows, groups: usize, out: &mut DeviceRows) -> Result<()> {
        let group = group.get()?;
        out.set("join rows", || group.repeat((groups, 1)))
    }

    fn transpose(&self, groups: usize, rows: &DeviceRows, out: &mut DeviceRows) -> Result<()> {
        let rows = rows.get()?;
        out.set("transpose rows", || {
            let (count, width) = rows.dims2()?;
            let groups = rows.reshape((groups, count / groups.max(1), width))?;
            let turned = groups.transpose(1, 2)?.contiguous()?;
            turned.reshape((turned.dim(0)? * width, turned.dim(2)?))
        })
    }

    fn multiply(&self, by: &DeviceRows, rows: &mut DeviceRows) -> Result<()> {
        let by = by.get()?;
        rows.change("multiply rows", |rows| rows.mul(&by.to_dtype(rows.dtype())?))
    }

    fn scale(&self, by: f32, rows: &mut DeviceRows) -> Result<()> {
        rows.change("multiply rows", |rows| rows * f64::from(by))
    }

    fn means(&self, x: &DeviceRows, scope: &GpuScope, out: &mut DeviceRows) -> Result<()> {
        let x = x.get()?;
        out.set("average rows", || scope.means(&x.to_dtype(DType::F32)?))
    }

    fn append(&self, layer: &mut KvTensors, keys: &DeviceRows, values: &DeviceRows) -> Result<()> {
        let appended = layer.append([keys.get()?, values.get()?]);
        appended.map_err(Error::tensors("append to the KV cache"))
    }

    fn truncate(&self, layer: &mut KvTensors, rows: usize) {
        layer.truncate(rows);
    }

    fn batch_tokens(&self, tokens: usize) -> usize {
        tokens.saturating_mul(TOKENS_FACTOR)
    }

    fn batch_nodes(&self, tokens: usize, node: usize) -> usize {
        match memory::free(&self.device) {
            Some(free) => memory::batch_nodes(tokens, node, free),
            None => self.batch_tokens(tokens),
        }
    }

    fn batches(&self, items: usize, most: usize) -> std::vec::IntoIter<Range<usize>> {
        even(items, most).collect::<Vec<_>>().into_iter()
    }

    fn with_workspace<T: Send>(
        &self,
        work: impl FnOnce(&mut Workspace<Self>) -> Result<T> + Send,
    ) -> Result<T> {
        work(&mut Workspace::default())
    }

    fn each<I, T>(
        &self,
        action: &'static str,
        batches: I,
        work: impl Fn(&mut Workspace<Self>, I::Item) -> Result<T> + Sync,
    ) -> Result<Vec<T>>
    where
        I: ExactSizeIterator + Send,
        I::Item: Batch + Clone + Send,
        T: Send,
    {
        let work = |batch| work(&mut Workspace::default(), batch);
        // Batches of other threads need the pool's threads, so none of these may wait for them.
        if rayon::current_thread_index().is_some() {
            return halving(action, batches, work);
        }
        let reclaim = || memory::reclaim(&self.device);
        self.in_flight.each(action, batches, reclaim, work)
    }
}
