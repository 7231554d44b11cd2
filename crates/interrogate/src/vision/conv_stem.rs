//! Convolutions instead of a patch embedding: MobileCLIP-B's.
//!
//! Follows `ConvStem` of timm 1.0.31 (timm/models/vision_transformer_hybrid.py, `vit_base_mci_224`),
//! whose names the weights have: three convolutions whose windows do not overlap, the first two
//! with a batch norm and GELU. The class token has no position embedding.

use crate::Result;
use crate::nn::{
    Activation, BATCH_NORM, Backend, Convolution, ConvolutionSizes, Loader, Workspace, pixel_rows,
};
use crate::weights::Shapes;

/// Pixels along a side of an image for each row.
pub(super) const PATCH: usize = 16;

/// Pixels along a side of the windows.
const KERNELS: [usize; 3] = [4, 2, 2];

const PREFIX: &str = "visual.trunk.patch_embed.backbone";

/// Sizes of the convolutions of a stem with outputs of `width`.
fn sizes(width: usize) -> [ConvolutionSizes; 3] {
    let inner = width / 4;
    let sizes = |number: usize, channels, outputs| {
        let kernel = KERNELS[number];
        ConvolutionSizes { outputs, channels, kernel, stride: kernel, padding: 0 }
    };
    [sizes(0, 3, inner), sizes(1, inner, inner), sizes(2, inner, width)]
}

/// Adds the weights of a stem with outputs of `width`.
pub(super) fn shapes(shapes: &mut Shapes, width: usize) {
    let [first, second, last] = sizes(width);
    for (number, sizes) in [first, second].into_iter().enumerate() {
        shapes.add(format!("{PREFIX}.{number}.conv.weight"), &sizes.shape());
        for part in BATCH_NORM {
            shapes.add(format!("{PREFIX}.{number}.bn.{part}"), &[sizes.outputs]);
        }
    }
    shapes.layer(&format!("{PREFIX}.2.conv"), &last.shape(), true);
}

/// The stem, with the position embedding of its rows and a class row.
#[derive(Debug)]
pub(super) struct ConvStem<B: Backend> {
    image_size: usize,
    convolutions: [Convolution<B>; 3],
    /// (rows, width)
    position_embedding: B::Rows,
    /// (1, width)
    class_embedding: B::Rows,
}

impl<B: Backend> ConvStem<B> {
    /// Loads the stem for square images of `image_size`, with the two embeddings.
    pub(super) fn load(
        loader: &Loader<'_, B>,
        image_size: usize,
        width: usize,
        [position_embedding, class_embedding]: [B::Rows; 2],
    ) -> Result<Self> {
        let [first, second, last] = sizes(width);
        let normed = |number: usize, sizes| {
            let [name, norm] = ["conv", "bn"].map(|part| format!("{PREFIX}.{number}.{part}"));
            loader.normed_convolution(&name, &norm, sizes)
        };
        let last = loader.convolution(&format!("{PREFIX}.2.conv"), last)?;
        let convolutions = [normed(0, first)?, normed(1, second)?, last];
        Ok(ConvStem { image_size, convolutions, position_embedding, class_embedding })
    }

    /// Returns the number of rows per image.
    pub(super) fn positions(&self) -> usize {
        let grid = self.image_size / PATCH;
        grid * grid + 1
    }

    /// Embeds the images of `pixels` (images, 3, height, width) into the rows of `work`, (images *
    /// positions, width). Returns the number of images.
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        pixels: &[f32],
    ) -> Result<usize> {
        let mut side = self.image_size;
        let images = pixels.len() / (3 * side * side).max(1);
        let Workspace { rows, next, .. } = work;
        *rows = backend.upload(pixel_rows(pixels, 3, side * side), 3)?;
        let activations = [Activation::Gelu, Activation::Gelu, Activation::None];
        for (convolution, activation) in self.convolutions.iter().zip(activations) {
            side = convolution.forward(backend, side, rows, activation, next)?;
            std::mem::swap(rows, next);
        }
        backend.add_to_groups(&self.position_embedding, rows)?;
        backend.prepend(&self.class_embedding, images, rows, next)?;
        std::mem::swap(rows, next);
        Ok(images)
    }
}
