//! The sizes of a model, from the shapes of its weights.
//!
//! OpenAI's rule (clip/model.py, `build_model`): heads are 64 wide, and patches form a
//! square. Sizes that follow from no shape have OpenAI's values.

use crate::clip::config::{Config, TextConfig};
use crate::vision::{VisionConfig, VitConfig};
use crate::weights::Weights;
use crate::{Error, Result};

/// The default width of a head.
pub(super) const HEAD_WIDTH: usize = 64;

/// Reads the sizes of the towers from the shapes of `weights`.
///
/// # Errors
/// [`Error::Mismatch`] if the weights are not those of a vision and a text transformer, or if
/// OpenAI's scalars differ from the shapes.
pub(super) fn of(weights: &Weights) -> Result<Config> {
    let shapes = Shapes(weights);
    let [width, channels, patch, _] = shapes.of("visual.conv1.weight")?;
    shapes.of::<1>("visual.class_embedding")?;
    let [positions, _] = shapes.of("visual.positional_embedding")?;
    let grid = positions.saturating_sub(1).isqrt();
    if positions == 0 || grid * grid != positions - 1 {
        let found = format!("{positions} for visual.positional_embedding");
        let expected = "a square number plus 1";
        return Err(Error::mismatch(weights.path(), "positions", expected, found));
    }
    let [vocab_size, text_width] = shapes.of("token_embedding.weight")?;
    let [context_length, _] = shapes.of("positional_embedding")?;
    let [_, projection_dim] = shapes.of("text_projection")?;
    let config = Config {
        projection_dim,
        text: TextConfig {
            vocab_size,
            hidden_size: text_width,
            intermediate_size: shapes.inner("")?,
            num_hidden_layers: shapes.layers(""),
            num_attention_heads: text_width / HEAD_WIDTH,
            max_position_embeddings: context_length,
            ..TextConfig::default()
        },
        vision: VisionConfig::Vit(VitConfig {
            hidden_size: width,
            intermediate_size: shapes.inner("visual.")?,
            num_hidden_layers: shapes.layers("visual."),
            num_attention_heads: width / HEAD_WIDTH,
            num_channels: channels,
            image_size: grid.saturating_mul(patch),
            patch_size: patch,
            ..VitConfig::default()
        }),
    };
    let sizes = [config.vision.image_size(), context_length, vocab_size];
    for (name, expected) in super::names::SCALARS.into_iter().zip(sizes) {
        if let Some(found) = shapes.scalar(name)?
            && usize::try_from(found) != Ok(expected)
        {
            let expected = format!("{name} {expected} as in the shapes");
            return Err(Error::mismatch(weights.path(), "sizes", expected, found));
        }
    }
    Ok(config)
}

struct Shapes<'a>(&'a Weights);

impl Shapes<'_> {
    /// Returns the shape of a required weight.
    fn of<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let expected = || format!("a vision transformer's {name} of {N} dimensions");
        let refuse = |found| Err(Error::mismatch(self.0.path(), "architecture", expected(), found));
        match self.0.shape(name) {
            Some(shape) => match shape.try_into() {
                Ok(shape) => Ok(shape),
                Err(_) => refuse(format!("{shape:?}")),
            },
            None => refuse("none".to_owned()),
        }
    }

    /// Returns the width of the MLPs of a tower.
    fn inner(&self, tower: &str) -> Result<usize> {
        let name = format!("{tower}transformer.resblocks.0.mlp.c_fc.weight");
        self.of::<2>(&name).map(|[inner, _]| inner)
    }

    /// Returns the number of layers of a tower: the highest layer number plus 1.
    fn layers(&self, tower: &str) -> usize {
        let prefix = format!("{tower}transformer.resblocks.");
        let number = |name: &String| name.strip_prefix(&prefix)?.split('.').next()?.parse().ok();
        self.0.names().filter_map(number).max().map_or(0, |last: usize| last.saturating_add(1))
    }

    fn scalar(&self, name: &str) -> Result<Option<i64>> {
        if self.0.contains(name) { self.0.integer(name) } else { Ok(None) }
    }
}
