//! The KV cache of one layer on a device.

use candle_core::{DType, Result, Tensor};

/// Initial capacity in rows.
const INITIAL_CAPACITY: usize = 64;

/// Keys and values, (capacity, width) each, of which the first `rows` are written. Rows are
/// written once; the capacity doubles when it is reached. Not `Clone`: clones of a tensor share
/// its memory, and rows are written in place.
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
            let zeros = || Tensor::zeros((rows, width), DType::F32, more[0].device());
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
                buffer.slice_set(&more.contiguous()?, 0, self.rows)?;
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

/// Returns the keys and values of a cache, then those of the current call.
pub(super) fn concat(
    cached: Option<&KvTensors>,
    current: Option<[&Tensor; 2]>,
) -> Result<[Tensor; 2]> {
    let cached = cached.and_then(|layer| Some((layer.buffers.as_ref()?, layer.rows)));
    match (cached, current) {
        // No list refers to rows beyond the last one.
        (Some((buffers, _)), None) => Ok(buffers.clone()),
        (Some((buffers, rows)), Some(current)) if rows > 0 => {
            let join =
                |part: usize| Tensor::cat(&[&buffers[part].narrow(0, 0, rows)?, current[part]], 0);
            Ok([join(0)?, join(1)?])
        }
        (_, Some([keys, values])) => Ok([keys.clone(), values.clone()]),
        (None, None) => candle_core::bail!("there are no keys to attend to"),
    }
}
