//! The sizes of EVA's image towers, by timm's names.
//!
//! The sizes are those of timm 1.0.31 (timm/models/eva.py).

use std::path::Path;

use crate::weights::Weights;
use crate::{Result, limits, sizes};

/// The sizes of a tower, by the names of timm's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "timm's own names")]
pub struct EvaConfig {
    pub img_size: usize,
    pub patch_size: usize,
    pub embed_dim: usize,
    pub depth: usize,
    pub num_heads: usize,
    /// Width of the inner layer of an MLP.
    pub mlp_hidden: usize,
    pub(crate) pool: Pool,
    pub(crate) layout: Layout,
    /// Patches along a side of the grid that rotary positions are scaled to; `None` without
    /// rotary position embedding.
    pub(crate) ref_feat_shape: Option<usize>,
}

/// How an output row is read from the rows of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// The class token, normalized with all other rows.
    Token,
    /// The mean of the patches, then normalized.
    Average,
}

/// The parts of a block, by its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// EVA: stacked projections and an MLP with GELU; norms before each branch.
    Eva,
    /// EVA-02-CLIP-E: as EVA, with norms after each branch.
    PostNorm,
    /// EVA-02: separate projections and a gated MLP with a norm.
    Eva02 {
        /// Whether the output of attention is normalized, as in EVA-02-CLIP.
        scale_attn_inner: bool,
    },
}

/// Patches along a side of the image of EVA-02's pre-training.
const REFERENCE_GRID: usize = 16;

/// The epsilon of all norms.
pub(super) const EPS: f64 = 1e-6;

impl EvaConfig {
    /// Returns the sizes of the architecture that timm calls `name`, or `None` if
    /// it is not one of these.
    pub fn named(name: &str) -> Option<Self> {
        let clip = Layout::Eva02 { scale_attn_inner: true };
        let plain = Layout::Eva02 { scale_attn_inner: false };
        // Of an EVA-02, the inner width is 8/3 of the outer one, rounded down.
        let (img_size, patch_size, embed_dim, depth, num_heads, mlp_hidden, layout) = match name {
            "eva_giant_patch14_224" | "eva_giant_patch14_clip_224" => {
                (224, 14, 1408, 40, 16, 6144, Layout::Eva)
            }
            "eva02_base_patch16_clip_224" => (224, 16, 768, 12, 12, 2048, clip),
            "eva02_large_patch14_clip_224" => (224, 14, 1024, 24, 16, 2730, clip),
            "eva02_large_patch14_clip_336" => (336, 14, 1024, 24, 16, 2730, clip),
            "eva02_enormous_patch14_clip_224" => (224, 14, 1792, 64, 16, 15360, Layout::PostNorm),
            "eva02_large_patch14_448" => (448, 14, 1024, 24, 16, 2730, plain),
            _ => return None,
        };
        let pool = if name.contains("_clip_") { Pool::Token } else { Pool::Average };
        let rotary = matches!(layout, Layout::Eva02 { .. });
        let ref_feat_shape = rotary.then_some(REFERENCE_GRID);
        Some(EvaConfig {
            img_size,
            patch_size,
            embed_dim,
            depth,
            num_heads,
            mlp_hidden,
            pool,
            layout,
            ref_feat_shape,
        })
    }

    /// Returns these sizes with rows of the class token, or of the mean of the patches.
    pub(crate) fn pooling_token(self, token: bool) -> Self {
        EvaConfig { pool: if token { Pool::Token } else { Pool::Average }, ..self }
    }

    /// Returns these sizes with rotary positions scaled to a grid of `reference`, if it is given.
    pub(crate) fn with_reference(self, reference: Option<usize>) -> Self {
        EvaConfig { ref_feat_shape: reference.or(self.ref_feat_shape), ..self }
    }

    /// Returns these sizes with those that follow from the shapes of `weights`, where the tower's
    /// names have `prefix` before them. Sizes without a weight stay, so that a check of all
    /// shapes reports what is missing. Heads keep their width.
    pub fn with_sizes_of(self, weights: &Weights, prefix: &str) -> Self {
        let shape = |name: &str| weights.shape(&format!("{prefix}{name}")).unwrap_or(&[]);
        let mut sizes = self;
        if let &[width, _, patch, _] = shape("patch_embed.proj.weight") {
            sizes.embed_dim = width;
            sizes.num_heads = width / self.head().max(1);
            sizes.patch_size = patch;
        }
        if let &[_, positions, _] = shape("pos_embed") {
            let grid = positions.saturating_sub(1).isqrt();
            if self.img_size.checked_div(sizes.patch_size) != Some(grid) {
                sizes.img_size = grid.saturating_mul(sizes.patch_size);
            }
        }
        if let &[_, inner] = shape("blocks.0.mlp.fc2.weight") {
            sizes.mlp_hidden = inner;
        }
        let blocks = |number: &usize| !shape(&format!("blocks.{number}.norm1.weight")).is_empty();
        match (0..=limits::LAYERS).take_while(blocks).count() {
            0 => sizes,
            depth => EvaConfig { depth, ..sizes },
        }
    }

    /// Values of an attention head.
    pub(crate) fn head(&self) -> usize {
        self.embed_dim / self.num_heads.max(1)
    }

    /// Patches along a side of the image.
    pub(crate) fn grid(&self) -> usize {
        self.img_size.checked_div(self.patch_size).unwrap_or(0)
    }

    /// Number of positions: the class token and every patch.
    pub fn positions(&self) -> usize {
        self.grid() * self.grid() + 1
    }

    /// Checks the sizes of a tower with rows of `dim` values against the limits. `path` is the
    /// file that states them.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for the first size that is not valid.
    pub(crate) fn check(&self, path: &Path, dim: usize) -> Result<()> {
        sizes::within(path, "embed_dim", self.embed_dim, limits::WIDTH)?;
        sizes::within(path, "depth", self.depth, limits::LAYERS)?;
        sizes::within(path, "img_size", self.img_size, limits::IMAGE_SIDE)?;
        sizes::within(path, "patch_size", self.patch_size, self.img_size)?;
        sizes::within(path, "num_heads", self.num_heads, self.embed_dim)?;
        sizes::divides(path, "num_heads", self.num_heads, self.embed_dim)?;
        sizes::inner(path, "mlp_ratio", (self.mlp_hidden, self.embed_dim), limits::INNER)?;
        sizes::within(path, "num_classes", dim, limits::VOCABULARY)?;
        let positions = self.positions();
        sizes::scores(path, "img_size", self.num_heads, [positions, positions])?;
        if let Some(reference) = self.ref_feat_shape {
            sizes::within(path, "ref_feat_shape", reference, limits::IMAGE_SIDE)?;
            // A head has pairs for rows and as many for columns.
            sizes::divides(path, "num_heads", 4, self.head())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        let good = EvaConfig::named("eva02_base_patch16_clip_224").unwrap();
        let path = Path::new("config.json");
        assert!(good.check(path, 512).is_ok());
        let bad = |change: fn(&mut EvaConfig), message: &str| {
            let mut config = good;
            change(&mut config);
            let found = config.check(path, 512).unwrap_err().to_string();
            assert!(found.contains(message), "{found}");
        };
        bad(|c| c.embed_dim = 1 << 20, "embed_dim: expected 1 to 16384");
        bad(|c| c.depth = 0, "depth: expected 1 to 256");
        bad(|c| c.img_size = 1 << 11, "img_size: expected 1 to 1024");
        bad(|c| c.patch_size = 0, "patch_size: expected 1 to 224");
        bad(|c| c.patch_size = 1, "attention scores");
        bad(|c| c.num_heads = 0, "num_heads: expected 1 to 768");
        bad(|c| c.num_heads = 7, "num_heads: expected a divisor of 768");
        bad(|c| c.num_heads = 384, "num_heads: expected a divisor of 2, found 4");
        bad(|c| c.mlp_hidden = 0, "mlp_ratio: expected 1 to 12288");
        bad(|c| c.ref_feat_shape = Some(0), "ref_feat_shape: expected 1 to 1024");
        let found = good.check(path, 0).unwrap_err().to_string();
        assert!(found.starts_with("config.json: num_classes: expected 1 to"), "{found}");
    }

    #[test]
    fn other_names_are_not_known() {
        for name in ["", "vit_base_patch16_224", "eva02_tiny_patch14_224"] {
            assert_eq!(EvaConfig::named(name), None, "{name}");
        }
    }
}
