//! timm's names of a vision transformer's weights, as views under Hugging Face's.
//!
//! `VisionTransformer` and `AttentionPoolLatent` of timm 1.0.31 (timm/models/vision_transformer.py,
//! timm/layers/attention_pool.py).

use crate::weights::View;

/// Returns the weights under which the weight `name`, of `rows` rows, is viewed; `rest` is its
/// name in timm's model. Empty if it is not a vision transformer's.
pub(crate) fn timm_vit_views(name: &str, rest: &str, rows: usize) -> Vec<(String, View)> {
    let to = |name: String| format!("vision_model.{name}");
    if let Some(rest) = rest.strip_prefix("blocks.") {
        let Some((number, part)) = rest.split_once('.') else { return Vec::new() };
        let to = |part: &str| to(format!("encoder.layers.{number}.{part}"));
        return block(name, part, rows, to);
    }
    if let Some(part) = rest.strip_prefix("attn_pool.") {
        return attention_pool(name, part, rows);
    }
    let squeezed = View { squeezed: true, ..View::of(name) };
    match rest {
        "pos_embed" => {
            return vec![(to("embeddings.position_embedding.weight".into()), squeezed)];
        }
        "cls_token" => return vec![(to("embeddings.class_embedding".into()), squeezed)],
        _ => {}
    }
    let Some((owner, end)) = rest.rsplit_once('.') else { return Vec::new() };
    let to = match owner {
        "patch_embed.proj" => to(format!("embeddings.patch_embedding.{end}")),
        "norm_pre" => to(format!("pre_layrnorm.{end}")), // Hugging Face's spelling
        "norm" => to(format!("post_layernorm.{end}")),
        "head" => format!("visual_projection.{end}"),
        _ => return Vec::new(),
    };
    vec![(to, View::of(name))]
}

/// Returns the views of a weight of a layer, named `part` there.
fn block(name: &str, part: &str, rows: usize, to: impl Fn(&str) -> String) -> Vec<(String, View)> {
    let Some((owner, end)) = part.rsplit_once('.') else { return Vec::new() };
    let owner = match owner {
        "attn.qkv" => {
            let names = ["q", "k", "v"].map(|it| to(&format!("self_attn.{it}_proj.{end}")));
            return View::stacked(name, rows, names).unwrap_or_default();
        }
        "attn.proj" => "self_attn.out_proj",
        "norm1" => "layer_norm1",
        "norm2" => "layer_norm2",
        "mlp.fc1" | "mlp.fc2" => owner,
        _ => return Vec::new(),
    };
    vec![(to(&format!("{owner}.{end}")), View::of(name))]
}

/// Returns the views of a weight of the attention pooling, named `part` there.
fn attention_pool(name: &str, part: &str, rows: usize) -> Vec<(String, View)> {
    let to = |part: &str| format!("vision_model.head.{part}");
    if part == "latent" {
        return vec![(to("probe"), View::of(name))];
    }
    let Some((owner, end)) = part.rsplit_once('.') else { return Vec::new() };
    let owner = match owner {
        "kv" => {
            let names = ["k", "v"].map(|it| to(&format!("attention.{it}_proj.{end}")));
            return View::stacked(name, rows, names).unwrap_or_default();
        }
        "q" => "attention.q_proj",
        "proj" => "attention.out_proj",
        "norm" => "layernorm",
        "mlp.fc1" | "mlp.fc2" => owner,
        _ => return Vec::new(),
    };
    vec![(to(&format!("{owner}.{end}")), View::of(name))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacked_weights_are_divided_and_others_renamed() {
        let views = timm_vit_views("t.attn_pool.kv.bias", "attn_pool.kv.bias", 6);
        assert_eq!(views[1].0, "vision_model.head.attention.v_proj.bias");
        assert_eq!(views[1].1.rows, Some(3..6));
        let views = timm_vit_views("t.blocks.3.attn.qkv.weight", "blocks.3.attn.qkv.weight", 6);
        assert_eq!(views[2].0, "vision_model.encoder.layers.3.self_attn.v_proj.weight");
        let views = timm_vit_views("t.pos_embed", "pos_embed", 1);
        assert!(views[0].1.squeezed);
        for rest in ["blocks.3", "blocks.3.ls1.gamma", "attn_pool.x", "reg_token", "fc_norm.bias"] {
            assert!(timm_vit_views("t", rest, 3).is_empty(), "{rest}");
        }
    }
}
