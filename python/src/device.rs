//! The arguments `device` and `precision`.

use interrogate::{Compute, Device, Precision};

use crate::error::Result;

/// Parses `device`, where `auto` is the GPU that this build supports, if it opens, else the CPU.
pub(crate) fn device(name: &str) -> Result<Device> {
    if name != "auto" {
        let device: Device = name.parse()?;
        device.check()?;
        return Ok(device);
    }
    let mut built = Device::built().filter_map(|name| name.parse().ok());
    let opens = |device: &Device| !device.is_cpu() && device.check().is_ok();
    Ok(built.find(opens).unwrap_or_default())
}

/// Parses `device` and `precision`.
pub(crate) fn compute(name: &str, precision: Option<&str>) -> Result<Compute> {
    let precision = precision.map(str::parse::<Precision>).transpose()?;
    Ok(Compute { precision, device: device(name)?, ..Compute::default() })
}
