//! Runs images through an image tower in batches.

#[cfg(doc)]
use crate::error::DeviceError;
use crate::error::RowsError;
use crate::nn::{Backend, Patches, Workspace};
use crate::{Error, Result};

/// Maximum batch size; a device with little memory uses smaller batches.
const BATCH: usize = 64;

/// Returns the number of images in `pixels`.
///
/// # Errors
/// [`RowsError::Dim`] if the pixels are not a multiple of an image's.
pub(super) fn count(patches: &Patches, pixels: &[f32]) -> Result<usize> {
    let expected = patches.pixels();
    if pixels.len().is_multiple_of(expected) {
        Ok(pixels.len() / expected)
    } else {
        Err(Error::Rows(RowsError::Dim { what: "an image", expected, found: pixels.len() }))
    }
}

/// Runs `forward` on the images of `pixels` in batches, and concatenates the results.
///
/// # Errors
/// Those of [`count`] and of `forward`, [`DeviceError::OutOfMemory`].
pub(super) fn encode<B: Backend>(
    backend: &B,
    patches: &Patches,
    pixels: &[f32],
    forward: impl Fn(&mut Workspace<B>, &[f32]) -> Result<B::Rows> + Sync,
) -> Result<B::Rows> {
    let (images, size) = (count(patches, pixels)?, patches.pixels());
    let batches = backend.batches(images, BATCH);
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
