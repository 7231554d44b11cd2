//! Checks that a model fits into the free memory before it is loaded.

use std::path::Path;

use crate::error::CaptionError;
use crate::weights::Weights;
use crate::{Error, Precision, Result};

/// Returns the free memory in bytes: `MemAvailable` of /proc/meminfo, or `None` without that
/// file.
pub(super) fn available() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Returns the bytes of memory that `weights` need: matrices in `precision`, norms and biases in
/// f32.
pub(super) fn required(weights: &Weights, precision: Precision) -> u64 {
    let size = |shape: &[usize]| {
        let (rows, width) = match shape {
            [] => (1, 1),
            [values] => return (*values as u64).saturating_mul(4),
            [rows, inner @ ..] => (*rows as u64, inner.iter().product::<usize>() as u64),
        };
        let row = match precision {
            Precision::F32 => width.saturating_mul(4),
            Precision::F16 | Precision::Bf16 => width.saturating_mul(2),
            Precision::Q8 => width.div_ceil(64).saturating_mul(64 + 4),
        };
        rows.saturating_mul(row)
    };
    let shapes = weights.names().filter_map(|name| weights.shape(name));
    shapes.fold(0, |sum: u64, shape| sum.saturating_add(size(shape)))
}

/// Checks that `available` bytes, if known, are enough for `needed`.
///
/// # Errors
/// [`CaptionError::MemoryTooSmall`] if they are not.
pub(super) fn check(folder: &Path, needed: u64, available: Option<u64>) -> Result<()> {
    match available {
        Some(available) if available < needed => {
            Err(Error::Caption(CaptionError::MemoryTooSmall {
                path: folder.to_owned(),
                needed,
                available,
            }))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_converted_to_bytes() {
        let text = "MemTotal:       24000000 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(parse(text), Some(1 << 20));
        assert_eq!(parse("MemAvailable: many kB"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn error_reports_required_and_free_memory() {
        let error = check(Path::new("big"), 8 << 30, Some(3 << 29)).unwrap_err();
        assert_eq!(error.to_string(), "big: needs 8.0 GiB of memory, 1.5 GiB are free");
        assert!(error.hint().is_some_and(|hint| hint.contains("f16")));
        assert!(check(Path::new("big"), 8 << 30, None).is_ok());
        assert!(check(Path::new("big"), 8 << 30, Some(8 << 30)).is_ok());
    }
}
