//! The embedding of image patches: CLIP's, SigLIP's, BLIP's and BLIP-2's.

use super::super::backend::{Backend, Epilogue};
use super::super::{Patches, Workspace};
use crate::Result;

/// The class row, if there is one, and the patch rows of an image, with their position embeddings.
#[derive(Debug)]
pub(crate) struct PatchEmbedding<B: Backend> {
    pub(crate) patches: Patches,
    /// The convolution over patches, as a product.
    pub(crate) patch_embedding: B::Linear,
    /// (1, width), if there is a class row.
    pub(crate) class_embedding: Option<B::Rows>,
    /// (positions, width)
    pub(crate) position_embedding: B::Rows,
}

impl<B: Backend> PatchEmbedding<B> {
    /// Returns the number of rows per image.
    pub(crate) fn positions(&self) -> usize {
        self.patches.count() + usize::from(self.class_embedding.is_some())
    }

    /// Embeds the images of `pixels` (images, channels, height, width) into the rows of `work`,
    /// (images * positions, width). Returns the number of images.
    pub(crate) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        pixels: &[f32],
    ) -> Result<usize> {
        let images = pixels.len() / self.patches.pixels();
        let Workspace { rows, next, .. } = work;
        let unfolded = backend.upload(self.patches.rows(pixels), self.patches.width())?;
        backend.apply(&self.patch_embedding, &unfolded, Epilogue::none(), next)?;
        match &self.class_embedding {
            Some(class) => backend.prepend(class, images, next, rows)?,
            None => std::mem::swap(rows, next),
        }
        backend.add_to_groups(&self.position_embedding, rows)?;
        Ok(images)
    }
}
