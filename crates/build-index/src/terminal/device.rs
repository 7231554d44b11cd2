//! The values of `--device`: a device, or `auto`.
//!
//! A device that is named is used or refused, as everywhere in the library. Only `auto` may
//! choose another, so it is an argument of the programs and no [`Device`].

use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, Once};

use interrogate::{Device, Error, Result};

use super::Logger;

/// A value of `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The GPU that this build supports, if it opens, else the CPU.
    #[default]
    Auto,
    /// This device.
    Device(Device),
}

/// The device of `auto` in this process, and a note on it.
static AUTO: LazyLock<(Device, Option<String>)> = LazyLock::new(|| {
    let built: Vec<Device> = Device::built().filter_map(|name| name.parse().ok()).collect();
    first_open(&built, Device::check)
});

/// Whether the note is logged.
static LOGGED: Once = Once::new();

impl DeviceChoice {
    /// Returns the device. For `auto` in a build with a GPU, the first call in the process opens
    /// it and logs which device is used. A build without one is silent.
    pub fn resolve(self, logger: &Logger) -> Device {
        if let (DeviceChoice::Auto, Some(note)) = (self, &AUTO.1) {
            LOGGED.call_once(|| logger.note(note));
        }
        self.device()
    }

    /// Returns the device as [`resolve`](Self::resolve) does, and logs nothing.
    pub fn device(self) -> Device {
        match self {
            DeviceChoice::Device(device) => device,
            DeviceChoice::Auto => AUTO.0,
        }
    }
}

/// Returns the first GPU that `check` accepts, else the CPU, and a note on it if there was a
/// choice.
fn first_open(
    devices: &[Device],
    check: impl Fn(Device) -> Result<()>,
) -> (Device, Option<String>) {
    let mut failed = None;
    for device in devices.iter().copied().filter(|device| !device.is_cpu()) {
        match check(device) {
            Ok(()) => {
                let note = format!("device: {device} (--device cpu computes on the CPU)");
                return (device, Some(note));
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (Device::Cpu, failed.map(|error| format!("device: cpu; {error}")))
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Device(device) => device.fmt(f),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(DeviceChoice::Auto),
            name => name.parse().map(DeviceChoice::Device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(device: Device) -> Result<()> {
        Err(Error::mismatch("driver", "device", "one", device))
    }

    #[test]
    fn names_parse_back() {
        for name in ["auto", "cpu", "cuda:1", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("gpu".parse::<DeviceChoice>().is_err() && "AUTO".parse::<DeviceChoice>().is_err());
        assert_eq!(DeviceChoice::default(), DeviceChoice::Auto);
    }

    #[test]
    fn auto_is_the_first_gpu_that_opens_with_a_note() {
        let devices = [Device::Cpu, Device::Cuda(0)];
        let (device, note) = first_open(&devices, |_| Ok(()));
        assert_eq!(device, Device::Cuda(0));
        assert_eq!(note.unwrap(), "device: cuda:0 (--device cpu computes on the CPU)");
        let (device, note) = first_open(&devices, refuse);
        assert_eq!(device, Device::Cpu);
        assert_eq!(note.unwrap(), "device: cpu; driver: device: expected one, found cuda:0");
    }

    #[test]
    fn auto_is_silent_without_a_gpu_in_the_build() {
        assert_eq!(first_open(&[Device::Cpu], refuse), (Device::Cpu, None));
    }

    #[test]
    fn named_device_is_not_checked_here() {
        let logger = Logger::in_memory(false);
        let device = Device::Cuda(7);
        assert_eq!(DeviceChoice::Device(device).resolve(&logger), device);
    }
}
