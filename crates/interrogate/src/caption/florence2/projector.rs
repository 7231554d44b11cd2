//! From DaViT's feature maps to the language model's image embeddings: positions, their mean as
//! one more row, and a projection.
//!
//! `Florence2MultiModalProjector` of transformers 5.24.

use super::davit_config::DavitConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Backend, Epilogue, Loader, Scope, Span, Workspace};

const PREFIX: &str = "model.multi_modal_projector";

/// The epsilon of the norm, torch's default.
const EPS: f64 = 1e-5;

/// The positions of a feature map, and the projection.
#[derive(Debug)]
pub(super) struct Projector<B: Backend> {
    /// (pixels, dim): the sum of the position in the image and in time.
    positions: B::Rows,
    /// Pixels of a feature map.
    pixels: usize,
    projection: B::Linear,
    norm: B::Norm,
}

impl<B: Backend> Projector<B> {
    /// Loads the weights under `model.multi_modal_projector`, for feature maps of `side` by `side`
    /// pixels.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(loader: &Loader<'_, B>, config: &DavitConfig, side: usize) -> Result<Self> {
        let at = |name: &str| format!("{PREFIX}.{name}");
        let (dim, out) = (config.dim(), config.projection_dim);
        let (rows, columns) = (dim / 2, dim - dim / 2);
        let table = |name: &str, width: usize| {
            let name = at(&format!("image_position_embed.{name}_embeddings.weight"));
            loader.values(&name, &[config.positions(), width])
        };
        let (row_table, column_table) = (table("row", rows)?, table("column", columns)?);
        let time = at("visual_temporal_embed.pos_idx_to_embed");
        let time = loader.values(&time, &[config.temporal_positions(), dim])?;
        let mut positions = Vec::with_capacity(side * side * dim);
        for at in 0..side * side {
            let (y, x) = (at / side, at % side);
            let column = &column_table[x * columns..][..columns];
            let row = &row_table[y * rows..][..rows];
            // An image is the first frame.
            let position = column.iter().chain(row).zip(&time);
            positions.extend(position.map(|(position, time)| position + time));
        }
        Ok(Projector {
            positions: loader.backend.upload(positions, dim)?,
            pixels: side * side,
            projection: loader.linear_no_bias(&at("image_projection"), [out, dim])?,
            norm: loader.layer_norm(&at("image_proj_norm"), out, EPS)?,
        })
    }

    /// Rows per image.
    pub(super) fn rows(&self) -> usize {
        1 + self.pixels
    }

    /// Projects the feature maps of `images` images in `work` to (images * rows, width): the mean
    /// of a map, then its pixels.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        images: usize,
    ) -> Result<B::Rows> {
        let Workspace { rows, next, normed, .. } = work;
        backend.add_to_groups(&self.positions, rows)?;
        let of_image = |image: usize| image * self.pixels..(image + 1) * self.pixels;
        let spans =
            (0..images).map(|image| Span { queries: image..image + 1, rows: of_image(image) });
        backend.means(rows, &backend.scope(Scope::Spans(spans.collect()))?, next)?;
        backend.concat(&[next, rows], normed)?;
        let ids = (0..images).flat_map(|image| {
            let pixels = of_image(image).map(|pixel| images + pixel);
            [image].into_iter().chain(pixels)
        });
        let ids: Vec<u32> = ids.map(|row| row as u32).collect();
        backend.select(normed, &backend.ids(&ids)?, rows)?;
        backend.apply(&self.projection, rows, Epilogue::none(), next)?;
        let mut projected = B::Rows::default();
        backend.normalize(&self.norm, next, &mut projected)?;
        Ok(projected)
    }
}
