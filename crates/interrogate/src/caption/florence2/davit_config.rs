//! `vision_config` of Florence-2: the sizes of a DaViT.

use std::path::Path;

use serde::Deserialize;

use crate::nn::{Activation, ConvolutionSizes};
use crate::{Error, Result, limits, sizes};

/// `vision_config`. Lists have a value for each stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(in crate::caption) struct DavitConfig {
    in_channels: usize,
    pub(super) depths: Vec<usize>,
    patch_size: Vec<usize>,
    patch_stride: Vec<usize>,
    patch_padding: Vec<usize>,
    pub(super) patch_prenorm: Vec<bool>,
    #[serde(alias = "dim_embed")]
    pub(in crate::caption) embed_dim: Vec<usize>,
    pub(super) num_heads: Vec<usize>,
    pub(super) num_groups: Vec<usize>,
    pub(super) window_size: usize,
    mlp_ratio: f64,
    pub(super) qkv_bias: bool,
    pub(super) activation_function: Activation,
    pub(super) projection_dim: usize,
    max_position_embeddings: usize,
    max_temporal_embeddings: usize,
    /// microsoft's keys for the two above.
    image_pos_embed: Option<ImagePositions>,
    visual_temporal_embedding: Option<TemporalPositions>,
    image_feature_source: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct ImagePositions {
    r#type: String,
    max_pos_embeddings: usize,
}

#[derive(Clone, Debug, Deserialize)]
struct TemporalPositions {
    r#type: String,
    max_temporal_embeddings: usize,
}

impl Default for DavitConfig {
    fn default() -> Self {
        DavitConfig {
            in_channels: 3,
            depths: vec![1, 1, 9, 1],
            patch_size: vec![7, 3, 3, 3],
            patch_stride: vec![4, 2, 2, 2],
            patch_padding: vec![3, 1, 1, 1],
            patch_prenorm: vec![false, true, true, true],
            embed_dim: vec![128, 256, 512, 1024],
            num_heads: vec![4, 8, 16, 32],
            num_groups: vec![4, 8, 16, 32],
            window_size: 12,
            mlp_ratio: 4.0,
            qkv_bias: true,
            activation_function: Activation::Gelu,
            projection_dim: 1024,
            max_position_embeddings: 50,
            max_temporal_embeddings: 100,
            image_pos_embed: None,
            visual_temporal_embedding: None,
            image_feature_source: None,
        }
    }
}

impl DavitConfig {
    /// Number of stages, at least one.
    pub(super) fn stages(&self) -> usize {
        self.embed_dim.len()
    }

    /// Width of the last stage.
    pub(in crate::caption) fn dim(&self) -> usize {
        self.embed_dim.last().copied().unwrap_or(0)
    }

    /// Width of the inner layer of an MLP after rows of `width`.
    pub(super) fn inner(&self, width: usize) -> usize {
        (width as f64 * self.mlp_ratio) as usize
    }

    /// Rows of each of the tables of positions along a side.
    pub(super) fn positions(&self) -> usize {
        let other = self.image_pos_embed.as_ref().map(|table| table.max_pos_embeddings);
        other.unwrap_or(self.max_position_embeddings)
    }

    /// Rows of the table of positions in time.
    pub(super) fn temporal_positions(&self) -> usize {
        let other = self.visual_temporal_embedding.as_ref();
        other.map_or(self.max_temporal_embeddings, |table| table.max_temporal_embeddings)
    }

    /// The convolution at the start of a stage.
    pub(super) fn convolution(&self, stage: usize) -> ConvolutionSizes {
        ConvolutionSizes {
            outputs: self.embed_dim[stage],
            channels: stage.checked_sub(1).map_or(self.in_channels, |last| self.embed_dim[last]),
            kernel: self.patch_size[stage],
            stride: self.patch_stride[stage],
            padding: self.patch_padding[stage],
        }
    }

    /// Returns the sides of the feature maps of each stage, for images of `side` by `side`
    /// pixels.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a map has no pixels, too many values or, after the last stage, more
    /// pixels along a side than the table of positions.
    pub(in crate::caption) fn sides(&self, path: &Path, mut side: usize) -> Result<Vec<usize>> {
        let mut sides = Vec::with_capacity(self.stages());
        for (stage, &width) in self.embed_dim.iter().enumerate() {
            side = self.convolution(stage).window(side).outputs();
            let what = "vision_config.patch_stride";
            sizes::within(path, what, side, limits::IMAGE_SIDE)?;
            let values = side * side * width; // 2^34 at most
            if values > limits::FEATURE_MAP {
                let expected = format!("feature maps of at most {} values", limits::FEATURE_MAP);
                let found = format!("{side} x {side} x {width}");
                return Err(Error::mismatch(path, what, expected, found));
            }
            sides.push(side);
        }
        sizes::within(path, "vision_config.patch_stride", side, self.positions())?;
        Ok(sides)
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let stages = self.stages();
        sizes::within(path, "vision_config.embed_dim", stages, limits::LAYERS)?;
        sizes::only(path, "vision_config.in_channels", Some(&self.in_channels), 3)?;
        for (what, found) in [
            ("vision_config.depths", self.depths.len()),
            ("vision_config.patch_size", self.patch_size.len()),
            ("vision_config.patch_stride", self.patch_stride.len()),
            ("vision_config.patch_padding", self.patch_padding.len()),
            ("vision_config.patch_prenorm", self.patch_prenorm.len()),
            ("vision_config.num_heads", self.num_heads.len()),
            ("vision_config.num_groups", self.num_groups.len()),
        ] {
            if found != stages {
                let expected = format!("{stages} values, as embed_dim has");
                return Err(Error::mismatch(path, what, expected, found));
            }
        }
        if !(self.mlp_ratio >= 1.0 && self.mlp_ratio <= limits::INNER as f64) {
            let expected = format!("1 to {}", limits::INNER);
            return Err(Error::mismatch(path, "vision_config.mlp_ratio", expected, self.mlp_ratio));
        }
        let window = self.window_size;
        sizes::within(path, "vision_config.window_size", window, limits::IMAGE_SIDE)?;
        for stage in 0..stages {
            let (width, kernel) = (self.embed_dim[stage], self.patch_size[stage]);
            sizes::within(path, "vision_config.embed_dim", width, limits::WIDTH)?;
            sizes::within(path, "vision_config.depths", self.depths[stage], limits::LAYERS)?;
            sizes::divides(path, "vision_config.num_heads", self.num_heads[stage], width)?;
            sizes::divides(path, "vision_config.num_groups", self.num_groups[stage], width)?;
            sizes::within(path, "vision_config.patch_size", kernel, limits::PATCH)?;
            sizes::within(path, "vision_config.patch_stride", self.patch_stride[stage], kernel)?;
            if self.patch_padding[stage] >= kernel {
                let (expected, found) = (format!("below {kernel}"), self.patch_padding[stage]);
                return Err(Error::mismatch(path, "vision_config.patch_padding", expected, found));
            }
            let (what, heads) = ("vision_config.window_size", self.num_heads[stage]);
            sizes::scores(path, what, heads, [window * window; 2])?;
            let (what, groups) = ("vision_config.num_groups", self.num_groups[stage]);
            sizes::scores(path, what, groups, [width / groups; 2])?;
        }
        sizes::within(path, "vision_config.projection_dim", self.projection_dim, limits::WIDTH)?;
        let (what, along) = ("vision_config.max_position_embeddings", self.positions());
        sizes::within(path, what, along, limits::POSITIONS)?;
        let (what, frames) = ("vision_config.max_temporal_embeddings", self.temporal_positions());
        sizes::within(path, what, frames, limits::POSITIONS)?;
        let kind = self.image_pos_embed.as_ref().map(|table| &table.r#type);
        let what = "vision_config.image_pos_embed.type";
        sizes::only(path, what, kind, "learned_abs_2d".to_owned())?;
        let kind = self.visual_temporal_embedding.as_ref().map(|table| &table.r#type);
        let what = "vision_config.visual_temporal_embedding.type";
        sizes::only(path, what, kind, "COSINE".to_owned())?;
        let source = self.image_feature_source.as_ref().map(|parts| parts.join(", "));
        let expected = "spatial_avg_pool, temporal_avg_pool".to_owned();
        sizes::only(path, "vision_config.image_feature_source", source.as_ref(), expected)
    }
}
