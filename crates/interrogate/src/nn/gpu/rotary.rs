//! Rotary position embedding by candle's operations.

use candle_core::{DType, Device, Result, Tensor};

use super::super::Rotary;

/// A [`Rotary`] on a device.
#[derive(Debug)]
pub(crate) struct DeviceRotary {
    host: Rotary,
    /// Cosines and sines, (1, positions, 1, pairs, 1) each, in f32.
    angles: [Tensor; 2],
}

impl DeviceRotary {
    pub(super) fn new(host: Rotary, device: &Device) -> Result<Self> {
        let shape = (1, host.positions(), 1, host.pairs, 1);
        let copied = |values: &[f32]| Tensor::from_slice(values, shape, device);
        let angles = [copied(&host.cosines)?, copied(&host.sines)?];
        Ok(DeviceRotary { host, angles })
    }

    /// The embedding on the host.
    pub(super) fn host(&self) -> &Rotary {
        &self.host
    }

    /// Returns the rotated `rows` (groups * positions, heads * pairs * 2), in their type. They
    /// must have these shapes.
    pub(super) fn apply(&self, rows: &Tensor) -> Result<Tensor> {
        let (count, width) = rows.dims2()?;
        let (positions, pairs) = (self.host.positions(), self.host.pairs);
        let shape = (count / positions, positions, width / (pairs * 2), pairs, 2);
        let split = rows.to_dtype(DType::F32)?.reshape(shape)?;
        let [x, y] = [split.narrow(4, 0, 1)?, split.narrow(4, 1, 1)?];
        let [cosines, sines] = &self.angles;
        let turned_x = (x.broadcast_mul(cosines)? - y.broadcast_mul(sines)?)?;
        let turned_y = (y.broadcast_mul(cosines)? + x.broadcast_mul(sines)?)?;
        let turned = Tensor::cat(&[turned_x, turned_y], 4)?.reshape((count, width))?;
        turned.to_dtype(rows.dtype())
    }
}
