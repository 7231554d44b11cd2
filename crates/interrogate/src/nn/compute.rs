//! How a model is run.

use super::Precision;
use crate::{Device, Result};

/// How a model is run: what is asked of the arithmetic, and how much goes
/// through at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// How weights are kept and multiplied.
    pub precision: Precision,
    /// Tokens (nodes of a trie, or patches of images) that go through a model at
    /// once, or a single text or image that alone has more. It bounds the memory
    /// and changes no value. Large enough that the products run at full speed,
    /// small enough that a layer's rows stay in the caches: 1,024 unless said
    /// otherwise.
    pub batch_tokens: usize,
    /// Where. The processor unless said otherwise.
    pub device: Device,
}

impl Compute {
    /// The tensor engine's handle of the device, if it is not the processor.
    ///
    /// # Errors
    /// Those of [`Device::check`]; [`Error::DeviceUnserved`](crate::Error::DeviceUnserved) for
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
