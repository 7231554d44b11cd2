//! Keys and values on a device: the KV cache of one layer, and the rows of a call.

use candle_core::{DType, Result, Tensor};

/// Initial capacity in rows.
const INITIAL_CAPACITY: usize = 64;

/// Keys and values, (capacity, width) each in the type of the first rows, of which the first
/// `rows` are written. Rows are written once; the capacity doubles when it is reached. Not
/// `Clone`: clones of a tensor share its memory, and rows are written in place.
#[derive(Debug, Default)]
pub(crate) struct KvTensors {
    buffers: Option<[Tensor; 2]>,
    rows: usize,
}

impl KvTensors {
    /// Appends keys and values, (count, width) each.
    pub(super) fn append(&mut self, more: [&Tensor; 2]) -> Result<()> {
        let (count, width) = more[0].dims2()?;
        let needed = self.rows + count;
        let capacity = self.buffers.as_ref().map_or(Ok(0), |buffers| buffers[0].dim(0))?;
        if capacity < needed {
            let rows = needed.max(2 * capacity).max(INITIAL_CAPACITY);
            let dtype = self.buffers.as_ref().map_or(more[0].dtype(), |buffers| buffers[0].dtype());
            let zeros = || Tensor::zeros((rows, width), dtype, more[0].device());
            let grown = [zeros()?, zeros()?];
            if let Some(old) = self.buffers.take().filter(|_| self.rows > 0) {
                for (grown, old) in grown.iter().zip(&old) {
                    grown.slice_set(&old.narrow(0, 0, self.rows)?.contiguous()?, 0, 0)?;
                }
            }
            self.buffers = Some(grown);
        }
        if count > 0 {
            for (buffer, more) in self.buffers.iter().flatten().zip(more) {
                let more = more.to_dtype(buffer.dtype())?.contiguous()?;
                buffer.slice_set(&more, 0, self.rows)?;
            }
        }
        self.rows = needed;
        Ok(())
    }

    /// Removes all but the first `rows` rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
    }
}

/// The keys and values that queries attend to: the rows of a cache, numbered first, then those
/// of the current call.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeysAndValues<'a> {
    /// Keys and values of the cache, and the number of rows that are written; more than none.
    pub(super) cached: Option<([&'a Tensor; 2], usize)>,
    pub(super) current: Option<[&'a Tensor; 2]>,
}

impl<'a> KeysAndValues<'a> {
    pub(super) fn new(cached: Option<&'a KvTensors>, current: Option<[&'a Tensor; 2]>) -> Self {
        let cached = cached.filter(|layer| layer.rows > 0).and_then(|layer| {
            let [keys, values] = layer.buffers.as_ref()?;
            Some(([keys, values], layer.rows))
        });
        KeysAndValues { cached, current }
    }

    /// Number of rows.
    #[cfg(feature = "cuda")]
    pub(super) fn rows(&self) -> Result<usize> {
        let current = self.current.map_or(Ok(0), |[keys, _]| keys.dim(0))?;
        Ok(self.cached.map_or(0, |(_, rows)| rows) + current)
    }

    /// Returns the keys and the values in f32, as one matrix each.
    pub(super) fn joined(&self) -> Result<[Tensor; 2]> {
        let part = |part: usize| {
            let cached = self.cached.map(|(buffers, rows)| buffers[part].narrow(0, 0, rows));
            let cached = cached.transpose()?.map(|rows| rows.to_dtype(DType::F32)).transpose()?;
            let current = self.current.map(|rows| rows[part].to_dtype(DType::F32)).transpose()?;
            match (cached, current) {
                (Some(cached), Some(current)) => Tensor::cat(&[&cached, &current], 0),
                (Some(one), None) | (None, Some(one)) => Ok(one),
                (None, None) => candle_core::bail!("there are no keys to attend to"),
            }
        };
        Ok([part(0)?, part(1)?])
    }
}
