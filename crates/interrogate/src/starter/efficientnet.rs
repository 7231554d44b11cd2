//! EfficientNet-Lite0, the ImageNet-1k classifier: pixels to 1,000 logits.
//!
//! Owns the architecture; `convolve` computes the convolutions. Batch norms are folded into
//! the convolutions before them (`weights/convert.py`). Names are those of the checkpoint.
//!
//! The network is EfficientNet-B0 (Tan and Le, arXiv 1905.11946, table 1) with ReLU6 instead
//! of swish and without squeeze-and-excite.

use std::fmt::Debug;

use super::convolve::Convolve;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::weights::Weights;

/// The number of logits.
pub(super) const CLASSES: usize = 1000;

/// The number of channels of the first convolution.
pub(super) const STEM: usize = 32;
/// The number of channels of the last convolution.
pub(super) const HEAD: usize = 1280;

/// Rows of the table: kernel, stride of the first block, expansion, channels,
/// number of blocks.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];

/// The shape of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    number: usize,
    /// The side of the depthwise kernel.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// The number of input channels, of expanded channels, and of output channels.
    pub(super) input: usize,
    pub(super) inner: usize,
    pub(super) output: usize,
}

impl Shape {
    /// Returns the name of one of the block's convolutions.
    pub(super) fn name(&self, part: &str) -> String {
        format!("_blocks.{}.{part}", self.number)
    }

    /// Returns whether the block expands its channels.
    pub(super) fn expands(&self) -> bool {
        self.inner != self.input
    }

    /// Returns whether the input is added to the output, which has the same shape.
    pub(super) fn residual(&self) -> bool {
        self.stride == 1 && self.input == self.output
    }
}

/// Returns the shapes of all blocks, in order.
pub(super) fn shapes() -> Vec<Shape> {
    let (mut shapes, mut input) = (Vec::new(), STEM);
    for (kernel, first_stride, expansion, output, repeats) in STAGES {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { first_stride } else { 1 };
            let (number, inner) = (shapes.len(), input * expansion);
            shapes.push(Shape { number, kernel, stride, input, inner, output });
            input = output;
        }
    }
    shapes
}

/// A classifier of images.
pub(super) trait Classifier: Debug + Send + Sync {
    /// Returns the logits (1000) of each image (3, 224, 224), whose pixels are
    /// (x - 127) / 128.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    fn logits(&self, pictures: &[&[f32]]) -> Result<Vec<Vec<f32>>>;
}

/// The classifier in f32.
#[derive(Debug)]
pub(super) struct EfficientNet<C: Convolve> {
    convolve: C,
    stem: C::Convolution,
    blocks: Vec<Block<C>>,
    head: C::Convolution,
    classifier: C::Convolution,
}

/// A mobile inverted bottleneck: expansion, depthwise convolution, projection.
#[derive(Debug)]
struct Block<C: Convolve> {
    shape: Shape,
    expand: Option<C::Convolution>,
    filter: C::Convolution,
    project: C::Convolution,
}

impl<C: Convolve> EfficientNet<C> {
    /// Loads all weights, and refuses others.
    pub(super) fn load(weights: Weights, convolve: C) -> Result<Self> {
        let load = |name: &str, shape: &[usize]| -> Result<C::Convolution> {
            let weight = weights.values(&format!("{name}.weight"), shape)?;
            let bias = weights.values(&format!("{name}.bias"), &shape[..1])?;
            convolve.load(weight, shape, bias)
        };
        let block = |shape: Shape| -> Result<Block<C>> {
            let Shape { kernel, input, inner, output, .. } = shape;
            let load = |part: &str, of: &[usize]| load(&shape.name(part), of);
            let expand = shape.expands().then(|| load("_expand_conv", &[inner, input, 1, 1]));
            Ok(Block {
                shape,
                expand: expand.transpose()?,
                filter: load("_depthwise_conv", &[inner, 1, kernel, kernel])?,
                project: load("_project_conv", &[output, inner, 1, 1])?,
            })
        };
        let shapes = shapes();
        let last = shapes.last().map_or(STEM, |shape| shape.output);
        let blocks = shapes.into_iter().map(block).collect::<Result<_>>()?;
        let stem = load("_conv_stem", &[STEM, 3, 3, 3])?;
        let head = load("_conv_head", &[HEAD, last, 1, 1])?;
        let classifier = load("_fc", &[CLASSES, HEAD])?;
        weights.finish(|_| false)?;
        Ok(EfficientNet { convolve, stem, blocks, head, classifier })
    }
}

impl<C: Convolve> Classifier for EfficientNet<C> {
    fn logits(&self, pictures: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let logits = self.convolve.each(pictures, &|pictures| {
            let convolve = &self.convolve;
            let mut x = convolve.stem(&self.stem, &pictures)?;
            for block in &self.blocks {
                x = block.forward(convolve, &x)?;
            }
            let x = convolve.mean(&convolve.expand(&self.head, &x)?)?;
            convolve.values(convolve.project(&self.classifier, &x, None)?)
        })?;
        let logits = logits.concat();
        Ok(logits.chunks_exact(CLASSES).map(<[f32]>::to_vec).collect())
    }
}

impl<C: Convolve> Block<C> {
    fn forward(&self, convolve: &C, input: &C::Maps) -> Result<C::Maps> {
        let expanded = self.expand.as_ref().map(|expand| convolve.expand(expand, input));
        let expanded = expanded.transpose()?;
        let x = expanded.as_ref().unwrap_or(input);
        let x = convolve.depthwise(&self.filter, x, self.shape.stride)?;
        convolve.project(&self.project, &x, self.shape.residual().then_some(input))
    }
}
