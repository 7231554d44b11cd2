//! The vision transformer: CLIP's, SigLIP's and the taggers'.
//!
//! Follows `CLIPVisionModel` and `SiglipVisionModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py, siglip/modeling_siglip.py). Patches do not
//! overlap, so their convolution is a matrix product over patches laid out as rows.

use super::attention_pool::AttentionPool;
use super::conv_stem::ConvStem;
use super::head::{download, first_rows};
use super::image_tower::ImageTower;
use super::mean_pixel;
use super::vit_config::{Pooling, VitConfig};
use crate::Result;
use crate::nn::{
    Backend, Kv, Loader, PatchEmbedding, Patches, PreNormLayers, Readout, Rotary, Scope, Workspace,
};

/// The tower.
#[derive(Debug)]
pub(super) struct Vit<B: Backend> {
    embeddings: Embeddings<B>,
    pre_norm: Option<B::Norm>,
    layers: PreNormLayers<B>,
    post_norm: B::Norm,
    pool: Pool<B>,
    head: Option<B::Linear>,
}

/// How an image becomes rows.
#[derive(Debug)]
enum Embeddings<B: Backend> {
    Patches(PatchEmbedding<B>),
    Stem(ConvStem<B>),
}

impl<B: Backend> Embeddings<B> {
    /// Returns the number of rows per image.
    fn positions(&self) -> usize {
        match self {
            Embeddings::Patches(patches) => patches.positions(),
            Embeddings::Stem(stem) => stem.positions(),
        }
    }

    /// Embeds images into the rows of `work`. Returns their number.
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<usize> {
        match self {
            Embeddings::Patches(patches) => patches.forward(backend, work, pixels),
            Embeddings::Stem(stem) => stem.forward(backend, work, pixels),
        }
    }
}

/// How the rows of an image become one.
#[derive(Debug)]
enum Pool<B: Backend> {
    ClassToken,
    Mean,
    Attention(AttentionPool<B>),
}

impl<B: Backend> Vit<B> {
    pub(super) fn load(loader: &Loader<'_, B>, config: &VitConfig, dim: usize) -> Result<Self> {
        let (sizes, parts) = (config.layers(loader.weights.path())?, config.parts);
        let width = sizes.width;
        let patches = Patches {
            channels: config.num_channels,
            image: config.image_size,
            patch: config.patch_size,
        };
        let at = |name: &str| format!("vision_model.{name}");
        let embedding = |name: &str| at(&format!("embeddings.{name}"));
        let norm = |name: &str| loader.layer_norm(&at(name), width, sizes.eps);
        let class_embedding = parts
            .class_token
            .then(|| loader.rows(&embedding("class_embedding"), &[width]))
            .transpose()?;
        let positions = [config.position_embeddings(), width];
        let position_embedding =
            loader.rows(&embedding("position_embedding.weight"), &positions)?;
        let rotary = parts.rotary_grid.map(|reference| {
            let head = width / sizes.heads.max(1);
            let (grid, class_token) = (config.grid(), parts.class_token);
            loader.backend.rotary(Rotary::of_columns(grid, reference, class_token, head))
        });
        let rotary = rotary.transpose()?;
        let embeddings = match class_embedding {
            Some(class_embedding) if parts.conv_stem => {
                let rows = [position_embedding, class_embedding];
                Embeddings::Stem(ConvStem::load(loader, config.image_size, width, rows)?)
            }
            class_embedding => Embeddings::Patches(PatchEmbedding {
                patch_embedding: loader.patch_embedding(
                    &embedding("patch_embedding"),
                    [width, patches.channels, patches.patch],
                    parts.patch_bias,
                )?,
                class_embedding,
                position_embedding,
                patches,
            }),
        };
        Ok(Vit {
            embeddings,
            pre_norm: parts.pre_norm.then(|| norm("pre_layrnorm")).transpose()?,
            layers: PreNormLayers {
                rotary,
                ..loader.pre_norm_layers("vision_model.encoder", &sizes)?
            },
            post_norm: norm("post_layernorm")?,
            pool: match parts.pooling {
                Pooling::ClassToken => Pool::ClassToken,
                Pooling::Mean => Pool::Mean,
                Pooling::Attention => {
                    Pool::Attention(AttentionPool::load(loader, &config.pool(&sizes))?)
                }
            },
            head: parts.head.load(loader, "visual_projection", [dim, width])?,
        })
    }

    /// Pools the normalized rows of `work`, and leaves one row per image in its place.
    fn pool(&self, backend: &B, work: &mut Workspace<B>, images: usize) -> Result<()> {
        let Workspace { normed, next, .. } = work;
        match &self.pool {
            Pool::ClassToken => return Ok(()),
            Pool::Mean => {
                let of_image = self.embeddings.positions();
                mean_pixel(backend, normed, images, of_image, next)?;
            }
            Pool::Attention(pool) => return pool.forward(backend, work, images),
        }
        std::mem::swap(normed, next);
        Ok(())
    }
}

impl<B: Backend> ImageTower<B> for Vit<B> {
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>> {
        let images = self.embeddings.forward(backend, work, pixels)?;
        if let Some(norm) = &self.pre_norm {
            backend.normalize(norm, &work.rows, &mut work.next)?;
            std::mem::swap(&mut work.rows, &mut work.next);
        }
        let readout = match self.pool {
            Pool::ClassToken => {
                let class = first_rows(images, self.embeddings.positions());
                Some(Readout::groups(backend, images, &class)?)
            }
            _ => None,
        };
        let scope = backend.scope(Scope::Groups(images))?;
        self.layers.forward(backend, work, &scope, &mut Kv::None, readout.as_ref())?;
        backend.normalize(&self.post_norm, &work.rows, &mut work.normed)?;
        self.pool(backend, work, images)?;
        download(backend, self.head.as_ref(), &mut work.normed)
    }
}
