//! Images on their way through an image tower.

use crate::nn::{Backend, Patches, Workspace};
use crate::{Error, Result};

/// Images that go through together, where a device has memory for them.
const BATCH: usize = 64;

/// The number of images that `pixels` are.
///
/// # Errors
/// [`Error::Dim`] where they are no whole number of images.
pub(super) fn count(patches: &Patches, pixels: &[f32]) -> Result<usize> {
    let expected = patches.pixels();
    match pixels.len().is_multiple_of(expected) {
        true => Ok(pixels.len() / expected),
        false => Err(Error::Dim { what: "an image", expected, found: pixels.len() }),
    }
}

/// What `forward` makes of the images of `pixels`, some at a time, row behind row.
///
/// # Errors
/// Those of [`count`] and of `forward`, [`Error::DeviceMemory`].
pub(super) fn each<B: Backend>(
    backend: &B,
    patches: &Patches,
    pixels: &[f32],
    forward: impl Fn(&mut Workspace<B>, &[f32]) -> Result<B::Rows> + Sync,
) -> Result<B::Rows> {
    let (images, size) = (count(patches, pixels)?, patches.pixels());
    let batches = backend.batches(images, BATCH);
    let mut seen = backend.each("looking at images", batches, |work, images| {
        forward(work, &pixels[images.start * size..images.end * size])
    })?;
    if seen.len() == 1 {
        return Ok(seen.remove(0));
    }
    let mut all = B::Rows::default();
    backend.concat(&seen.iter().collect::<Vec<_>>(), &mut all)?;
    Ok(all)
}
