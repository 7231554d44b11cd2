//! The sizes of both towers, whichever the layout of the checkpoint.
//!
//! Owns their limits. `hugging_face` and `openai` read them from files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::nn::{Activation, Biases, PreNormNames};
use crate::vision::{Head, VisionConfig};
use crate::weights::Shapes;
use crate::{Error, Result, limits, sizes};

/// The sizes of both towers and of their common embedding space.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The width of embeddings and features.
    pub projection_dim: usize,
    /// The text tower.
    pub text: TextConfig,
    /// The image tower.
    pub vision: VisionConfig,
}

/// Sizes of the text tower, by the names of `config.json`. The defaults are those of
/// `CLIPTextConfig` in transformers 5.23.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the checkpoint's own names")]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub max_position_embeddings: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
    /// The end-of-text token. 2 in CLIP's files older than transformers 4.31, which is wrong and
    /// ignored.
    pub eos_token_id: Option<u32>,
    /// The parts, which follow from the architecture.
    #[serde(skip)]
    pub parts: TextParts,
}

/// The parts in which text towers differ. The default is CLIP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextParts {
    /// Which tokens a token attends to.
    pub attention: TextAttention,
    /// The projection of the row at the end of a text.
    pub head: Head,
}

/// Which tokens a token attends to, and where the embedding is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextAttention {
    /// Those before it. The embedding is read at the end-of-text token, so that texts with a
    /// common beginning share its computation.
    #[default]
    Causal,
    /// All positions of the context length, padding included, so that every text costs the whole
    /// length. The embedding is read at the last position (SigLIP).
    Padded,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            eos_token_id: None,
            parts: TextParts::default(),
        }
    }
}

impl TextConfig {
    /// Returns the name and shape of every weight of a tower with embeddings of `dim` values, in
    /// Hugging Face's layout.
    fn weights(&self, dim: usize) -> Shapes {
        let (width, inner) = (self.hidden_size, self.intermediate_size);
        let mut shapes = Shapes::default();
        for (name, rows) in [
            ("token_embedding", self.vocab_size),
            ("position_embedding", self.max_position_embeddings),
        ] {
            shapes.layer(&format!("text_model.embeddings.{name}"), &[rows, width], false);
        }
        for number in 0..self.num_hidden_layers {
            let at = |name: &str| format!("text_model.encoder.layers.{number}.{name}");
            let names = &PreNormNames::HUGGING_FACE;
            shapes.extend(names.shapes([width, inner], at, Biases::all(true)));
        }
        shapes.layer("text_model.final_layer_norm", &[width], true);
        self.parts.head.add_shapes(&mut shapes, "text_projection", [dim, width]);
        shapes
    }

    /// Checks the sizes of a tower with embeddings of `dim` values.
    fn check(&self, path: &Path, dim: usize) -> Result<()> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        sizes::within(path, "text_config.vocab_size", self.vocab_size, limits::VOCABULARY)?;
        sizes::within(path, "text_config.hidden_size", width, limits::WIDTH)?;
        let inner = (self.intermediate_size, width);
        sizes::inner(path, "text_config.intermediate_size", inner, limits::INNER)?;
        let layers = self.num_hidden_layers;
        sizes::within(path, "text_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::divides(path, "text_config.num_attention_heads", heads, width)?;
        let (what, positions) =
            ("text_config.max_position_embeddings", self.max_position_embeddings);
        if !(2..=limits::POSITIONS).contains(&positions) {
            let expected = format!("2 to {}", limits::POSITIONS);
            return Err(Error::mismatch(path, what, expected, positions));
        }
        match self.parts.head {
            Head::None => sizes::only(path, "projection_dim", Some(&dim), width)?,
            _ => sizes::inner(path, "projection_dim", (dim, width), limits::INNER)?,
        }
        sizes::scores(path, what, heads, [positions; 2])?;
        Activation::of_config(&self.hidden_act, path)?;
        sizes::epsilon(path, "layer_norm_eps", self.layer_norm_eps)
    }
}

impl Config {
    /// Returns the name and shape of every weight of a checkpoint of these sizes: text tower,
    /// image tower, projections. The names of the text tower and of vision transformers are those
    /// of Hugging Face's layout.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = self.text.weights(self.projection_dim);
        shapes.extend(self.vision.weights(self.projection_dim));
        shapes.into_vec()
    }

    /// Checks the sizes. The limits are several times the sizes of the largest known CLIP
    /// (bigG: 1,664 wide, 48 layers), and low enough that no product of three of them
    /// overflows.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an invalid size.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let dim = self.projection_dim;
        sizes::within(path, "projection_dim", dim, limits::WIDTH)?;
        self.text.check(path, dim)?;
        self.vision.check(path, dim)
    }
}
