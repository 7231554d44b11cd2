//! Keys and values of all images of a batch, on a device.

use candle_core::{DType, Device, Result, Tensor};

/// Rows for each layer, written once and never moved; the memories of the images
/// number those that are theirs. Room is doubled where it ends.
#[derive(Debug, Default)]
pub(in crate::caption) struct Pool {
    layers: Vec<[Tensor; 2]>,
    rows: usize,
}

impl Pool {
    /// Takes `count` more rows: the number of the first.
    pub(super) fn grow(&mut self, count: usize) -> usize {
        let first = self.rows;
        self.rows += count;
        first
    }

    /// Writes the keys and values (rows, dim) of a layer from row `first` on, and
    /// gives all of that layer's.
    pub(super) fn write(
        &mut self,
        layer: usize,
        first: usize,
        [keys, values]: [&Tensor; 2],
    ) -> Result<&[Tensor; 2]> {
        let (dim, device) = (keys.dim(1)?, keys.device().clone());
        if layer == self.layers.len() {
            let room = || room(self.rows.max(64), dim, &device);
            self.layers.push([room()?, room()?]);
        }
        let rows = self.rows;
        for (kept, new) in self.layers[layer].iter_mut().zip([keys, values]) {
            if kept.dim(0)? < rows {
                let more = room(2 * rows, dim, &device)?;
                more.slice_set(kept, 0, 0)?;
                *kept = more;
            }
            kept.slice_set(&new.contiguous()?, 0, first)?;
        }
        Ok(&self.layers[layer])
    }
}

fn room(rows: usize, dim: usize, device: &Device) -> Result<Tensor> {
    Tensor::zeros((rows, dim), DType::F32, device)
}
