//! The architectures of taggers, by timm's names and arguments.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::vision::{EvaConfig, Head, Pooling, VisionConfig, VitConfig, VitParts};
use crate::{Error, Result, sizes};

/// The names of architectures, for messages.
const NAMES: &str = "one of eva02_large_patch14_448, vit_base_patch16_224, vit_large_patch16_224";

/// Arguments that change nothing but training, or nothing at the model's own size.
const NEUTRAL: [&str; 8] = [
    "attn_drop_rate",
    "drop_path_rate",
    "drop_rate",
    "dynamic_img_size",
    "patch_drop_rate",
    "pos_drop_rate",
    "proj_drop_rate",
    "weight_init",
];

/// The arguments of timm's model that differ from those that its name stands for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Arguments {
    #[serde(default, deserialize_with = "sizes::optional_side")]
    img_size: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    patch_size: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    ref_feat_shape: Option<usize>,
    embed_dim: Option<usize>,
    depth: Option<usize>,
    num_heads: Option<usize>,
    mlp_ratio: Option<f64>,
    in_chans: Option<usize>,
    pub(super) num_classes: Option<usize>,
    pub(super) global_pool: Option<String>,
    class_token: Option<bool>,
    fc_norm: Option<bool>,
    act_layer: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The names of a tower's weights in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Those by which the tower is loaded.
    Own,
    /// timm's of a vision transformer.
    TimmVit,
}

/// Returns the tower of timm's `architecture` with `arguments`, and the layout of its weights.
/// `path` is their file.
///
/// # Errors
/// [`Error::Mismatch`] for an architecture or an argument that is not supported.
pub(super) fn vision(
    path: &Path,
    architecture: &str,
    arguments: &Arguments,
) -> Result<(VisionConfig, Layout)> {
    let unknown =
        |(key, value): &(&String, &Value)| !NEUTRAL.contains(&key.as_str()) && !value.is_null();
    if let Some((key, value)) = arguments.rest.iter().find(unknown) {
        let found = format!("{key}: {value}");
        return Err(Error::mismatch(path, "model_args", "supported arguments", found));
    }
    sizes::only(path, "model_args.in_chans", arguments.in_chans.as_ref(), 3)?;
    let pool = arguments.global_pool.as_deref();
    if !matches!(pool, None | Some("avg" | "token")) {
        let found = pool.unwrap_or_default();
        return Err(Error::mismatch(path, "model_args.global_pool", "avg or token", found));
    }
    match (architecture, EvaConfig::named(architecture)) {
        ("eva02_large_patch14_448", Some(known)) => {
            Ok((VisionConfig::Eva(eva(path, known, arguments)?), Layout::Own))
        }
        ("vit_base_patch16_224", _) => {
            Ok((VisionConfig::Vit(vit(path, [768, 12, 12], arguments)?), Layout::TimmVit))
        }
        ("vit_large_patch16_224", _) => {
            Ok((VisionConfig::Vit(vit(path, [1024, 24, 16], arguments)?), Layout::TimmVit))
        }
        (found, _) => {
            let found = if found.is_empty() { "none" } else { found };
            Err(Error::mismatch(path, "architecture", NAMES, found))
        }
    }
}

/// Replaces sizes of the architecture `known`.
fn eva(path: &Path, known: EvaConfig, arguments: &Arguments) -> Result<EvaConfig> {
    sizes::only(path, "model_args.class_token", arguments.class_token.as_ref(), true)?;
    sizes::only(path, "model_args.fc_norm", arguments.fc_norm.as_ref(), true)?;
    let act_layer = arguments.act_layer.as_ref();
    sizes::only(path, "model_args.act_layer", act_layer, "none".to_owned())?;
    let embed_dim = arguments.embed_dim.unwrap_or(known.embed_dim);
    let config = EvaConfig {
        img_size: arguments.img_size.unwrap_or(known.img_size),
        patch_size: arguments.patch_size.unwrap_or(known.patch_size),
        depth: arguments.depth.unwrap_or(known.depth),
        num_heads: arguments.num_heads.unwrap_or(known.num_heads),
        mlp_hidden: inner(embed_dim, arguments.mlp_ratio.unwrap_or(8.0 / 3.0)),
        embed_dim,
        ..known
    };
    let token = arguments.global_pool.as_deref() == Some("token");
    Ok(config.pooling_token(token).with_reference(arguments.ref_feat_shape))
}

/// Returns a vision transformer of the sizes that its name stands for (width, layers, heads), or
/// those of `arguments`.
fn vit(path: &Path, known: [usize; 3], arguments: &Arguments) -> Result<VitConfig> {
    let [width, layers, heads] = known;
    let width = arguments.embed_dim.unwrap_or(width);
    let class_token = arguments.class_token.unwrap_or(true);
    let average = arguments.global_pool.as_deref() == Some("avg");
    // With a class token timm leaves it out of the mean; by default it normalizes the mean.
    if average {
        sizes::only(path, "model_args.class_token", Some(&class_token), false)?;
        let fc_norm = arguments.fc_norm.unwrap_or(true);
        sizes::only(path, "model_args.fc_norm", Some(&fc_norm), false)?;
    } else {
        sizes::only(path, "model_args.class_token", Some(&class_token), true)?;
        sizes::only(path, "model_args.fc_norm", arguments.fc_norm.as_ref(), false)?;
    }
    let hidden_act = match arguments.act_layer.as_deref() {
        None | Some("gelu") => "gelu",
        Some("gelu_tanh") => "gelu_pytorch_tanh",
        Some(other) => {
            return Err(Error::mismatch(path, "model_args.act_layer", "gelu or gelu_tanh", other));
        }
    };
    Ok(VitConfig {
        hidden_size: width,
        intermediate_size: inner(width, arguments.mlp_ratio.unwrap_or(4.0)),
        num_hidden_layers: arguments.depth.unwrap_or(layers),
        num_attention_heads: arguments.num_heads.unwrap_or(heads),
        num_channels: 3,
        image_size: arguments.img_size.unwrap_or(224),
        patch_size: arguments.patch_size.unwrap_or(16),
        hidden_act: hidden_act.into(),
        layer_norm_eps: 1e-6,
        parts: VitParts {
            class_token,
            patch_bias: true,
            pre_norm: false,
            pooling: if average { Pooling::Mean } else { Pooling::ClassToken },
            head: Head::BiasedProjection,
            ..VitParts::default()
        },
    })
}

/// Returns the inner width of an MLP, rounded down as timm does; 0 for a ratio that is negative
/// or not a number.
fn inner(width: usize, ratio: f64) -> usize {
    (width as f64 * ratio) as usize
}
