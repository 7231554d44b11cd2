//! Devices: the processor, CUDA, Metal.

use super::Cause;

/// A device is missing, unsupported or out of memory.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The name is not that of a device: cpu, cuda, cuda:N or metal.
    #[error("no device is called {name:?}")]
    Unknown {
        /// The given name.
        name: String,
    },
    /// This build lacks the cargo feature of the device.
    #[error("{device} needs a build with the `{feature}` feature")]
    FeatureMissing {
        /// The device.
        device: String,
        /// The cargo feature.
        feature: &'static str,
    },
    /// The machine has no such device, or its driver is older than the build.
    #[error("this machine has no {device}, or its driver refuses it")]
    Missing {
        /// The device.
        device: String,
        /// The driver's error.
        source: Cause,
    },
    /// A model or a part of it runs on the processor only.
    #[error("{what} runs on the CPU only, not on {device}")]
    CpuOnly {
        /// The model or part.
        what: &'static str,
        /// The device that was requested.
        device: String,
    },
    /// The device is out of memory even for the smallest batch.
    #[error("the device ran out of memory at {action}, with batches down to {batch}")]
    OutOfMemory {
        /// What was computed, as a noun.
        action: &'static str,
        /// The size of the last batch.
        batch: usize,
        /// The device's error.
        source: Cause,
    },
    /// The tensor library failed: out of memory, or a bug of this library.
    #[error("the tensor library failed to {action}")]
    Tensors {
        /// What was computed, as a verb.
        action: &'static str,
        /// The tensor library's error.
        source: Cause,
    },
}

impl DeviceError {
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            DeviceError::Unknown { .. } => "a device is cpu, cuda, cuda:N or metal",
            DeviceError::FeatureMissing { feature, .. } => {
                return Some(format!(
                    "enable the cargo feature `{feature}` (docs/GPU.md says what it needs), or use Device::Cpu"
                ));
            }
            DeviceError::Missing { device, .. } if device == "metal" => {
                "Metal exists on Apple's GPUs only; use Device::Cpu"
            }
            DeviceError::Missing { .. } => {
                "`nvidia-smi -L` lists the GPUs; `nvidia-smi` shows the driver's CUDA version, which must not be older than the build's; or use Device::Cpu"
            }
            DeviceError::CpuOnly { .. } => "use Device::Cpu",
            DeviceError::OutOfMemory { .. } => {
                "close other programs on the device (`nvidia-smi` lists them), use a smaller precision, or use Device::Cpu"
            }
            DeviceError::Tensors { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
