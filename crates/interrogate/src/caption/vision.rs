//! The image tower: a vision transformer with one state per patch.
//!
//! BLIP and BLIP-2 (with the weights of EVA's ViT-g) have the same layout and weight names:
//! `modeling_blip_2.py` of transformers 5.23, `Blip2VisionModel`. GIT has the names of CLIP, and
//! CLIP's norm before the layers: `modeling_git.py` of transformers 5.24, `GitVisionModel`.

use std::path::Path;

use serde::Deserialize;

#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Activation, Backend, Biases, Kv, Loader, PatchEmbedding, Patches, PreNormLayers, PreNormNames,
    PreNormSizes, Projections, Scope, Workspace,
};
use crate::{Result, limits, sizes};

/// The `vision_config` of config.json. Old files lack values that equal the defaults of their
/// model; `blip` and `blip2` have these defaults.
#[derive(Clone, Debug)]
pub(super) struct VisionConfig {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) image_size: usize,
    pub(super) patch_size: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
    pub(super) qkv_bias: bool,
}

/// A `vision_config` as written, where every key is optional.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawVisionConfig {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    image_size: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    patch_size: Option<usize>,
    hidden_act: Option<Activation>,
    layer_norm_eps: Option<f64>,
    qkv_bias: Option<bool>,
}

impl VisionConfig {
    /// Replaces these defaults by the keys that `raw` has.
    pub(super) fn overridden_by(self, raw: RawVisionConfig) -> Self {
        VisionConfig {
            hidden_size: raw.hidden_size.unwrap_or(self.hidden_size),
            intermediate_size: raw.intermediate_size.unwrap_or(self.intermediate_size),
            num_hidden_layers: raw.num_hidden_layers.unwrap_or(self.num_hidden_layers),
            num_attention_heads: raw.num_attention_heads.unwrap_or(self.num_attention_heads),
            image_size: raw.image_size.unwrap_or(self.image_size),
            patch_size: raw.patch_size.unwrap_or(self.patch_size),
            hidden_act: raw.hidden_act.unwrap_or(self.hidden_act),
            layer_norm_eps: raw.layer_norm_eps.unwrap_or(self.layer_norm_eps),
            qkv_bias: raw.qkv_bias.unwrap_or(self.qkv_bias),
        }
    }

    /// Validates the sizes.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for unsupported or inconsistent sizes.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        sizes::within(path, "vision_config.hidden_size", width, limits::WIDTH)?;
        let inner = (self.intermediate_size, width);
        sizes::inner(path, "vision_config.intermediate_size", inner, limits::INNER)?;
        let layers = self.num_hidden_layers;
        sizes::within(path, "vision_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::within(path, "vision_config.image_size", self.image_size, limits::IMAGE_SIDE)?;
        sizes::divides(path, "vision_config.num_attention_heads", heads, width)?;
        sizes::divides(path, "vision_config.patch_size", self.patch_size, self.image_size)?;
        sizes::scores(path, "vision_config.image_size", heads, [self.positions(); 2])?;
        sizes::epsilon(path, "vision_config.layer_norm_eps", self.layer_norm_eps)
    }

    /// Returns the number of states per image, the class token included.
    pub(super) fn positions(&self) -> usize {
        1 + self.patches().count()
    }

    /// Returns how an image is split into patches.
    pub(super) fn patches(&self) -> Patches {
        Patches { channels: 3, image: self.image_size, patch: self.patch_size }
    }
}

/// The names and shapes of a tower's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Blip,
    Git,
}

/// The tower.
#[derive(Debug)]
pub(super) struct Vision<B: Backend> {
    embeddings: PatchEmbedding<B>,
    /// A norm of the embeddings.
    pre_norm: Option<B::Norm>,
    layers: PreNormLayers<B>,
    post_layernorm: B::Norm,
}

const BLIP: PreNormNames = PreNormNames {
    attention: Projections::Joined("self_attn.qkv"),
    out: "self_attn.projection",
    ..PreNormNames::HUGGING_FACE
};

impl<B: Backend> Vision<B> {
    /// Loads the weights of `layout`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &VisionConfig,
        layout: Layout,
    ) -> Result<Self> {
        let (width, patches) = (config.hidden_size, config.patches());
        let sizes = PreNormSizes {
            width,
            inner: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: config.hidden_act,
        };
        let (prefix, names) = match layout {
            Layout::Blip => ("vision_model", &BLIP),
            Layout::Git => ("git.image_encoder.vision_model", &PreNormNames::HUGGING_FACE),
        };
        let at = |name: &str| format!("{prefix}.{name}");
        let (positions, table) = (config.positions(), "embeddings.position_embedding");
        // GIT's tables have no dimension for the batch.
        let (class, table, positions) = match layout {
            Layout::Blip => (vec![1, 1, width], at(table), vec![1, positions, width]),
            Layout::Git => (vec![width], at(&format!("{table}.weight")), vec![positions, width]),
        };
        let patch_embedding = [width, patches.channels, patches.patch];
        let layers = PreNormLayers::new(&sizes, |number| {
            let at = |name: &str| at(&format!("encoder.layers.{number}.{name}"));
            loader.pre_norm(&sizes, names, at, Biases { projections: config.qkv_bias, rest: true })
        });
        let norm = |name: &str| loader.layer_norm(&at(name), width, sizes.eps);
        let pre_norm = (layout == Layout::Git).then(|| norm("pre_layrnorm"));
        Ok(Vision {
            embeddings: PatchEmbedding {
                patches,
                patch_embedding: loader.patch_embedding(
                    &at("embeddings.patch_embedding"),
                    patch_embedding,
                    layout == Layout::Blip,
                )?,
                class_embedding: Some(loader.rows(&at("embeddings.class_embedding"), &class)?),
                position_embedding: loader.rows(&table, &positions)?,
            },
            pre_norm: pre_norm.transpose()?,
            layers: layers?,
            post_layernorm: norm("post_layernorm")?,
        })
    }

    /// Values per image.
    pub(super) fn pixels(&self) -> usize {
        self.embeddings.patches.pixels()
    }

    /// Computes the states (images * positions, width) of `pixels` (images, 3, height, width).
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        pixels: &[f32],
    ) -> Result<B::Rows> {
        let images = self.embeddings.forward(backend, work, pixels)?;
        if let Some(norm) = &self.pre_norm {
            backend.normalize(norm, &work.rows, &mut work.next)?;
            std::mem::swap(&mut work.rows, &mut work.next);
        }
        let scope = backend.scope(Scope::Groups(images))?;
        self.layers.forward(backend, work, &scope, &mut Kv::None, None)?;
        let mut states = B::Rows::default();
        backend.normalize(&self.post_layernorm, &work.rows, &mut states)?;
        Ok(states)
    }
}
