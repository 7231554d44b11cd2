//! The weights' names in microsoft's files, as views under the names of transformers.
//!
//! The correspondence is that of transformers' `convert_florence2_original_pytorch_to_hf.py`.

use crate::weights::{View, Weights};

/// Parts of names in microsoft's blocks, and in those of transformers.
const PARTS: [(&str, &str); 8] = [
    (".conv1.fn.dw.", ".conv1."),
    (".conv2.fn.dw.", ".conv2."),
    (".window_attn.norm.", ".norm1."),
    (".channel_attn.norm.", ".norm1."),
    (".window_attn.fn.", ".window_attn."),
    (".channel_attn.fn.", ".channel_attn."),
    (".ffn.norm.", ".norm2."),
    (".ffn.fn.net.", ".ffn."),
];

/// Returns a view of each weight that has microsoft's name; none for files of transformers.
pub(super) fn views(weights: &Weights) -> Vec<(String, View)> {
    let view = |name: &String| {
        let new = renamed(name)?;
        let (transposed, squeezed) = (name == "image_projection", name.ends_with("_bias"));
        let view = View { transposed, squeezed, ..View::of(name) };
        Some((new, view))
    };
    weights.names().filter_map(view).collect()
}

/// Returns the name in transformers of the weight that microsoft calls `name`, if that is one of
/// its names.
fn renamed(name: &str) -> Option<String> {
    const PROJECTOR: &str = "model.multi_modal_projector";
    if let Some(rest) = name.strip_prefix("vision_tower.convs.") {
        return Some(format!("model.vision_tower.convs.{}", rest.replace(".proj.", ".conv.")));
    }
    if let Some(rest) = name.strip_prefix("vision_tower.blocks.") {
        let part = PARTS.iter().find(|(part, _)| rest.contains(part));
        let rest = part.map_or(rest.to_owned(), |(part, new)| rest.replace(part, new));
        return Some(format!("model.vision_tower.blocks.{rest}"));
    }
    if let Some(rest) = name.strip_prefix("language_model.") {
        return Some(match rest.strip_prefix("model.") {
            Some(rest) => format!("model.language_model.{rest}"),
            None => rest.to_owned(), // lm_head.weight, final_logits_bias
        });
    }
    match name {
        "image_projection" => Some(format!("{PROJECTOR}.image_projection.weight")),
        _ if name.starts_with("image_proj_norm.") || name.starts_with("visual_temporal_embed.") => {
            Some(format!("{PROJECTOR}.{name}"))
        }
        _ => {
            let rest = name.strip_prefix("image_pos_embed.")?;
            Some(format!("{PROJECTOR}.image_position_embed.{rest}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_microsoft_become_those_of_transformers() {
        for (name, expected) in [
            ("vision_tower.convs.1.proj.bias", "model.vision_tower.convs.1.conv.bias"),
            (
                "vision_tower.blocks.2.8.spatial_block.window_attn.fn.proj.weight",
                "model.vision_tower.blocks.2.8.spatial_block.window_attn.proj.weight",
            ),
            (
                "vision_tower.blocks.0.0.channel_block.ffn.fn.net.fc2.weight",
                "model.vision_tower.blocks.0.0.channel_block.ffn.fc2.weight",
            ),
            (
                "image_pos_embed.row_embeddings.weight",
                "model.multi_modal_projector.image_position_embed.row_embeddings.weight",
            ),
            (
                "language_model.model.encoder.layers.0.fc1.bias",
                "model.language_model.encoder.layers.0.fc1.bias",
            ),
            ("language_model.lm_head.weight", "lm_head.weight"),
        ] {
            assert_eq!(renamed(name).as_deref(), Some(expected));
            assert_eq!(renamed(expected), None, "{expected}");
        }
    }
}
