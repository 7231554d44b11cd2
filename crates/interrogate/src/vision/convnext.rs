//! ConvNeXt as an image tower of open_clip.
//!
//! Follows `ConvNeXt` of timm 1.0.31 (timm/models/convnext.py; Liu et al., arXiv 2201.03545) and
//! `TimmModel` of open_clip 3.3 (src/open_clip/timm_model.py), whose names the weights have.
//! Maps are rows of channels, so that norms and products over channels are those of a
//! transformer. The layer scale is multiplied into the second product of a block.

use std::path::Path;

use super::image_tower::ImageTower;
use super::mean_pixel;
use crate::nn::{
    Activation, Backend, Convolution, ConvolutionSizes, Depthwise, Epilogue, Loader, Window,
    Workspace, pixel_rows,
};
use crate::weights::Shapes;
use crate::{Error, Result, limits, sizes};

/// Pixels along a side of the patches of the stem.
const PATCH: usize = 4;

/// The number of stages.
const STAGES: usize = 4;

/// How much smaller than the image the last maps are.
const DOWNSAMPLING: usize = PATCH << (STAGES - 1);

/// Pixels along a side of a depthwise window, and the zeros around a map.
const KERNEL: usize = 7;
const PADDING: usize = 3;

/// Width of the inner layer of a block for each channel.
const EXPANSION: usize = 4;

/// The sizes of a ConvNeXt.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNextConfig {
    /// The height and width of the input in pixels.
    pub image_size: usize,
    /// The blocks of each stage.
    pub depths: [usize; STAGES],
    /// The channels of each stage.
    pub dims: [usize; STAGES],
    /// The epsilon of all norms.
    pub norm_eps: f64,
    /// What follows the mean pixel.
    pub projection: ConvNextProjection,
}

/// The projection from the mean pixel to the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConvNextProjection {
    /// One product, with or without a bias.
    Linear {
        /// Whether it has a bias.
        bias: bool,
    },
    /// Two products with GELU between them, of which the first has a bias.
    Mlp {
        /// Whether the second has a bias.
        bias: bool,
    },
}

/// A part of the projection.
struct Product {
    name: &'static str,
    shape: [usize; 2],
    bias: bool,
}

impl ConvNextConfig {
    /// Returns the name and shape of every weight of a tower with rows of `dim` values.
    pub(super) fn weights(&self, dim: usize) -> Shapes {
        let mut shapes = Shapes::default();
        shapes.layer("visual.trunk.stem.0", &self.stem().shape(), true);
        shapes.layer("visual.trunk.stem.1", &self.dims[..1], true);
        for stage in 0..STAGES {
            let width = self.dims[stage];
            if let Some((input, sizes)) = self.downsample(stage) {
                let at = downsample(stage);
                shapes.layer(&format!("{at}.0"), &[input], true);
                shapes.layer(&format!("{at}.1"), &sizes.shape(), true);
            }
            for number in 0..self.depths[stage] {
                let at = block(stage, number);
                shapes.layer(&format!("{at}.conv_dw"), &[width, 1, KERNEL, KERNEL], true);
                shapes.layer(&format!("{at}.norm"), &[width], true);
                shapes.layer(&format!("{at}.mlp.fc1"), &[EXPANSION * width, width], true);
                shapes.layer(&format!("{at}.mlp.fc2"), &[width, EXPANSION * width], true);
                shapes.add(format!("{at}.gamma"), &[width]);
            }
        }
        shapes.layer("visual.trunk.head.norm", &self.dims[STAGES - 1..], true);
        for Product { name, shape, bias } in self.products(dim) {
            shapes.layer(name, &shape, bias);
        }
        shapes
    }

    /// Checks the sizes of a tower with rows of `dim` values. `path` is their file.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an invalid size.
    pub(super) fn check(&self, path: &Path, dim: usize) -> Result<()> {
        let side = self.image_size;
        sizes::within(path, "vision_cfg.image_size", side, limits::IMAGE_SIDE)?;
        if side < DOWNSAMPLING {
            let expected = format!("{DOWNSAMPLING} or more");
            return Err(Error::mismatch(path, "vision_cfg.image_size", expected, side));
        }
        for (depth, width) in self.depths.into_iter().zip(self.dims) {
            sizes::within(path, "blocks of a stage", depth, limits::LAYERS)?;
            sizes::within(path, "channels of a stage", width, limits::WIDTH)?;
        }
        sizes::inner(path, "embed_dim", (dim, self.dims[STAGES - 1]), limits::INNER)?;
        sizes::epsilon(path, "norm_eps", self.norm_eps)
    }

    /// The number of tokens of a transformer that takes about as much work as an image: the
    /// pixels of the third stage.
    pub(super) fn positions(&self) -> usize {
        let side = self.image_size / 16;
        side * side
    }

    fn stem(&self) -> ConvolutionSizes {
        let (outputs, kernel) = (self.dims[0], PATCH);
        ConvolutionSizes { outputs, channels: 3, kernel, stride: kernel, padding: 0 }
    }

    /// The convolution before a stage and the width of the norm before it; none before the first.
    fn downsample(&self, stage: usize) -> Option<(usize, ConvolutionSizes)> {
        let channels = self.dims[stage.checked_sub(1)?];
        let outputs = self.dims[stage];
        let sizes = ConvolutionSizes { outputs, channels, kernel: 2, stride: 2, padding: 0 };
        Some((channels, sizes))
    }

    /// The products after the mean pixel, with GELU between two.
    fn products(&self, dim: usize) -> Vec<Product> {
        let width = self.dims[STAGES - 1];
        match self.projection {
            ConvNextProjection::Linear { bias } => {
                vec![Product { name: "visual.head.proj", shape: [dim, width], bias }]
            }
            ConvNextProjection::Mlp { bias } => vec![
                Product { name: "visual.head.mlp.fc1", shape: [2 * dim, width], bias: true },
                Product { name: "visual.head.mlp.fc2", shape: [dim, 2 * dim], bias },
            ],
        }
    }
}

/// The name of a block.
fn block(stage: usize, number: usize) -> String {
    format!("visual.trunk.stages.{stage}.blocks.{number}")
}

/// The name of the norm and the convolution before a stage.
fn downsample(stage: usize) -> String {
    format!("visual.trunk.stages.{stage}.downsample")
}

/// The tower over one backend.
#[derive(Debug)]
pub(super) struct ConvNext<B: Backend> {
    image_size: usize,
    stem: Convolution<B>,
    stem_norm: B::Norm,
    stages: Vec<Stage<B>>,
    norm: B::Norm,
    /// The products of the projection, with an activation between two.
    projection: Vec<B::Linear>,
}

/// The blocks between two downsamplings.
#[derive(Debug)]
struct Stage<B: Backend> {
    downsample: Option<(B::Norm, Convolution<B>)>,
    blocks: Vec<Block<B>>,
}

impl<B: Backend> ConvNext<B> {
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &ConvNextConfig,
        dim: usize,
    ) -> Result<Self> {
        let eps = config.norm_eps;
        let norm = |name: &str, width| loader.layer_norm(name, width, eps);
        let stage = |stage: usize| {
            let width = config.dims[stage];
            let at = downsample(stage);
            let downsample = config.downsample(stage).map(|(input, sizes)| {
                let norm = norm(&format!("{at}.0"), input)?;
                Ok((norm, loader.convolution(&format!("{at}.1"), sizes)?))
            });
            let downsample: Result<Option<_>> = downsample.transpose();
            let blocks = (0..config.depths[stage]).map(|number| {
                let at = block(stage, number);
                Ok(Block {
                    conv_dw: loader.depthwise(&format!("{at}.conv_dw"), [width, KERNEL])?,
                    norm: norm(&format!("{at}.norm"), width)?,
                    fc1: loader.linear(&format!("{at}.mlp.fc1"), [EXPANSION * width, width])?,
                    fc2: loader.scaled_linear(
                        &format!("{at}.mlp.fc2"),
                        [width, EXPANSION * width],
                        &format!("{at}.gamma"),
                    )?,
                })
            });
            Ok(Stage { downsample: downsample?, blocks: blocks.collect::<Result<_>>()? })
        };
        let product = |Product { name, shape, bias }| loader.linear_if(name, shape, bias);
        Ok(ConvNext {
            image_size: config.image_size,
            stem: loader.convolution("visual.trunk.stem.0", config.stem())?,
            stem_norm: norm("visual.trunk.stem.1", config.dims[0])?,
            stages: (0..STAGES).map(stage).collect::<Result<_>>()?,
            norm: norm("visual.trunk.head.norm", config.dims[STAGES - 1])?,
            projection: config.products(dim).into_iter().map(product).collect::<Result<_>>()?,
        })
    }
}

impl<B: Backend> ImageTower<B> for ConvNext<B> {
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>> {
        let mut side = self.image_size;
        let images = pixels.len() / (3 * side * side).max(1);
        work.rows = backend.upload(pixel_rows(pixels, 3, side * side), 3)?;
        side = self.stem.forward(backend, side, &work.rows, Activation::None, &mut work.next)?;
        backend.normalize(&self.stem_norm, &work.next, &mut work.rows)?;
        for stage in &self.stages {
            if let Some((norm, convolution)) = &stage.downsample {
                let Workspace { rows, normed, .. } = &mut *work;
                backend.normalize(norm, rows, normed)?;
                side = convolution.forward(backend, side, normed, Activation::None, rows)?;
            }
            for block in &stage.blocks {
                block.forward(backend, work, side)?;
            }
        }
        let Workspace { rows, next, normed, .. } = work;
        mean_pixel(backend, rows, images, side * side, next)?;
        backend.normalize(&self.norm, next, normed)?;
        for (number, product) in self.projection.iter().enumerate() {
            let last = number + 1 == self.projection.len();
            let activation = if last { Activation::None } else { Activation::Gelu };
            backend.apply(product, normed, Epilogue::activation(activation), next)?;
            std::mem::swap(normed, next);
        }
        backend.download(std::mem::take(normed))
    }
}

/// `x + gamma fc2(gelu(fc1(norm(conv_dw(x)))))`.
#[derive(Debug)]
struct Block<B: Backend> {
    conv_dw: Depthwise<B>,
    norm: B::Norm,
    fc1: B::Linear,
    fc2: B::Linear,
}

impl<B: Backend> Block<B> {
    /// Replaces the rows of `work`, of maps of `side` by `side` pixels.
    fn forward(&self, backend: &B, work: &mut Workspace<B>, side: usize) -> Result<()> {
        let Workspace { rows, normed, context, next, inner, .. } = work;
        let window = Window { side, kernel: KERNEL, stride: 1, padding: PADDING };
        backend.convolve_depthwise(&self.conv_dw, &window, rows, context)?;
        backend.normalize(&self.norm, context, normed)?;
        backend.apply(&self.fc1, normed, Epilogue::activation(Activation::Gelu), inner)?;
        backend.apply(&self.fc2, inner, Epilogue::plus(rows), next)?;
        std::mem::swap(rows, next);
        Ok(())
    }
}
