//! Devices to compute on: their names, and whether they can be used.
//!
//! What runs on a device is for `rank` and the models. A requested device is used or the call
//! fails: nothing here falls back to another.

use std::fmt;
use std::str::FromStr;

use crate::error::DeviceError;
use crate::error::bare;
use crate::{Error, Result};

/// A device to compute on.
///
/// Parsed from `cpu`, `cuda` (the same as `cuda:0`), `cuda:N` or `metal`;
/// [`Display`](fmt::Display) writes the same names. A value is only a name:
/// [`check`](Self::check) says whether this build and this machine have the device.
///
/// ```
/// use interrogate::Device;
///
/// assert_eq!("cuda:1".parse::<Device>()?, Device::Cuda(1));
/// assert_eq!(Device::Cuda(0).to_string(), "cuda:0");
/// assert!("gpu".parse::<Device>().is_err());
///
/// // The CPU is always available.
/// assert!(Device::default().is_cpu());
/// Device::Cpu.check()?;
/// assert_eq!(Device::built().next(), Some("cpu"));
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The CPU, with this library's own kernels.
    #[default]
    Cpu,
    /// An NVIDIA GPU by its number, with the cargo feature `cuda`.
    Cuda(usize),
    /// Apple's GPU, with the cargo feature `metal`.
    Metal,
}

impl Device {
    /// Lists the kinds of devices that this build supports: `cpu`, and `cuda` and `metal` with
    /// the features of these names. Whether the machine has one is for [`check`](Self::check).
    pub fn built() -> impl Iterator<Item = &'static str> {
        let gpus = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
        let gpus = gpus.into_iter().filter(|(_, built)| *built).map(|(name, _)| name);
        std::iter::once("cpu").chain(gpus)
    }

    /// Whether this is the CPU.
    pub fn is_cpu(self) -> bool {
        self == Device::Cpu
    }

    /// Returns an error for every device but the CPU; `what` runs only there.
    pub(crate) fn only_cpu(self, what: &'static str) -> Result<()> {
        if self.is_cpu() {
            Ok(())
        } else {
            Err(Error::Device(DeviceError::CpuOnly { what, device: self.to_string() }))
        }
    }

    /// Checks that the device can be used. For a GPU this starts its libraries and takes some
    /// tenths of a second.
    ///
    /// # Errors
    /// [`DeviceError::FeatureMissing`] if the build lacks the feature, [`DeviceError::Missing`] if the
    /// machine has no such device or its driver fails.
    pub fn check(self) -> Result<()> {
        self.open().map(drop)
    }

    /// Opens the device in candle. For an NVIDIA GPU the first call starts its libraries and
    /// takes some tenths of a second; later ones return the same device.
    ///
    /// # Errors
    /// As of [`check`](Self::check).
    pub(crate) fn open(self) -> Result<candle_core::Device> {
        match self {
            Device::Cpu => Ok(candle_core::Device::Cpu),
            Device::Metal if !cfg!(feature = "metal") => {
                Err(Error::Device(DeviceError::FeatureMissing {
                    device: self.to_string(),
                    feature: "metal",
                }))
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => crate::cuda::open(number).map_err(self.absent()),
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(_) => Err(Error::Device(DeviceError::FeatureMissing {
                device: self.to_string(),
                feature: "cuda",
            })),
            Device::Metal => candle_core::Device::new_metal(0).map_err(self.absent()),
        }
    }

    fn absent(self) -> impl FnOnce(candle_core::Error) -> Error {
        move |source| {
            Error::Device(DeviceError::Missing { device: self.to_string(), source: bare(source) })
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
            Device::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || Error::Device(DeviceError::Unknown { name: name.to_owned() });
        match name.split_once(':') {
            None => match name {
                "cpu" => Ok(Device::Cpu),
                "cuda" => Ok(Device::Cuda(0)),
                "metal" => Ok(Device::Metal),
                _ => Err(unknown()),
            },
            // `parse` accepts "+1", which is no device number.
            Some(("cuda", number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
                number.parse().map(Device::Cuda).map_err(|_| unknown())
            }
            Some(_) => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        let all = [Device::Cpu, Device::Cuda(0), Device::Cuda(12), Device::Metal];
        for device in all {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
    }

    #[test]
    fn unknown_device_lists_the_known_ones() {
        for name in
            ["", "gpu", "CUDA", "cuda:", "cuda:+1", "cuda:-1", "cuda:1:2", "cpu:0", "metal:1"]
        {
            let error = name.parse::<Device>().unwrap_err();
            assert_eq!(error.to_string(), format!("no device is called {name:?}"));
            assert!(error.hint().unwrap().contains("cpu, cuda, cuda:N or metal"));
        }
        assert!(format!("cuda:{}0", usize::MAX).parse::<Device>().is_err());
    }

    #[test]
    fn cpu_only_part_rejects_other_devices() {
        Device::Cpu.only_cpu("a part").unwrap();
        let error = Device::Metal.only_cpu("a part").unwrap_err();
        let expected = "a part runs on the CPU only, not on metal";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "use Device::Cpu");
    }

    #[test]
    fn cpu_is_always_available() {
        assert!(matches!(Device::Cpu.open().unwrap(), candle_core::Device::Cpu));
        assert_eq!(Device::built().next(), Some("cpu"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn build_without_cuda_names_the_feature() {
        let error = Device::Cuda(1).open().unwrap_err();
        assert_eq!(error.to_string(), "cuda:1 needs a build with the `cuda` feature");
        assert!(error.hint().unwrap().contains("feature `cuda`"), "{error:?}");
        assert!(!Device::built().any(|name| name == "cuda"));
    }

    #[cfg(not(feature = "metal"))]
    #[test]
    fn build_without_metal_names_the_feature() {
        let error = Device::Metal.open().unwrap_err();
        assert_eq!(error.to_string(), "metal needs a build with the `metal` feature");
        assert!(error.hint().unwrap().contains("feature `metal`"), "{error:?}");
    }

    #[test]
    fn machine_without_the_device_is_a_separate_error() {
        let source = candle_core::Error::Msg("no driver".into());
        let error = Device::Cuda(3).absent()(source);
        assert_eq!(error.to_string(), "this machine has no cuda:3, or its driver refuses it");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("no driver"));
        assert!(error.hint().unwrap().contains("nvidia-smi"));
    }
}
