//! The mean pixel of feature maps.

use crate::Result;
use crate::nn::{Backend, Scope, Span};

/// Computes the mean of the `pixels` rows of each image, (images, channels).
pub(super) fn mean_pixel<B: Backend>(
    backend: &B,
    rows: &B::Rows,
    images: usize,
    pixels: usize,
    out: &mut B::Rows,
) -> Result<()> {
    let span = |image: usize| image * pixels..(image + 1) * pixels;
    let spans = (0..images).map(|image| Span { queries: image..image + 1, rows: span(image) });
    let scope = backend.scope(Scope::Spans(spans.collect()))?;
    backend.means(rows, &scope, out)
}
