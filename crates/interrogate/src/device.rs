//! Where models and rankings compute.
//!
//! Owns the names of devices and what is said where one is not to be had. What
//! runs on one is for `rank` and the models. A device that was asked for is used
//! or refused: nothing here falls back on another.

use std::fmt;
use std::str::FromStr;

use crate::error::bare;
use crate::{Error, Result};

/// A device to compute on.
///
/// ```
/// use interrogate::Device;
///
/// assert_eq!("cuda:1".parse::<Device>()?, Device::Cuda(1));
/// assert_eq!(Device::Cuda(0).to_string(), "cuda:0");
/// assert!("gpu".parse::<Device>().is_err());
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor, by this library's own kernels.
    #[default]
    Cpu,
    /// An NVIDIA GPU by its number, with the cargo feature `cuda`.
    Cuda(usize),
    /// Apple's GPU, with the cargo feature `metal`.
    Metal,
}

impl Device {
    /// Those that this build knows how to use, by name; whether the machine has
    /// them [`check`](Self::check) says.
    pub fn built() -> impl Iterator<Item = &'static str> {
        let gpus = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
        let gpus = gpus.into_iter().filter(|(_, built)| *built).map(|(name, _)| name);
        std::iter::once("cpu").chain(gpus)
    }

    /// Whether it is the processor.
    pub fn is_cpu(self) -> bool {
        self == Device::Cpu
    }

    /// Refuses every device but the processor, for `what` computes there alone.
    pub(crate) fn only_cpu(self, what: &'static str) -> Result<()> {
        if self.is_cpu() {
            Ok(())
        } else {
            Err(Error::DeviceUnserved { what, device: self.to_string() })
        }
    }

    /// Whether the device can be had. For a GPU this takes some tenths of a second and
    /// starts its libraries.
    ///
    /// # Errors
    /// [`Error::DeviceLeftOut`] where the build has not its feature,
    /// [`Error::DeviceAbsent`] where the machine has no such device or its driver
    /// refuses.
    pub fn check(self) -> Result<()> {
        self.open().map(drop)
    }

    /// The tensor engine's handle of it. For a GPU this takes some tenths of a
    /// second and starts its libraries.
    ///
    /// # Errors
    /// [`Error::DeviceLeftOut`] where the build has not its feature,
    /// [`Error::DeviceAbsent`] where the machine has no such device or its driver
    /// refuses.
    pub(crate) fn open(self) -> Result<candle_core::Device> {
        match self {
            Device::Cpu => Ok(candle_core::Device::Cpu),
            Device::Cuda(_) if !cfg!(feature = "cuda") => {
                Err(Error::DeviceLeftOut { device: self.to_string(), feature: "cuda" })
            }
            Device::Metal if !cfg!(feature = "metal") => {
                Err(Error::DeviceLeftOut { device: self.to_string(), feature: "metal" })
            }
            // One stream for all threads: with the engine's default each thread has a
            // stream of its own, and what one has begun another may not wait for.
            Device::Cuda(number) => {
                candle_core::Device::new_cuda_with_stream(number).map_err(self.absent())
            }
            Device::Metal => candle_core::Device::new_metal(0).map_err(self.absent()),
        }
    }

    fn absent(self) -> impl FnOnce(candle_core::Error) -> Error {
        move |source| Error::DeviceAbsent { device: self.to_string(), source: bare(source) }
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
        let unknown = || Error::DeviceUnknown { name: name.to_owned() };
        match name.split_once(':') {
            None => match name {
                "cpu" => Ok(Device::Cpu),
                "cuda" => Ok(Device::Cuda(0)),
                "metal" => Ok(Device::Metal),
                _ => Err(unknown()),
            },
            // "+1" is a number to `parse`, and no device.
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
    fn names_are_read_back() {
        let all = [Device::Cpu, Device::Cuda(0), Device::Cuda(12), Device::Metal];
        for device in all {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
    }

    #[test]
    fn what_is_no_device_is_refused_with_those_that_are() {
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
    fn what_computes_on_the_processor_alone_says_so() {
        Device::Cpu.only_cpu("a part").unwrap();
        let error = Device::Metal.only_cpu("a part").unwrap_err();
        let expected = "a part computes on the processor alone, and metal was asked for";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "leave --device out");
    }

    #[test]
    fn the_processor_is_always_there() {
        assert!(matches!(Device::Cpu.open().unwrap(), candle_core::Device::Cpu));
        assert_eq!(Device::built().next(), Some("cpu"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_have_it() {
        let error = Device::Cuda(1).open().unwrap_err();
        assert_eq!(error.to_string(), "cuda:1 was asked for and this build has no cuda");
        assert!(error.hint().unwrap().contains("--features cuda"), "{error:?}");
        assert!(!Device::built().any(|name| name == "cuda"));
    }

    #[cfg(not(feature = "metal"))]
    #[test]
    fn a_build_without_metal_says_how_to_have_it() {
        let error = Device::Metal.open().unwrap_err();
        assert_eq!(error.to_string(), "metal was asked for and this build has no metal");
        assert!(error.hint().unwrap().contains("--features metal"), "{error:?}");
    }

    #[test]
    fn a_machine_without_the_device_is_told_apart() {
        let source = candle_core::Error::Msg("no driver".into());
        let error = Device::Cuda(3).absent()(source);
        assert_eq!(error.to_string(), "this machine has no cuda:3, or its driver refuses it");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("no driver"));
        assert!(error.hint().unwrap().contains("nvidia-smi"));
    }
}
