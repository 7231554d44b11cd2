//! EVA's image towers: EVA01-CLIP's, EVA02-CLIP's, and those of classifiers with the same blocks.
//!
//! Follows `Eva` of timm 1.0.31 (timm/models/eva.py), under timm's names of the weights. EVA-02
//! adds rotary position embedding to learned positions.

mod block;
mod config;
mod names;
#[cfg(test)]
mod tests;

pub use config::EvaConfig;
use config::{EPS, Pool};

use block::{EvaBlock, Shared};

use super::head::{download, first_rows};
use super::image_tower::ImageTower;
use crate::Result;
use crate::nn::{Backend, Heads, Loader, PatchEmbedding, Patches, Rotary, Scope, Span, Workspace};

/// An image tower over one backend.
#[derive(Debug)]
pub(super) struct EvaTower<B: Backend> {
    embeddings: PatchEmbedding<B>,
    blocks: Vec<EvaBlock<B>>,
    heads: Heads,
    rotary: Option<B::Rotary>,
    pool: Pool,
    /// The norm before the head.
    norm: B::Norm,
    head: B::Linear,
}

impl<B: Backend> EvaTower<B> {
    pub(super) fn load(loader: &Loader<'_, B>, config: &EvaConfig, dim: usize) -> Result<Self> {
        let (backend, width, head) = (loader.backend, config.embed_dim, config.head());
        backend.warm_up(width, head);
        let patches = config.patches();
        let shape = [width, patches.channels, patches.patch];
        let rotary = config
            .ref_feat_shape
            .map(|reference| backend.rotary(Rotary::of_patches(config.grid(), reference, head)));
        let block = |number: usize| {
            EvaBlock::load(loader, config, |name| format!("blocks.{number}.{name}"))
        };
        Ok(EvaTower {
            embeddings: PatchEmbedding {
                patches,
                patch_embedding: loader.patch_embedding("patch_embed.proj", shape, true)?,
                class_embedding: Some(loader.rows("cls_token", &[1, 1, width])?),
                position_embedding: loader.rows("pos_embed", &[1, config.positions(), width])?,
            },
            blocks: (0..config.depth).map(block).collect::<Result<_>>()?,
            heads: Heads::scaled(config.num_heads, width),
            rotary: rotary.transpose()?,
            pool: config.pool,
            norm: loader.layer_norm(config.last_norm(), width, EPS)?,
            head: loader.linear("head", [dim, width])?,
        })
    }
}

impl<B: Backend> ImageTower<B> for EvaTower<B> {
    fn forward(&self, backend: &B, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>> {
        let images = self.embeddings.forward(backend, work, pixels)?;
        let positions = self.embeddings.positions();
        let class = backend.ids(&first_rows(images, positions))?;
        let scope = backend.scope(Scope::Groups(images))?;
        let rotary = self.rotary.as_ref();
        let shared = Shared { heads: self.heads, rotary, scope: &scope };
        for (number, block) in self.blocks.iter().enumerate() {
            let last = number + 1 == self.blocks.len() && self.pool == Pool::Token;
            block.forward(backend, work, &shared, last.then_some(&class))?;
        }
        let Workspace { rows, next, normed, .. } = work;
        if self.pool == Pool::Average {
            backend.means(rows, &backend.scope(patch_spans(images, positions))?, next)?;
            std::mem::swap(rows, next);
        }
        backend.normalize(&self.norm, rows, normed)?;
        download(backend, Some(&self.head), normed)
    }
}

/// The rows of the patches of each image, without its class token.
fn patch_spans(images: usize, positions: usize) -> Scope {
    let span = |image| Span {
        queries: image..image + 1,
        rows: image * positions + 1..(image + 1) * positions,
    };
    Scope::Spans((0..images).map(span).collect())
}

impl EvaConfig {
    /// The shape of the tower's input.
    pub(crate) fn patches(&self) -> Patches {
        Patches { channels: 3, image: self.img_size, patch: self.patch_size }
    }
}
