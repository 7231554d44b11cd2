//! The GPU backend: candle's tensors and operations.
//!
//! Values stay on the device from layer to layer. They equal the CPU's within rounding:
//! candle sums in an order of its own, so that a row's last bits may depend on its batch. All of
//! it also runs on candle's own CPU device, and is tested there against this library's
//! kernels.

mod attention;
mod kv;
mod memory;
mod scope;
#[cfg(test)]
mod tests;

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};

use super::backend::{Backend, Batch, Epilogue, KvView, Scope, Workspace};
use super::{Activation, Heads, Precision, RelativeBias, even};
use crate::error::RowsError;
use crate::weights::Values;
use crate::{Error, Result};
pub(crate) use kv::KvTensors;
pub(crate) use memory::{halving, is_out_of_memory};
pub(crate) use scope::GpuScope;
#[cfg(test)]
pub(crate) use tests::devices;

/// How many times more tokens a batch has than on the CPU, where it should fit the caches.
const TOKENS_FACTOR: usize = 16;

/// The GPU backend.
#[derive(Clone, Debug)]
pub(crate) struct Gpu {
    device: Device,
    /// The type of weights; inputs of products are rounded to it.
    dtype: DType,
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
        Gpu { device: device.clone(), dtype }
    }

    fn copy(&self, values: Vec<f32>, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let copy = || {
            // Converted on the host, so that fewer bytes are copied.
            Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(&self.device)
        };
        copy().map_err(Error::tensors("copy values to the device"))
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
    type KvLayer = KvTensors;

    fn linear(
        &self,
        weight: &Values,
        shape: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<DeviceLinear> {
        let stored = self.copy(weight.to_f32(), &shape, self.dtype)?;
        weight.release();
        let bias = bias.map(|bias| self.copy(bias, &shape[..1], DType::F32)).transpose()?;
        Ok(DeviceLinear { weight: stored, bias })
    }

    fn norm(&self, weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<DeviceNorm> {
        let shape = [weight.len()];
        let weight = self.copy(weight, &shape, DType::F32)?;
        let bias = bias.map(|bias| self.copy(bias, &shape, DType::F32)).transpose()?;
        Ok(DeviceNorm { weight, bias, eps })
    }

    fn table(&self, values: Values, width: usize) -> Result<Tensor> {
        self.copy(values.to_f32(), &[values.len() / width, width], DType::F32)
    }

    fn upload(&self, values: Vec<f32>, width: usize) -> Result<DeviceRows> {
        let rows = values.len() / width;
        Ok(DeviceRows(Some(self.copy(values, &[rows, width], DType::F32)?)))
    }

    fn download(&self, rows: DeviceRows) -> Result<Vec<f32>> {
        let values = rows.get()?.flatten_all().and_then(|flat| flat.to_vec1());
        values.map_err(Error::tensors("read from the device"))
    }

    fn ids(&self, ids: &[u32]) -> Result<Tensor> {
        Tensor::new(ids, &self.device).map_err(Error::tensors("copy numbers to the device"))
    }

    fn scope(&self, scope: Scope) -> Result<GpuScope> {
        GpuScope::new(scope, &self.device).map_err(Error::tensors("copy numbers to the device"))
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
        DeviceLinear { weight, bias }: &DeviceLinear,
        x: &DeviceRows,
        Epilogue { activation, residual }: Epilogue<'_, Self>,
        out: &mut DeviceRows,
    ) -> Result<()> {
        let (x, residual) = (x.get()?, residual.map(DeviceRows::get).transpose()?);
        out.set("apply a layer", || {
            let x = x.to_dtype(weight.dtype())?;
            let mut y = x.matmul(&weight.t()?)?.to_dtype(DType::F32)?;
            if let Some(bias) = bias {
                y = y.broadcast_add(bias)?;
            }
            y = match activation {
                Activation::None => y,
                Activation::QuickGelu => (&y * candle_nn::ops::sigmoid(&(&y * 1.702)?)?)?,
                Activation::Gelu => y.gelu_erf()?,
                Activation::GeluTanh => y.gelu()?,
                Activation::Relu => y.relu()?,
            };
            residual.map_or(Ok(y.clone()), |residual| y.add(residual))
        })
    }

    fn normalize(&self, norm: &DeviceNorm, x: &DeviceRows, out: &mut DeviceRows) -> Result<()> {
        let DeviceNorm { weight, bias, eps } = norm;
        let x = x.get()?;
        out.set("normalize rows", || {
            let x = match bias {
                Some(_) => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
                None => x.clone(),
            };
            let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
            let y = x.broadcast_div(&(variance + *eps)?.sqrt()?)?.broadcast_mul(weight)?;
            bias.as_ref().map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
        })
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
        out.set("compute attention", || {
            let [keys, values] = kv::concat(cached, current)?;
            attention::attend(heads, [queries, &keys, &values], scope, bias)
        })
    }

    fn lookup(&self, table: &Tensor, ids: &[u32], out: &mut DeviceRows) -> Result<()> {
        let ids = self.ids(ids)?;
        out.set("look up rows", || table.index_select(&ids, 0))
    }

    fn add_lookup(&self, table: &Tensor, ids: &[u32], rows: &mut DeviceRows) -> Result<()> {
        let ids = self.ids(ids)?;
        rows.change("look up rows", |rows| rows.add(&table.index_select(&ids, 0)?))
    }

    fn select(&self, x: &DeviceRows, ids: &Tensor, out: &mut DeviceRows) -> Result<()> {
        let x = x.get()?;
        out.set("select rows", || x.index_select(ids, 0))
    }

    fn concat(&self, parts: &[&DeviceRows], out: &mut DeviceRows) -> Result<()> {
        let parts = parts.iter().map(|part| part.get()).collect::<Result<Vec<_>>>()?;
        out.set("join rows", || Tensor::cat(&parts, 0))
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
            let groups = rows.reshape((count / of_group, of_group, width))?;
            groups.broadcast_add(group)?.reshape((count, width))
        })
    }

    fn repeat(&self, group: &DeviceRows, groups: usize, out: &mut DeviceRows) -> Result<()> {
        let group = group.get()?;
        out.set("join rows", || group.repeat((groups, 1)))
    }

    fn multiply(&self, by: &DeviceRows, rows: &mut DeviceRows) -> Result<()> {
        let by = by.get()?;
        rows.change("multiply rows", |rows| rows.mul(by))
    }

    fn scale(&self, by: f32, rows: &mut DeviceRows) -> Result<()> {
        rows.change("multiply rows", |rows| rows * f64::from(by))
    }

    fn means(&self, x: &DeviceRows, scope: &GpuScope, out: &mut DeviceRows) -> Result<()> {
        let x = x.get()?;
        out.set("average rows", || scope.means(x))
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
        halving(action, batches, |batch| work(&mut Workspace::default(), batch))
    }
}
