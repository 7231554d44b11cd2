//! Loads layers of a checkpoint by the names that PyTorch gives their parts.

use super::Heads;
use super::backend::Backend;
use super::layers::{Attention, PreNormLayer, PreNormLayers, PreNormSizes};
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::weights::{Shapes, Weights};

/// Loads weights by name and shape onto a backend.
///
/// # Errors
/// All methods: as of [`Weights::values`], and [`DeviceError::Tensors`] if a
/// device fails.
#[derive(Debug)]
pub(crate) struct Loader<'a, B: Backend> {
    pub(crate) weights: &'a Weights,
    pub(crate) backend: &'a B,
}

impl<'a, B: Backend> Loader<'a, B> {
    pub(crate) fn new(weights: &'a Weights, backend: &'a B) -> Self {
        Loader { weights, backend }
    }

    /// Loads the product with `{name}.weight` (out, in) and `{name}.bias`.
    pub(crate) fn linear(&self, name: &str, shape: [usize; 2]) -> Result<B::Linear> {
        self.linear_if(name, shape, true)
    }

    /// Loads the product with `{name}.weight` (out, in), without a bias.
    pub(crate) fn linear_no_bias(&self, name: &str, shape: [usize; 2]) -> Result<B::Linear> {
        self.linear_if(name, shape, false)
    }

    /// Loads the product with `{name}.weight` (out, in), and `{name}.bias` if `bias`.
    pub(crate) fn linear_if(&self, name: &str, shape: [usize; 2], bias: bool) -> Result<B::Linear> {
        let weight = self.weights.load(&format!("{name}.weight"), &shape)?;
        let bias = bias.then(|| self.values(&format!("{name}.bias"), &shape[..1]));
        self.backend.linear(&weight, shape, bias.transpose()?)
    }

    /// Loads the convolution with `{name}.weight` (out, channels, side, side), whose kernels do
    /// not overlap, as a product with rows of [`patches`](super::patches), and `{name}.bias` if
    /// `bias`.
    pub(crate) fn patch_embedding(
        &self,
        name: &str,
        [out, channels, side]: [usize; 3],
        bias: bool,
    ) -> Result<B::Linear> {
        let weight = self.weights.load(&format!("{name}.weight"), &[out, channels, side, side])?;
        let bias = bias.then(|| self.values(&format!("{name}.bias"), &[out])).transpose()?;
        self.backend.linear(&weight, [out, channels * side * side], bias)
    }

    /// Loads the layer norm of `{name}.weight` and `{name}.bias`.
    pub(crate) fn layer_norm(&self, name: &str, width: usize, eps: f64) -> Result<B::Norm> {
        let weight = self.values(&format!("{name}.weight"), &[width])?;
        let bias = self.values(&format!("{name}.bias"), &[width])?;
        self.backend.norm(weight, Some(bias), eps)
    }

    /// Loads the root-mean-square norm of `{name}.weight`.
    pub(crate) fn rms_norm(&self, name: &str, width: usize, eps: f64) -> Result<B::Norm> {
        self.backend.norm(self.values(&format!("{name}.weight"), &[width])?, None, eps)
    }

    /// Loads the table `name` (rows, width).
    pub(crate) fn table(&self, name: &str, [rows, width]: [usize; 2]) -> Result<B::Table> {
        self.backend.table(self.weights.load(name, &[rows, width])?, width)
    }

    /// Loads the rows `name`, whose last dimension is their width.
    pub(crate) fn rows(&self, name: &str, shape: &[usize]) -> Result<B::Rows> {
        let width = shape.last().copied().unwrap_or(1);
        self.backend.upload(self.values(name, shape)?, width)
    }

    /// Loads the values of the weight `name`.
    pub(crate) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.weights.values(name, shape)
    }

    /// Loads the layers `{prefix}.layers.0`, `{prefix}.layers.1` and so on, with the names of
    /// [`PreNormNames::HUGGING_FACE`] and all biases.
    pub(crate) fn pre_norm_layers(
        &self,
        prefix: &str,
        sizes: &PreNormSizes,
    ) -> Result<PreNormLayers<B>> {
        PreNormLayers::new(sizes, |number| {
            let at = |name: &str| format!("{prefix}.layers.{number}.{name}");
            self.pre_norm(sizes, &PreNormNames::HUGGING_FACE, at, Biases::all(true))
        })
    }

    /// Loads a layer whose parts have the names `at(names)`.
    pub(crate) fn pre_norm(
        &self,
        sizes: &PreNormSizes,
        names: &PreNormNames,
        at: impl Fn(&str) -> String,
        biases: Biases,
    ) -> Result<PreNormLayer<B>> {
        let (width, inner, bias) = (sizes.width, sizes.inner, biases.rest);
        self.backend.warm_up(width, width / sizes.heads.max(1));
        let norm1 = self.layer_norm(&at(names.norm1), width, sizes.eps)?;
        let [query, key, value] = match names.attention {
            Projections::Apart(names) => {
                let projection =
                    |name| self.linear_if(&at(name), [width, width], biases.projections);
                let [query, key, value] = names.map(projection);
                [query?, key?, value?]
            }
            Projections::Joined(name) => self.thirds(&at(name), width, biases.projections)?,
        };
        Ok(PreNormLayer {
            norm1,
            query,
            key,
            value,
            out: self.linear_if(&at(names.out), [width, width], bias)?,
            norm2: self.layer_norm(&at(names.norm2), width, sizes.eps)?,
            fc1: self.linear_if(&at(names.fc1), [inner, width], bias)?,
            fc2: self.linear_if(&at(names.fc2), [width, inner], bias)?,
        })
    }

    /// Loads the three products stacked in `{name}.weight` (3 * width, width).
    pub(crate) fn thirds(&self, name: &str, width: usize, bias: bool) -> Result<[B::Linear; 3]> {
        let bias = bias.then(|| self.values(&format!("{name}.bias"), &[3 * width])).transpose()?;
        let part = |number: usize| Some(bias.as_ref()?[number * width..][..width].to_vec());
        self.stacked(name, width, [part(0), part(1), part(2)])
    }

    /// Loads the three products stacked in `{name}.weight` (3 * width, width), with these biases.
    pub(crate) fn stacked(
        &self,
        name: &str,
        width: usize,
        biases: [Option<Vec<f32>>; 3],
    ) -> Result<[B::Linear; 3]> {
        let weight = self.weights.load(&format!("{name}.weight"), &[3 * width, width])?;
        let part = |number: usize, bias| {
            let weight = weight.slice(number * width * width..(number + 1) * width * width);
            self.backend.linear(&weight, [width, width], bias)
        };
        let [first, second, third] = biases;
        Ok([part(0, first)?, part(1, second)?, part(2, third)?])
    }

    /// Loads attention from rows of `width` to rows of `kv_width`, by the names of BERT:
    /// `{name}.{inner}.query` and so on, `{name}.output.dense`, `{name}.output.LayerNorm`.
    pub(crate) fn attention(
        &self,
        name: &str,
        inner: &str,
        [heads, width, kv_width]: [usize; 3],
        eps: f64,
    ) -> Result<Attention<B>> {
        self.backend.warm_up(width, width / heads.max(1));
        let projection =
            |part: &str, inputs| self.linear(&format!("{name}.{inner}.{part}"), [width, inputs]);
        Ok(Attention {
            heads: Heads::scaled(heads, width),
            query: projection("query", width)?,
            key: projection("key", kv_width)?,
            value: projection("value", kv_width)?,
            dense: self.linear(&format!("{name}.output.dense"), [width, width])?,
            norm: self.layer_norm(&format!("{name}.output.LayerNorm"), width, eps)?,
        })
    }
}

/// The names of the parts of a [`PreNormLayer`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreNormNames {
    pub(crate) norm1: &'static str,
    pub(crate) attention: Projections,
    pub(crate) out: &'static str,
    pub(crate) norm2: &'static str,
    pub(crate) fc1: &'static str,
    pub(crate) fc2: &'static str,
}

impl PreNormNames {
    /// The names of CLIP's and SigLIP's layers in transformers 5.23 (`CLIPEncoderLayer`,
    /// `SiglipEncoderLayer`).
    pub(crate) const HUGGING_FACE: PreNormNames = PreNormNames {
        norm1: "layer_norm1",
        attention: Projections::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        out: "self_attn.out_proj",
        norm2: "layer_norm2",
        fc1: "mlp.fc1",
        fc2: "mlp.fc2",
    };

    /// Returns the names and shapes of a layer of `width` and `inner`, whose parts have the names
    /// `at(names)`.
    pub(crate) fn shapes(
        &self,
        [width, inner]: [usize; 2],
        at: impl Fn(&str) -> String,
        biases: Biases,
    ) -> Shapes {
        let mut shapes = Shapes::default();
        shapes.layer(&at(self.norm1), &[width], true);
        match self.attention {
            Projections::Apart(names) => {
                for name in names {
                    shapes.layer(&at(name), &[width, width], biases.projections);
                }
            }
            Projections::Joined(name) => {
                shapes.layer(&at(name), &[3 * width, width], biases.projections);
            }
        }
        shapes.layer(&at(self.out), &[width, width], biases.rest);
        shapes.layer(&at(self.norm2), &[width], true);
        shapes.layer(&at(self.fc1), &[inner, width], biases.rest);
        shapes.layer(&at(self.fc2), &[width, inner], biases.rest);
        shapes
    }
}

/// How the projections to queries, keys and values are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Projections {
    /// In three weights.
    Apart([&'static str; 3]),
    /// Stacked in one weight.
    Joined(&'static str),
}

/// Which products of a layer have a bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Biases {
    /// The projections to queries, keys and values.
    pub(crate) projections: bool,
    /// All others.
    pub(crate) rest: bool,
}

impl Biases {
    /// All products, or none.
    pub(crate) fn all(all: bool) -> Self {
        Biases { projections: all, rest: all }
    }
}
