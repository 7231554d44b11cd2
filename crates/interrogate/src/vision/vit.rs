//! The vision transformer: CLIP's, SigLIP's and the taggers'.
//!
//! Follows `CLIPVisionModel` and `SiglipVisionModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py, siglip/modeling_siglip.py). Patches do not
//! overlap, so their convolution is a matrix product over patches laid out as rows.

use super::attention_pool::AttentionPool;
use super::tower::ImageTower;
use super::vit_config::{Head, Pooling, VitConfig};
use crate::Result;
use crate::nn::{
    Backend, Epilogue, Kv, Loader, PatchEmbedding, Patches, PreNormLayers, Readout, Scope, Span,
    Workspace,
};

/// The tower.
#[derive(Debug)]
pub(super) struct Vit<B: Backend> {
    embeddings: PatchEmbedding<B>,
    pre_norm: Option<B::Norm>,
    layers: PreNormLayers<B>,
    post_norm: B::Norm,
    pool: Pool<B>,
    head: Option<B::Linear>,
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
        let positions = [config.positions(), width];
        Ok(Vit {
            embeddings: PatchEmbedding {
                patch_embedding: loader.patch_embedding(
                    &embedding("patch_embedding"),
                    [width, patches.channels, patches.patch],
                    parts.patch_bias,
                )?,
                class_embedding,
                position_embedding: loader
                    .rows(&embedding("position_embedding.weight"), &positions)?,
                patches,
            },
            pre_norm: parts.pre_norm.then(|| norm("pre_layrnorm")).transpose()?,
            layers: loader.pre_norm_layers("vision_model.encoder", &sizes)?,
            post_norm: norm("post_layernorm")?,
            pool: match parts.pooling {
                Pooling::ClassToken => Pool::ClassToken,
                Pooling::Mean => Pool::Mean,
                Pooling::Attention => Pool::Attention(AttentionPool::load(loader, &sizes)?),
            },
            head: match parts.head {
                Head::None => None,
                head => {
                    let bias = head == Head::BiasedProjection;
                    Some(loader.linear_if("visual_projection", [dim, width], bias)?)
                }
            },
        })
    }

    /// Pools the normalized rows of `work`, and leaves one row per image in its place.
    fn pool(&self, backend: &B, work: &mut Workspace<B>, images: usize) -> Result<()> {
        let Workspace { normed, next, .. } = work;
        match &self.pool {
            Pool::ClassToken => return Ok(()),
            Pool::Mean => {
                let of_image = self.embeddings.positions();
                let span = |image: usize| image * of_image..(image + 1) * of_image;
                let spans = (0..images)
                    .map(|image| Span { queries: image..image + 1, rows: span(image) })
                    .collect();
                backend.means(normed, &backend.scope(Scope::Spans(spans))?, next)?;
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
                let positions = self.embeddings.positions();
                let class: Vec<u32> = (0..images).map(|image| (image * positions) as u32).collect();
                Some(Readout::groups(backend, images, &class)?)
            }
            _ => None,
        };
        let scope = backend.scope(Scope::Groups(images))?;
        self.layers.forward(backend, work, &scope, &mut Kv::None, readout.as_ref())?;
        backend.normalize(&self.post_norm, &work.rows, &mut work.normed)?;
        self.pool(backend, work, images)?;
        match &self.head {
            Some(head) => {
                let mut rows = B::Rows::default();
                backend.apply(head, &work.normed, Epilogue::none(), &mut rows)?;
                backend.download(rows)
            }
            None => backend.download(std::mem::take(&mut work.normed)),
        }
    }
}
