//! The names and shapes of all weights in Hugging Face's layout.
//!
//! The headers of a checkpoint are checked against this list before any weight is read. The
//! layout of OpenAI and OpenCLIP has other names, which `openai::names` maps to these.

use super::config::{Config, TextConfig};
use crate::nn::{Biases, PreNormNames};
use crate::weights::Shapes;

impl Config {
    /// Returns the name and shape of every weight of a checkpoint of these sizes: text
    /// tower, image tower, projections.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let dim = self.projection_dim;
        let mut shapes = text(&self.text);
        shapes.layer("text_projection", &[dim, self.text.hidden_size], false);
        shapes.extend(self.vision.weights(dim));
        shapes.into_vec()
    }
}

/// Returns whether a weight that the architecture does not use is accepted: the temperature
/// of training, and the position ids that older versions saved.
pub(super) fn extra(name: &str) -> bool {
    matches!(
        name,
        "logit_scale"
            | "text_model.embeddings.position_ids"
            | "vision_model.embeddings.position_ids"
    )
}

fn text(config: &TextConfig) -> Shapes {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = Shapes::default();
    for (name, rows) in [
        ("token_embedding", config.vocab_size),
        ("position_embedding", config.max_position_embeddings),
    ] {
        shapes.layer(&format!("text_model.embeddings.{name}"), &[rows, width], false);
    }
    for number in 0..config.num_hidden_layers {
        let at = |name: &str| format!("text_model.encoder.layers.{number}.{name}");
        let names = &PreNormNames::HUGGING_FACE;
        shapes.extend(names.shapes([width, inner], at, Biases::all(true)));
    }
    shapes.layer("text_model.final_layer_norm", &[width], true);
    shapes
}
