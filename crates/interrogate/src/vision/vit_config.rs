//! The sizes and parts of a vision transformer.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::conv_stem;
use super::head::Head;
use crate::nn::{Activation, Biases, PreNormNames, PreNormSizes};
use crate::weights::Shapes;
use crate::{Result, limits, sizes};

/// The width of the MLP of attention pooling with heads of its own, for each of the transformer's.
const POOL_INNER: usize = 4;

/// The sizes of a vision transformer, by the names of `config.json`. The defaults are those of
/// `CLIPVisionConfig` in transformers 5.23.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the checkpoint's own names")]
pub struct VitConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_channels: usize,
    #[serde(deserialize_with = "sizes::side")]
    pub image_size: usize,
    #[serde(deserialize_with = "sizes::side")]
    pub patch_size: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
    /// The parts, which follow from the architecture.
    #[serde(skip)]
    pub parts: VitParts,
}

/// The parts in which vision transformers differ. The default is CLIP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VitParts {
    /// Whether a learned row is put before the patches.
    pub class_token: bool,
    /// Whether three convolutions replace the patch embedding; then the class token, which there
    /// is, has no position embedding.
    pub conv_stem: bool,
    /// Whether the patch embedding has a bias.
    pub patch_bias: bool,
    /// Whether there is a norm before the first layer.
    pub pre_norm: bool,
    /// How the rows of an image become one.
    pub pooling: Pooling,
    /// The product after pooling.
    pub head: Head,
    /// The patches along a side of the grid that rotary positions are scaled to; `None` without
    /// rotary position embedding.
    pub rotary_grid: Option<usize>,
    /// The heads of attention pooling, whose MLP is then four times as wide as the transformer;
    /// `None` if both are as in the layers.
    pub pool_heads: Option<usize>,
}

/// How the normalized rows of an image become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pooling {
    /// The row of the class token.
    ClassToken,
    /// The mean of all rows.
    Mean,
    /// Attention of a learned query to all rows, and an MLP (SigLIP's `MAP` head).
    Attention,
}

impl Default for VitParts {
    fn default() -> Self {
        VitParts {
            class_token: true,
            conv_stem: false,
            patch_bias: false,
            pre_norm: true,
            pooling: Pooling::ClassToken,
            head: Head::Projection,
            rotary_grid: None,
            pool_heads: None,
        }
    }
}

impl VitParts {
    /// SigLIP's parts.
    pub(crate) const SIGLIP: VitParts = VitParts {
        class_token: false,
        conv_stem: false,
        patch_bias: true,
        pre_norm: false,
        pooling: Pooling::Attention,
        head: Head::None,
        rotary_grid: None,
        pool_heads: None,
    };
}

impl Default for VitConfig {
    fn default() -> Self {
        VitConfig {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            parts: VitParts::default(),
        }
    }
}

impl VitConfig {
    /// Returns the number of patches along one side of the image. A remainder smaller than
    /// a patch is dropped, as a convolution with that stride does.
    pub fn grid(&self) -> usize {
        self.image_size.checked_div(self.patch_size).unwrap_or(0)
    }

    /// Returns the number of positions: every patch, and the class token if there is one.
    pub fn positions(&self) -> usize {
        self.grid() * self.grid() + usize::from(self.parts.class_token)
    }

    /// Returns the number of position embeddings.
    pub(super) fn position_embeddings(&self) -> usize {
        let parts = self.parts;
        self.grid() * self.grid() + usize::from(parts.class_token && !parts.conv_stem)
    }

    /// Returns the sizes of the layers. `path` is the file of the configuration.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for an unsupported activation.
    pub(super) fn layers(&self, path: &Path) -> Result<PreNormSizes> {
        Ok(PreNormSizes {
            width: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            eps: self.layer_norm_eps,
            activation: Activation::of_config(&self.hidden_act, path)?,
        })
    }

    /// Returns the sizes of attention pooling, where the layers have `sizes`.
    pub(super) fn pool(&self, sizes: &PreNormSizes) -> PreNormSizes {
        match self.parts.pool_heads {
            Some(heads) => PreNormSizes { heads, inner: POOL_INNER * sizes.width, ..*sizes },
            None => *sizes,
        }
    }

    /// Returns the name and shape of every weight, in Hugging Face's layout.
    pub(super) fn weights(&self, dim: usize) -> Shapes {
        let VitConfig { hidden_size: width, intermediate_size: inner, patch_size: patch, .. } =
            *self;
        let parts = self.parts;
        let at = |name: &str| format!("vision_model.{name}");
        let mut shapes = Shapes::default();
        if parts.class_token {
            shapes.add(at("embeddings.class_embedding"), &[width]);
        }
        if parts.conv_stem {
            conv_stem::shapes(&mut shapes, width);
        } else {
            let patch_embedding = [width, self.num_channels, patch, patch];
            shapes.layer(&at("embeddings.patch_embedding"), &patch_embedding, parts.patch_bias);
        }
        let positions = [self.position_embeddings(), width];
        shapes.add(at("embeddings.position_embedding.weight"), &positions);
        if parts.pre_norm {
            shapes.layer(&at("pre_layrnorm"), &[width], true); // the checkpoints' spelling
        }
        for number in 0..self.num_hidden_layers {
            let at = |name: &str| at(&format!("encoder.layers.{number}.{name}"));
            let names = &PreNormNames::HUGGING_FACE;
            shapes.extend(names.shapes([width, inner], at, Biases::all(true)));
        }
        shapes.layer(&at("post_layernorm"), &[width], true);
        if parts.pooling == Pooling::Attention {
            let inner = parts.pool_heads.map_or(inner, |_| POOL_INNER * width);
            super::attention_pool::shapes(&mut shapes, [width, inner]);
        }
        parts.head.add_shapes(&mut shapes, "visual_projection", [dim, width]);
        shapes
    }

    /// Checks the sizes. The limits are several times the sizes of the largest known tower
    /// (bigG: 1,664 wide, 48 layers), and low enough that no product of three of them
    /// overflows.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for an invalid size.
    pub(super) fn check(&self, path: &Path, dim: usize) -> Result<()> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        let inner = (self.intermediate_size, width);
        sizes::within(path, "vision_config.hidden_size", width, limits::WIDTH)?;
        sizes::inner(path, "vision_config.intermediate_size", inner, limits::INNER)?;
        let layers = self.num_hidden_layers;
        sizes::within(path, "vision_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::divides(path, "vision_config.num_attention_heads", heads, width)?;
        sizes::only(path, "vision_config.num_channels", Some(&self.num_channels), 3)?;
        if self.parts.conv_stem {
            sizes::only(path, "the patch of a stem", Some(&self.patch_size), conv_stem::PATCH)?;
            sizes::divides(path, "the stem's share of channels", 4, width)?;
        }
        if let Some(heads) = self.parts.pool_heads {
            sizes::divides(path, "the heads of the pool", heads, width)?;
        }
        if let Some(grid) = self.parts.rotary_grid {
            sizes::within(path, "the grid of rotary positions", grid, limits::IMAGE_SIDE)?;
            // A head has pairs for columns and as many for rows.
            sizes::divides(path, "vision_config.num_attention_heads", 4, width / heads)?;
        }
        let side = self.image_size;
        sizes::within(path, "vision_config.image_size", side, limits::IMAGE_SIDE)?;
        sizes::within(path, "vision_config.patch_size", self.patch_size, side)?;
        let what = "vision_config.image_size";
        sizes::scores(path, what, heads, [self.positions(); 2])?;
        sizes::epsilon(path, "layer_norm_eps", self.layer_norm_eps)?;
        match self.parts.head {
            Head::None => sizes::only(path, "projection_dim", Some(&dim), width)?,
            _ => sizes::inner(path, "projection_dim", (dim, width), limits::INNER)?,
        }
        self.layers(path).map(|_| ())
    }
}
