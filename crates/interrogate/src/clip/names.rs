//! The names and shapes of all weights in Hugging Face's layout.
//!
//! The headers of a checkpoint are checked against this list before any weight is read. The
//! layout of OpenAI and OpenCLIP has other names, which `openai::names` maps to these.

use super::config::{Config, TextConfig, VisionConfig};

/// A weight's name and shape.
type NameAndShape = (String, Vec<usize>);

impl Config {
    /// Returns the name and shape of every weight of a checkpoint of these sizes: text
    /// tower, image tower, projections.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let dim = self.projection_dim;
        let mut names = text(&self.text);
        names.extend(vision(&self.vision));
        names.push(("text_projection.weight".into(), vec![dim, self.text.hidden_size]));
        names.push(("visual_projection.weight".into(), vec![dim, self.vision.hidden_size]));
        names
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

fn text(config: &TextConfig) -> Vec<NameAndShape> {
    let width = config.hidden_size;
    let mut names = vec![
        ("text_model.embeddings.token_embedding.weight".into(), vec![config.vocab_size, width]),
        (
            "text_model.embeddings.position_embedding.weight".into(),
            vec![config.max_position_embeddings, width],
        ),
    ];
    for number in 0..config.num_hidden_layers {
        let prefix = format!("text_model.encoder.layers.{number}");
        layer(&mut names, &prefix, width, config.intermediate_size);
    }
    pair(&mut names, "text_model.final_layer_norm", vec![width]);
    names
}

fn vision(config: &VisionConfig) -> Vec<NameAndShape> {
    let (width, patch) = (config.hidden_size, config.patch_size);
    let mut names = vec![
        ("vision_model.embeddings.class_embedding".into(), vec![width]),
        (
            "vision_model.embeddings.patch_embedding.weight".into(),
            vec![width, config.num_channels, patch, patch],
        ),
        (
            "vision_model.embeddings.position_embedding.weight".into(),
            vec![config.positions(), width],
        ),
    ];
    pair(&mut names, "vision_model.pre_layrnorm", vec![width]); // the checkpoints' spelling
    for number in 0..config.num_hidden_layers {
        let prefix = format!("vision_model.encoder.layers.{number}");
        layer(&mut names, &prefix, width, config.intermediate_size);
    }
    pair(&mut names, "vision_model.post_layernorm", vec![width]);
    names
}

fn layer(names: &mut Vec<NameAndShape>, prefix: &str, width: usize, inner: usize) {
    for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        pair(names, &format!("{prefix}.self_attn.{projection}"), vec![width, width]);
    }
    pair(names, &format!("{prefix}.layer_norm1"), vec![width]);
    pair(names, &format!("{prefix}.mlp.fc1"), vec![inner, width]);
    pair(names, &format!("{prefix}.mlp.fc2"), vec![width, inner]);
    pair(names, &format!("{prefix}.layer_norm2"), vec![width]);
}

/// Adds a weight and its bias, whose length is the weight's first dimension.
fn pair(names: &mut Vec<NameAndShape>, prefix: &str, shape: Vec<usize>) {
    names.push((format!("{prefix}.bias"), shape[..1].to_vec()));
    names.push((format!("{prefix}.weight"), shape));
}
