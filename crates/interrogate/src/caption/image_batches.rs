//! Runs images through an image tower in batches.

#[cfg(doc)]
use crate::error::DeviceError;
use crate::error::RowsError;
use crate::nn::{Backend, Workspace};
use crate::{Error, Result};

/// Usual maximum batch size; a device with little memory uses smaller batches.
pub(super) const BATCH: usize = 64;

/// Returns the number of images, of `size` values each, in `pixels`.
///
/// # Errors
/// [`RowsError::Dim`] if the pixels are not a multiple of an image's.
pub(super) fn count(size: usize, pixels: &[f32]) -> Result<usize> {
    if pixels.len().is_multiple_of(size) {
        Ok(pixels.len() / size)
    } else {
        Err(Error::Rows(RowsError::Dim { what: "an image", expected: size, found: pixels.len() }))
    }
}

/// Runs `forward` on the images of `pixels`, of `size` values each, in batches of at most `most`,
/// and concatenates the results.
///
/// # Errors
/// Those of [`count`] and of `forward`, [`DeviceError::OutOfMemory`].
pub(super) fn encode<B: Backend>(
    backend: &B,
    [size, most]: [usize; 2],
    pixels: &[f32],
    forward: impl Fn(&mut Workspace<B>, &[f32]) -> Result<B::Rows> + Sync,
) -> Result<B::Rows> {
    let batches = backend.batches(count(size, pixels)?, most);
    let mut results = backend.each("encoding images", batches, |work, images| {
        forward(work, &pixels[images.start * size..images.end * size])
    })?;
    if results.len() == 1 {
        return Ok(results.remove(0));
    }
    let mut all = B::Rows::default();
    backend.concat(&results.iter().collect::<Vec<_>>(), &mut all)?;
    Ok(all)
}
