//! Options of a model's computation.

use super::Precision;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::{Device, Result};

/// Options of a model's computation: precision, batch size and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The precision of weights and products.
    pub precision: Precision,
    /// Tokens (nodes of a trie, or patches of images) per batch; a single text or image may have
    /// more. It bounds memory and changes no value. It should be large enough for products to
    /// run at full speed and small enough for a layer's rows to stay in the caches. Default:
    /// 1,024.
    pub batch_tokens: usize,
    /// The device. Default: the CPU.
    pub device: Device,
}

impl Compute {
    /// Opens the device in candle, unless it is the CPU.
    ///
    /// # Errors
    /// As of [`Device::check`]; [`DeviceError::CpuOnly`] for
    /// eight-bit weights.
    pub(crate) fn opened(&self) -> Result<Option<candle_core::Device>> {
        if self.device.is_cpu() {
            return Ok(None);
        }
        if self.precision == Precision::Q8 {
            self.device.only_cpu("q8, eight-bit weights,")?;
        }
        self.device.open().map(Some)
    }
}

impl Default for Compute {
    fn default() -> Self {
        Compute { precision: Precision::F32, batch_tokens: 1024, device: Device::Cpu }
    }
}
