//! Transformer layers that several models share.

mod patch_embedding;
mod post_norm;
mod pre_norm;

pub(crate) use patch_embedding::PatchEmbedding;
pub(crate) use post_norm::{Attention, PostNormLayer};
pub(crate) use pre_norm::{PreNormLayer, PreNormLayers, PreNormSizes, Readout};
