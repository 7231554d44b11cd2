//! Every weight of the architecture by its name in a Hugging Face checkpoint.
//!
//! Owns the list, which one header is checked against before any weight is
//! read. Other layouts (OpenCLIP, OpenAI) name the same weights otherwise: a map
//! from their names to these is all that they need.

use super::config::{Config, TextConfig, VisionConfig};

/// A weight's name and shape.
pub(super) type Named = (String, Vec<usize>);

impl Config {
    /// Name and shape of every weight that a checkpoint of these sizes has,
    /// text tower, image tower, projections.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let dim = self.projection_dim;
        let mut names = text(&self.text);
        names.extend(vision(&self.vision));
        names.push(("text_projection.weight".into(), vec![dim, self.text.hidden_size]));
        names.push(("visual_projection.weight".into(), vec![dim, self.vision.hidden_size]));
        names
    }
}

/// Whether checkpoints carry a weight of this name beside the architecture's:
/// the training temperature, and position numbers that older versions saved.
pub(super) fn extra(name: &str) -> bool {
    matches!(
        name,
        "logit_scale"
            | "text_model.embeddings.position_ids"
            | "vision_model.embeddings.position_ids"
    )
}

fn text(config: &TextConfig) -> Vec<Named> {
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

fn vision(config: &VisionConfig) -> Vec<Named> {
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
    pair(&mut names, "vision_model.pre_layrnorm", vec![width]); // spelt so
    for number in 0..config.num_hidden_layers {
        let prefix = format!("vision_model.encoder.layers.{number}");
        layer(&mut names, &prefix, width, config.intermediate_size);
    }
    pair(&mut names, "vision_model.post_layernorm", vec![width]);
    names
}

fn layer(names: &mut Vec<Named>, prefix: &str, width: usize, inner: usize) {
    for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
        pair(names, &format!("{prefix}.self_attn.{projection}"), vec![width, width]);
    }
    pair(names, &format!("{prefix}.layer_norm1"), vec![width]);
    pair(names, &format!("{prefix}.mlp.fc1"), vec![inner, width]);
    pair(names, &format!("{prefix}.mlp.fc2"), vec![width, inner]);
    pair(names, &format!("{prefix}.layer_norm2"), vec![width]);
}

/// A weight and the bias of its first dimension.
fn pair(names: &mut Vec<Named>, prefix: &str, shape: Vec<usize>) {
    names.push((format!("{prefix}.bias"), shape[..1].to_vec()));
    names.push((format!("{prefix}.weight"), shape));
}
