//! OpenAI's names of the weights, as views under those of transformers.
//!
//! The pairs are those of transformers' own conversion
//! (src/transformers/models/clip/convert_clip_original_pytorch_to_hf.py).

use super::resnet;
use super::sizes::SCALARS;
use crate::weights::{View, Weights};

/// Returns the weights under which a weight of timm's image tower is viewed, by its name, its name
/// in timm's model and its number of rows.
pub(super) type Trunk<'a> = dyn Fn(&str, &str, usize) -> Vec<(String, View)> + 'a;

/// Returns whether the weights have OpenAI's scalars.
pub(super) fn is_openai(weights: &Weights) -> bool {
    SCALARS.iter().all(|name| weights.contains(name))
}

/// Returns whether a weight that no encoder uses is accepted: the scale and bias of scores, the
/// scalars, the causal mask, and the count of batches that batch norms keep.
pub(in crate::clip) fn extra(name: &str) -> bool {
    SCALARS.contains(&name)
        || matches!(name, "logit_scale" | "logit_bias" | "attn_mask" | "text.attn_mask")
        || name.ends_with(".num_batches_tracked")
}

/// Returns the weights under the names of transformers, or under timm's for a tower that only
/// timm has. `trunk` has the views of a weight of timm's image tower. A name that is not the
/// architecture's keeps its name; the check of all names reports it.
pub(super) fn views(weights: &Weights, trunk: &Trunk<'_>) -> Vec<(String, View)> {
    let first = |name| weights.shape(name).and_then(|shape| shape.first()).copied();
    let is_resnet = resnet::is_tower(weights); // which keeps its names
    let names = weights.names().filter(|name| !is_resnet || !name.starts_with("visual."));
    names.flat_map(|name| view(name, first(name).unwrap_or(0), trunk)).collect()
}

/// Returns the weights under which the weight `name`, of `rows` rows, is viewed; empty if it
/// is not the architecture's.
fn view(name: &str, rows: usize, trunk: &Trunk<'_>) -> Vec<(String, View)> {
    if let Some(rest) = name.strip_prefix("visual.trunk.") {
        return trunk(name, rest, rows);
    }
    let (tower, rest) = match name.strip_prefix("visual.") {
        Some(rest) => ("vision_model", rest),
        // The text tower of `CustomTextCLIP` is a part of its own.
        None => ("text_model", name.strip_prefix("text.").unwrap_or(name)),
    };
    if let Some(rest) = rest.strip_prefix("transformer.resblocks.") {
        return block(name, tower, rest, rows).unwrap_or_default();
    }
    let plain = |to: String| (to, View::of(name));
    let transposed = |to: &str| (to.to_owned(), View { transposed: true, ..View::of(name) });
    let norm = |to: &str, end: &str| plain(format!("{tower}.{to}.{end}"));
    let view = match (tower, rest) {
        ("text_model", "token_embedding.weight") => {
            plain("text_model.embeddings.token_embedding.weight".into())
        }
        (_, "positional_embedding") => {
            plain(format!("{tower}.embeddings.position_embedding.weight"))
        }
        ("text_model", "text_projection") => transposed("text_projection.weight"),
        ("vision_model", "proj") => transposed("visual_projection.weight"),
        ("vision_model", "class_embedding") => {
            plain("vision_model.embeddings.class_embedding".into())
        }
        ("vision_model", "conv1.weight") => {
            plain("vision_model.embeddings.patch_embedding.weight".into())
        }
        (_, rest) => match rest.split_once('.') {
            // With a bias, the projection is a layer, whose weight is not transposed.
            Some(("text_projection", end)) if tower == "text_model" => {
                plain(format!("text_projection.{end}"))
            }
            Some(("ln_final", end)) if tower == "text_model" => norm("final_layer_norm", end),
            Some(("ln_pre", end)) if tower == "vision_model" => norm("pre_layrnorm", end),
            Some(("ln_post", end)) if tower == "vision_model" => norm("post_layernorm", end),
            _ => return Vec::new(),
        },
    };
    vec![view]
}

/// Returns the views of a weight of a layer, named `rest` after `transformer.resblocks.`.
fn block(name: &str, tower: &str, rest: &str, rows: usize) -> Option<Vec<(String, View)>> {
    let (number, part) = rest.split_once('.')?;
    let to = |part: &str| format!("{tower}.encoder.layers.{number}.{part}");
    if let Some(end) = part.strip_prefix("attn.in_proj_") {
        // Queries, keys and values are stacked (torch.nn.MultiheadAttention).
        let names = ["q", "k", "v"].map(|it| to(&format!("self_attn.{it}_proj.{end}")));
        return View::stacked(name, rows, names);
    }
    let (owner, end) = part.rsplit_once('.')?;
    let owner = match owner {
        "attn.out_proj" => "self_attn.out_proj",
        "ln_1" => "layer_norm1",
        "ln_2" => "layer_norm2",
        "mlp.c_fc" => "mlp.fc1",
        "mlp.c_proj" => "mlp.fc2",
        _ => return None,
    };
    Some(vec![(to(&format!("{owner}.{end}")), View::of(name))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str, rows: usize) -> Vec<String> {
        view(name, rows, &|_, _, _| Vec::new()).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn stacked_projections_are_three_slices() {
        let views =
            view("visual.transformer.resblocks.11.attn.in_proj_bias", 12, &|_, _, _| Vec::new());
        let rows: Vec<_> = views.iter().map(|(_, view)| view.rows.clone()).collect();
        assert_eq!(rows, [Some(0..4), Some(4..8), Some(8..12)]);
        assert_eq!(views[1].0, "vision_model.encoder.layers.11.self_attn.k_proj.bias");
        assert!(names("transformer.resblocks.0.attn.in_proj_weight", 10).is_empty());
    }

    #[test]
    fn only_projections_are_transposed() {
        for (name, to, transposed) in [
            ("text_projection", "text_projection.weight", true),
            ("visual.proj", "visual_projection.weight", true),
            ("positional_embedding", "text_model.embeddings.position_embedding.weight", false),
            ("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias", false),
            (
                "transformer.resblocks.3.mlp.c_proj.weight",
                "text_model.encoder.layers.3.mlp.fc2.weight",
                false,
            ),
        ] {
            let views = view(name, 6, &|_, _, _| Vec::new());
            assert_eq!((views[0].0.as_str(), views[0].1.transposed), (to, transposed));
            assert_eq!(views[0].1.source, name);
        }
    }

    #[test]
    fn other_names_have_no_view() {
        for name in ["logit_scale", "visual.attnpool.k_proj.weight", "visual.trunk.stem.0.bias"] {
            assert!(names(name, 3).is_empty(), "{name}");
        }
        assert!(extra("input_resolution") && !extra("visual.ln_pre.bias"));
    }
}
