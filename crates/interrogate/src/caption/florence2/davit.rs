//! DaViT, the image tower of Florence-2 (Ding et al., arXiv 2204.03645): stages of a convolution
//! and blocks, whose attention is within windows of pixels, then between channels.
//!
//! `Florence2VisionBackbone` of transformers 5.24 (`modeling_florence2.py`). Rows are pixels.

use std::path::Path;

use super::davit_config::DavitConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Activation, Backend, Convolution, Depthwise, Epilogue, Heads, KvView, Loader, Scope, Window,
    Workspace, pixel_rows,
};

/// The epsilon of all norms, torch's default.
const EPS: f64 = 1e-5;

/// The depthwise convolutions.
const KERNEL: usize = 3;

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

/// Attention and an MLP, each after a depthwise convolution.
#[derive(Debug)]
struct Half<B: Backend> {
    conv1: Depthwise<B>,
    norm1: B::Norm,
    qkv: [B::Linear; 3],
    proj: B::Linear,
    conv2: Depthwise<B>,
    norm2: B::Norm,
    fc1: B::Linear,
    fc2: B::Linear,
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
            let windows = stage.windows(backend, images, zero)?;
            for [spatial, channel] in &stage.blocks {
                spatial.forward(backend, work, (stage, self.activation), |work| {
                    windows.attend(backend, work, spatial)
                })?;
                channel.forward(backend, work, (stage, self.activation), |work| {
                    stage.attend_channels(backend, work, channel, images)
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
        half: &Half<B>,
        images: usize,
    ) -> Result<()> {
        let Workspace { normed, queries, keys, values, context, next, .. } = work;
        let [query, key, value] = &half.qkv;
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

    /// Prepares the windows of `images` images. Maps are padded to whole windows with `zero`.
    fn windows<'a>(
        &'a self,
        backend: &B,
        images: usize,
        zero: &'a B::Rows,
    ) -> Result<Windows<'a, B>> {
        let (side, window) = (self.side, self.window);
        let count = side.div_ceil(window);
        let (padded, pixels) = (count * window, side * side);
        let padding = (images * pixels) as u32;
        let mut ids = Vec::with_capacity(images * padded * padded);
        let mut back = vec![0; images * pixels];
        for image in 0..images {
            for at in 0..padded * padded {
                // A window's number, then the pixel's in it.
                let (number, at) = (at / (window * window), at % (window * window));
                let y = number / count * window + at / window;
                let x = number % count * window + at % window;
                let row = image * pixels + y * side + x;
                if y < side && x < side {
                    back[row] = ids.len() as u32;
                    ids.push(row as u32);
                } else {
                    ids.push(padding);
                }
            }
        }
        Ok(Windows {
            zero: (padded > side).then_some(zero),
            ids: backend.ids(&ids)?,
            back: backend.ids(&back)?,
            scope: backend.scope(Scope::Groups(images * count * count))?,
            heads: Heads::scaled(self.heads, self.width),
        })
    }
}

/// The windows of a stage's feature maps.
struct Windows<'a, B: Backend> {
    /// The row of padding, if there is any.
    zero: Option<&'a B::Rows>,
    /// The pixels of each window.
    ids: B::Ids,
    /// The place of each pixel in its window.
    back: B::Ids,
    scope: B::Scope,
    heads: Heads,
}

impl<B: Backend> Windows<'_, B> {
    /// Attends within each window. Padding is attended to as well: its keys and values are the
    /// biases.
    fn attend(&self, backend: &B, work: &mut Workspace<B>, half: &Half<B>) -> Result<()> {
        let Workspace { normed, queries, keys, values, context, next, .. } = work;
        if let Some(zero) = self.zero {
            backend.concat(&[normed, zero], next)?;
            std::mem::swap(normed, next);
        }
        backend.select(normed, &self.ids, next)?;
        let [query, key, value] = &half.qkv;
        backend.apply_each(
            &mut [(query, &mut *queries), (key, &mut *keys), (value, &mut *values)],
            next,
        )?;
        let view = KvView::uncached(keys, values);
        backend.attend(self.heads, queries, view, &self.scope, None, context)?;
        backend.select(context, &self.back, next)?;
        std::mem::swap(context, next);
        Ok(())
    }
}

impl<B: Backend> Half<B> {
    fn load(
        loader: &Loader<'_, B>,
        config: &DavitConfig,
        width: usize,
        [prefix, attention]: [&str; 2],
    ) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.{name}");
        let inner = config.inner(width);
        let qkv = at(&format!("{attention}.qkv"));
        Ok(Half {
            conv1: loader.depthwise(&at("conv1"), [width, KERNEL])?,
            norm1: loader.layer_norm(&at("norm1"), width, EPS)?,
            qkv: loader.thirds(&qkv, width, config.qkv_bias)?,
            proj: loader.linear(&at(&format!("{attention}.proj")), [width, width])?,
            conv2: loader.depthwise(&at("conv2"), [width, KERNEL])?,
            norm2: loader.layer_norm(&at("norm2"), width, EPS)?,
            fc1: loader.linear(&at("ffn.fc1"), [inner, width])?,
            fc2: loader.linear(&at("ffn.fc2"), [width, inner])?,
        })
    }

    /// Runs the rows of `work` through the half, in place. `attend` attends from and to the
    /// normed rows of `work`, and leaves the result in its context.
    fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        (stage, activation): (&Stage<B>, Activation),
        attend: impl FnOnce(&mut Workspace<B>) -> Result<()>,
    ) -> Result<()> {
        let window = Window { side: stage.side, kernel: KERNEL, stride: 1, padding: KERNEL / 2 };
        let convolve = |conv: &Depthwise<B>, work: &mut Workspace<B>| -> Result<()> {
            let Workspace { rows, next, .. } = work;
            backend.convolve_depthwise(conv, &window, rows, next)?;
            // One group: the sum of both.
            backend.add_to_groups(rows, next)?;
            std::mem::swap(rows, next);
            Ok(())
        };
        convolve(&self.conv1, work)?;
        backend.normalize(&self.norm1, &work.rows, &mut work.normed)?;
        attend(work)?;
        let Workspace { rows, context, next, .. } = &mut *work;
        backend.apply(&self.proj, context, Epilogue::plus(rows), next)?;
        std::mem::swap(rows, next);
        convolve(&self.conv2, work)?;
        let Workspace { rows, normed, next, inner, .. } = work;
        backend.normalize(&self.norm2, rows, normed)?;
        backend.apply(&self.fc1, normed, Epilogue::activation(activation), inner)?;
        backend.apply(&self.fc2, inner, Epilogue::plus(rows), next)?;
        std::mem::swap(rows, next);
        Ok(())
    }
}
