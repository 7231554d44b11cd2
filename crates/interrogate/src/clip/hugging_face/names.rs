//! The weights of Hugging Face's layout that have other names than CLIP's, as views.
//!
//! `SiglipTextTransformer` and `SiglipMultiheadAttentionPoolingHead` of transformers 5.23
//! (src/transformers/models/siglip/modeling_siglip.py).

#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::weights::{View, Weights};

/// Returns whether a weight that no encoder uses is accepted: the scale and bias of scores, and
/// the position ids that older versions saved.
pub(in crate::clip) fn extra(name: &str) -> bool {
    matches!(
        name,
        "logit_scale"
            | "logit_bias"
            | "text_model.embeddings.position_ids"
            | "vision_model.embeddings.position_ids"
    )
}

/// Returns the weights under CLIP's names: SigLIP names or stacks some in another way.
///
/// # Errors
/// [`Error::Mismatch`] if a weight has two names.
pub(in crate::clip) fn read(weights: Weights) -> Result<Weights> {
    let views = views(&weights);
    weights.with_views(views)
}

fn views(weights: &Weights) -> Vec<(String, View)> {
    let mut views = Vec::new();
    for end in ["weight", "bias"] {
        let head = format!("text_model.head.{end}");
        if weights.contains(&head) {
            views.push((format!("text_projection.{end}"), View::of(&head)));
        }
        let stacked = format!("vision_model.head.attention.in_proj_{end}");
        let names =
            ["q", "k", "v"].map(|it| format!("vision_model.head.attention.{it}_proj.{end}"));
        if let Some(&[rows, ..]) = weights.shape(&stacked) {
            views.extend(View::stacked(&stacked, rows, names).unwrap_or_default());
        }
    }
    views
}
