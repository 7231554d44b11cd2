//! The sizes of a model, from the shapes of its weights.
//!
//! OpenAI's rule (clip/model.py, `build_model`): heads are 64 wide, and patches form a
//! square. Sizes that follow from no shape have OpenAI's values. The names of the weights are
//! those of transformers, under which `names` views them.

use crate::clip::config::TextConfig;
use crate::vision::{VitConfig, VitParts};
use crate::weights::Weights;
use crate::{Error, Result};

/// The scalar integers that OpenAI's archives have besides the weights.
pub(super) const SCALARS: [&str; 3] = ["input_resolution", "context_length", "vocab_size"];

/// The default width of a head.
pub(super) const HEAD_WIDTH: usize = 64;

/// Reads the sizes of the text tower, and the width of embeddings, from the shapes of `weights`.
///
/// # Errors
/// [`Error::Mismatch`] if the weights are not those of a transformer.
pub(super) fn text(weights: &Weights) -> Result<(TextConfig, usize)> {
    let shapes = Shapes { weights, model: "a text transformer", tower: "text_model" };
    let [vocab_size, width] = shapes.of("embeddings.token_embedding.weight")?;
    let [context_length, _] = shapes.of("embeddings.position_embedding.weight")?;
    // The configuration decides whether the projection may be missing.
    let has_projection = weights.contains("text_projection.weight");
    let projection = || shapes.whole("text_projection.weight").map(|[dim, _]: [usize; 2]| dim);
    let projection_dim = if has_projection { projection()? } else { width };
    let config = TextConfig {
        vocab_size,
        hidden_size: width,
        intermediate_size: shapes.inner()?,
        num_hidden_layers: shapes.layers(),
        num_attention_heads: width / HEAD_WIDTH,
        max_position_embeddings: context_length,
        ..TextConfig::default()
    };
    Ok((config, projection_dim))
}

/// Reads the sizes of a vision transformer with `parts` from the shapes of `weights`.
///
/// # Errors
/// [`Error::Mismatch`] if the weights are not those of one.
pub(super) fn vit(weights: &Weights, parts: VitParts) -> Result<VitConfig> {
    let shapes = Shapes { weights, model: "a vision transformer", tower: "vision_model" };
    let [width, channels, patch, _] = if parts.conv_stem {
        // Patches of 16 pixels, by three convolutions.
        [shapes.of::<1>("embeddings.class_embedding")?[0], 3, 16, 16]
    } else {
        shapes.of("embeddings.patch_embedding.weight")?
    };
    if parts.class_token {
        shapes.of::<1>("embeddings.class_embedding")?;
    }
    let has_class = parts.class_token && !parts.conv_stem;
    let grid = shapes.grid("embeddings.position_embedding.weight", has_class)?;
    Ok(VitConfig {
        hidden_size: width,
        intermediate_size: shapes.inner()?,
        num_hidden_layers: shapes.layers(),
        num_attention_heads: width / HEAD_WIDTH,
        num_channels: channels,
        image_size: grid.saturating_mul(patch),
        patch_size: patch,
        parts,
        ..VitConfig::default()
    })
}

/// Checks OpenAI's scalars, if there are any: `sizes` in the order of their names.
///
/// # Errors
/// [`Error::Mismatch`] if one differs.
pub(super) fn check_scalars(weights: &Weights, sizes: [usize; 3]) -> Result<()> {
    for (name, expected) in SCALARS.into_iter().zip(sizes) {
        let found = if weights.contains(name) { weights.integer(name)? } else { None };
        if let Some(found) = found.filter(|&found| usize::try_from(found) != Ok(expected)) {
            let expected = format!("{name} {expected} as in the shapes");
            return Err(Error::mismatch(weights.path(), "sizes", expected, found));
        }
    }
    Ok(())
}

/// The shapes of a tower.
pub(super) struct Shapes<'a> {
    pub(super) weights: &'a Weights,
    pub(super) model: &'static str,
    pub(super) tower: &'static str,
}

impl Shapes<'_> {
    /// Returns the shape of a required weight of the tower.
    pub(super) fn of<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        self.whole(&format!("{}.{name}", self.tower))
    }

    /// Returns the shape of the required weight `name`.
    fn whole<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let refuse = |found| {
            let expected = format!("{}'s {name} of {N} dimensions", self.model);
            Err(Error::mismatch(self.weights.path(), "architecture", expected, found))
        };
        match self.weights.shape(name) {
            Some(shape) => match shape.try_into() {
                Ok(shape) => Ok(shape),
                Err(_) => refuse(format!("{shape:?}")),
            },
            None => refuse("none".to_owned()),
        }
    }

    /// Returns the patches or pixels along a side, where the position embedding `name` has a row
    /// for each of them, and one more if `class_token`.
    pub(super) fn grid(&self, name: &str, class_token: bool) -> Result<usize> {
        let [positions, _] = self.of(name)?;
        let class = usize::from(class_token);
        let grid = positions.saturating_sub(class).isqrt();
        if positions < class || grid * grid != positions - class {
            let found = format!("{positions} for the position embedding of the image tower");
            let expected = if class_token { "a square number plus 1" } else { "a square number" };
            return Err(Error::mismatch(self.weights.path(), "positions", expected, found));
        }
        Ok(grid)
    }

    /// Returns the width of the MLPs.
    fn inner(&self) -> Result<usize> {
        self.of::<2>("encoder.layers.0.mlp.fc1.weight").map(|[inner, _]| inner)
    }

    /// Returns the number of layers.
    fn layers(&self) -> usize {
        self.count("encoder.layers.")
    }

    /// Returns the number of parts of the tower whose names are `prefix` and a number: the highest
    /// number plus 1.
    pub(super) fn count(&self, prefix: &str) -> usize {
        let prefix = format!("{}.{prefix}", self.tower);
        let number = |name: &String| name.strip_prefix(&prefix)?.split('.').next()?.parse().ok();
        self.weights
            .names()
            .filter_map(number)
            .max()
            .map_or(0, |last: usize| last.saturating_add(1))
    }
}
