//! EfficientNet-Lite0, the ImageNet-1k classifier: pixels in, 1,000 logits out.
//!
//! Owns the architecture. The batch norms are folded into the convolutions
//! before them (`weights/convert.py`); names are the checkpoint's own.
//!
//! The network is EfficientNet-B0 (Tan and Le, arXiv 1905.11946, table 1) with
//! ReLU6 for swish and without squeeze-and-excite.

use candle_core::{Result as Computed, Tensor};

use super::depthwise::{bias, depthwise, same};
use crate::weights::Weights;
use crate::{Error, Result};

/// Height and width of the pixels.
pub(super) const SIDE: usize = 224;
/// Number of logits.
pub(super) const CLASSES: usize = 1000;

/// Channels of the first convolution.
pub(super) const STEM: usize = 32;
/// Channels of the last one.
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

/// What a block is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    number: usize,
    /// Side of the depthwise kernel, and its stride.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Channels that come, that are filtered, and that go.
    pub(super) input: usize,
    pub(super) inner: usize,
    pub(super) output: usize,
}

impl Shape {
    /// The name of one of its convolutions.
    pub(super) fn name(&self, part: &str) -> String {
        format!("_blocks.{}.{part}", self.number)
    }

    /// Whether channels are added before they are filtered.
    pub(super) fn expands(&self) -> bool {
        self.inner != self.input
    }

    /// Whether input and output have one shape, and the input is added.
    pub(super) fn residual(&self) -> bool {
        self.stride == 1 && self.input == self.output
    }
}

/// The blocks of the table, in order; the last gives what the head takes.
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

/// The classifier in f32 on the CPU.
#[derive(Debug)]
pub(super) struct EfficientNet {
    stem: Convolution,
    blocks: Vec<Block>,
    head: Convolution,
    classifier: Convolution,
}

/// A mobile inverted bottleneck: expand, filter each channel, project.
#[derive(Debug)]
struct Block {
    shape: Shape,
    expand: Option<Convolution>,
    filter: Convolution,
    project: Convolution,
}

#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
}

impl EfficientNet {
    /// Takes every weight, and refuses any other.
    pub(super) fn new(weights: Weights) -> Result<Self> {
        let stem = Convolution::take(&weights, "_conv_stem", &[STEM, 3, 3, 3])?;
        let block = |shape: Shape| -> Result<Block> {
            let Shape { kernel, input, inner, output, .. } = shape;
            let take =
                |part: &str, of: &[usize]| Convolution::take(&weights, &shape.name(part), of);
            let expand = shape.expands().then(|| take("_expand_conv", &[inner, input, 1, 1]));
            Ok(Block {
                shape,
                expand: expand.transpose()?,
                filter: take("_depthwise_conv", &[inner, 1, kernel, kernel])?,
                project: take("_project_conv", &[output, inner, 1, 1])?,
            })
        };
        let shapes = shapes();
        let last = shapes.last().map_or(STEM, |shape| shape.output);
        let blocks = shapes.into_iter().map(block).collect::<Result<_>>()?;
        let head = Convolution::take(&weights, "_conv_head", &[HEAD, last, 1, 1])?;
        let classifier = Convolution::take(&weights, "_fc", &[CLASSES, HEAD])?;
        weights.finish(|_| false)?;
        Ok(EfficientNet { stem, blocks, head, classifier })
    }

    /// The logits (1000) of `pixels` (3, 224, 224) in (x - 127) / 128.
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine fails.
    pub(super) fn logits(&self, pixels: Vec<f32>) -> Result<Vec<f32>> {
        let run = || {
            let x = Tensor::from_vec(pixels, (1, 3, SIDE, SIDE), &candle_core::Device::Cpu)?;
            let mut x = self.stem.stem(&x)?;
            for block in &self.blocks {
                x = block.forward(&x)?;
            }
            let x = self.head.pointwise(&x, true)?;
            let x = x.mean((2, 3))?.reshape((1, HEAD, 1, 1))?;
            self.classifier.pointwise(&x, false)?.flatten_all()?.to_vec1()
        };
        run().map_err(Error::engine("classify a picture"))
    }
}

impl Block {
    fn forward(&self, input: &Tensor) -> Computed<Tensor> {
        let x = match &self.expand {
            Some(expand) => &expand.pointwise(input, true)?,
            None => input,
        };
        let x = depthwise(x, &self.filter.weight, &self.filter.bias, self.shape.stride)?;
        let x = self.project.pointwise(&x, false)?;
        if self.shape.residual() { x + input } else { Ok(x) }
    }
}

impl Convolution {
    fn take(weights: &Weights, name: &str, shape: &[usize]) -> Result<Self> {
        let weight = weights.take(&format!("{name}.weight"), shape)?;
        let bias = weights.take(&format!("{name}.bias"), &shape[..1])?;
        Ok(Convolution { weight, bias })
    }

    /// A 1 x 1 convolution: one product (out, in) x (in, height x width).
    fn pointwise(&self, x: &Tensor, relu6: bool) -> Computed<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        let weight = self.weight.reshape(((), channels))?;
        let y = weight.matmul(&x.reshape((channels, height * width))?)?;
        bias(&y.reshape((1, (), height, width))?, &self.bias, relu6)
    }

    /// The first convolution: 3 x 3 over all channels, stride 2, SAME, ReLU6.
    fn stem(&self, x: &Tensor) -> Computed<Tensor> {
        let (before, outputs) = same(SIDE, 3, 2);
        let behind = (outputs - 1) * 2 + 3 - SIDE - before;
        let x = x.pad_with_zeros(2, before, behind)?.pad_with_zeros(3, before, behind)?;
        bias(&x.conv2d(&self.weight, 0, 2, 1, 1)?, &self.bias, true)
    }
}
