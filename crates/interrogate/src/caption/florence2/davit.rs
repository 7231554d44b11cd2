//! DaViT, the image tower of Florence-2 (Ding et al., arXiv 2204.03645): stages of a convolution
//! and blocks, whose attention is within windows of pixels, then between channels.
//!
//! `Florence2VisionBackbone` of transformers 5.24 (`modeling_florence2.py`). Rows are pixels.

use std::path::Path;

use super::davit_config::DavitConfig;
use super::half_block::Half;
use super::windows::Windows;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Activation, Backend, Convolution, Heads, KvView, Loader, Scope, Workspace, pixel_rows,
};

/// The epsilon of all norms, torch's default.
const EPS: f64 = 1e-5;

/// The tower.
#[derive(Debug)]
pub(in crate::caption) struct Davit<B: Backend> {
    stages: Vec<Stage<B>>,
    activation: Activation,
    /// Pixels along a side of an image.
    side: usize,
    /// A row of zeros for each stage.
    zeros: Vec<B::Rows>,
}

/// A convolution with its norm, and blocks.
#[derive(Debug)]
struct Stage<B: Backend> {
    convolution: Convolution<B>,
    norm: B::Norm,
    /// Whether the norm precedes the convolution.
    prenorm: bool,
    blocks: Vec<[Half<B>; 2]>,
    width: usize,
    /// Pixels along a side of the feature maps, and of a window.
    side: usize,
    window: usize,
    heads: usize,
    groups: usize,
}

impl<B: Backend> Davit<B> {
    /// Loads the weights under `model.vision_tower`, for images of `side` by `side` pixels. An
    /// error about a size names `path`.
    ///
    /// # Errors
    /// Those of [`DavitConfig::sides`] and of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &DavitConfig,
        path: &Path,
        side: usize,
    ) -> Result<Self> {
        let sides = config.sides(path, side)?;
        let stage = |(stage, &side): (usize, &usize)| -> Result<Stage<B>> {
            let (width, sizes) = (config.embed_dim[stage], config.convolution(stage));
            let at = |name: &str| format!("model.vision_tower.convs.{stage}.{name}");
            let prenorm = config.patch_prenorm[stage];
            let block = |block: usize| -> Result<[Half<B>; 2]> {
                let at = format!("model.vision_tower.blocks.{stage}.{block}");
                let half = |name, attention| {
                    Half::load(loader, config, width, [&format!("{at}.{name}"), attention])
                };
                Ok([half("spatial_block", "window_attn")?, half("channel_block", "channel_attn")?])
            };
            Ok(Stage {
                convolution: loader.convolution(&at("conv"), sizes)?,
                norm: loader.layer_norm(
                    &at("norm"),
                    if prenorm { sizes.channels } else { width },
                    EPS,
                )?,
                prenorm,
                blocks: (0..config.depths[stage]).map(block).collect::<Result<_>>()?,
                width,
                side,
                window: config.window_size,
                heads: config.num_heads[stage],
                groups: config.num_groups[stage],
            })
        };
        let zeros = config.embed_dim.iter().map(|&dim| loader.backend.upload(vec![0.0; dim], dim));
        Ok(Davit {
            stages: sides.iter().enumerate().map(stage).collect::<Result<_>>()?,
            activation: config.activation_function,
            side,
            zeros: zeros.collect::<Result<_>>()?,
        })
    }

    /// Values per image.
    pub(super) fn pixels(&self) -> usize {
        3 * self.side * self.side
    }

    /// Pixels along a side of the last feature map.
    pub(super) fn last_side(&self) -> usize {
        self.stages.last().map_or(0, |stage| stage.side)
    }

    /// Computes the last feature maps (images * side * side, dim) of `pixels` (images, 3, height,
    /// width) into the rows of `work`.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(in crate::caption) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        pixels: &[f32],
    ) -> Result<()> {
        let images = pixels.len() / self.pixels();
        work.rows = backend.upload(pixel_rows(pixels, 3, self.side * self.side), 3)?;
        let mut side = self.side;
        for (stage, zero) in self.stages.iter().zip(&self.zeros) {
            side = stage.embed(backend, work, side)?;
            let sizes = [images, stage.side, stage.window];
            let heads = Heads::scaled(stage.heads, stage.width);
            let windows = Windows::new(backend, heads, sizes, zero)?;
            for [spatial, channel] in &stage.blocks {
                spatial.forward(backend, work, (side, self.activation), |work| {
                    windows.attend(backend, work, &spatial.qkv)
                })?;
                channel.forward(backend, work, (side, self.activation), |work| {
                    stage.attend_channels(backend, work, &channel.qkv, images)
                })?;
            }
        }
        Ok(())
    }
}

impl<B: Backend> Stage<B> {
    /// Convolves the maps of `work`, of `side` by `side` pixels. Returns their new side.
    fn embed(&self, backend: &B, work: &mut Workspace<B>, side: usize) -> Result<usize> {
        let Workspace { rows, next, .. } = work;
        if self.prenorm {
            backend.normalize(&self.norm, rows, next)?;
            std::mem::swap(rows, next);
        }
        let side = self.convolution.forward(backend, side, rows, Activation::None, next)?;
        std::mem::swap(rows, next);
        if !self.prenorm {
            backend.normalize(&self.norm, rows, next)?;
            std::mem::swap(rows, next);
        }
        Ok(side)
    }

    /// Attends between the channels of each group: the channels are the rows, and pixels their
    /// values.
    fn attend_channels(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        [query, key, value]: &[B::Linear; 3],
        images: usize,
    ) -> Result<()> {
        let Workspace { normed, queries, keys, values, context, next, .. } = work;
        backend.apply_each(
            &mut [(query, &mut *queries), (key, &mut *keys), (value, &mut *values)],
            normed,
        )?;
        for rows in [&mut *queries, &mut *keys, &mut *values] {
            backend.transpose(images, rows, next)?;
            std::mem::swap(rows, next);
        }
        let pixels = (self.side * self.side) as f32;
        let heads = Heads { count: 1, scale: 1.0 / pixels.sqrt() };
        let scope = backend.scope(Scope::Groups(images * self.groups))?;
        let view = KvView::uncached(keys, values);
        backend.attend(heads, queries, view, &scope, None, context)?;
        backend.transpose(images, context, next)?;
        std::mem::swap(context, next);
        Ok(())
    }
}
