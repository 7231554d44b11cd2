//! Options of a model's computation.

use super::Precision;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::{Device, Result};

/// Options of a model's computation: precision, batch size and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The precision of weights and products; `None` is the default of the device: f32 on the
    /// CPU and on Metal, 16 bits on CUDA, namely f16 if most of the checkpoint's weights are
    /// stored in it, else bf16.
    pub precision: Option<Precision>,
    /// Tokens (nodes of a trie, or patches of images) per batch; a single text or image may have
    /// more. It bounds memory and changes no value. It should be large enough for products to
    /// run at full speed and small enough for a layer's rows to stay in the caches. Default:
    /// 1,024.
    pub batch_tokens: usize,
    /// The device. Default: the CPU.
    pub device: Device,
}

impl Compute {
    /// The precision for a checkpoint whose weights are mostly f16 or not.
    pub(crate) fn precision_for(&self, mostly_f16: bool) -> Precision {
        match (self.precision, self.device) {
            (Some(precision), _) => precision,
            (None, Device::Cuda(_)) if mostly_f16 => Precision::F16,
            (None, Device::Cuda(_)) => Precision::Bf16,
            (None, _) => Precision::F32,
        }
    }

    /// Opens the device in candle, unless it is the CPU.
    ///
    /// # Errors
    /// As of [`Device::check`]; [`DeviceError::CpuOnly`] for
    /// eight-bit weights.
    pub(crate) fn opened(&self) -> Result<Option<candle_core::Device>> {
        if self.device.is_cpu() {
            return Ok(None);
        }
        if self.precision == Some(Precision::Q8) {
            self.device.only_cpu("q8, eight-bit weights,")?;
        }
        self.device.open().map(Some)
    }
}

impl Default for Compute {
    fn default() -> Self {
        Compute { precision: None, batch_tokens: 1024, device: Device::Cpu }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_computes_in_16_bits_by_default() {
        let precision = |precision, device, mostly_f16| {
            Compute { precision, device, ..Compute::default() }.precision_for(mostly_f16)
        };
        for mostly_f16 in [false, true] {
            assert_eq!(precision(None, Device::Cpu, mostly_f16), Precision::F32);
            for device in [Device::Cpu, Device::Cuda(1)] {
                for named in Precision::ALL {
                    assert_eq!(precision(Some(named), device, mostly_f16), named);
                }
            }
        }
        assert_eq!(precision(None, Device::Cuda(0), false), Precision::Bf16);
        assert_eq!(precision(None, Device::Cuda(1), true), Precision::F16);
    }
}
