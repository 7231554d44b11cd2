//! timm's config.json of a classifier.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::architecture::{Arguments, Layout, vision};
use crate::picture::{Center, Filter, Preprocess, Resampling, Resize};
use crate::vision::{VisionConfig, timm_vit_views};
use crate::weights::{View, Weights};
use crate::{Error, Result, input, limits, sizes};

/// A tagger's architecture, sizes and preprocessing.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(super) vision: VisionConfig,
    layout: Layout,
    /// Number of tags.
    pub(super) classes: usize,
    /// The steps after the picture is on a square of its size.
    pub(super) steps: Preprocess,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    architecture: String,
    num_classes: Option<usize>,
    global_pool: Option<String>,
    #[serde(default)]
    model_args: Arguments,
    #[serde(default)]
    pretrained_cfg: RawPreprocessing,
}

/// The fields of `pretrained_cfg` that say what the model's input is.
#[derive(Default, Deserialize)]
struct RawPreprocessing {
    input_size: Option<[usize; 3]>,
    interpolation: Option<String>,
    crop_pct: Option<f64>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    #[serde(flatten)]
    _rest: BTreeMap<String, Value>,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::Mismatch`] for a value that is not supported.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = input::read(path, limits::CONFIG)?;
        let RawConfig { architecture, num_classes, global_pool, mut model_args, pretrained_cfg } =
            serde_json::from_slice(&text)
                .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        model_args.global_pool = model_args.global_pool.or(global_pool);
        let classes = num_classes.or(model_args.num_classes).unwrap_or(0);
        sizes::only(path, "model_args.num_classes", model_args.num_classes.as_ref(), classes)?;
        let (vision, layout) = vision(path, &architecture, &model_args)?;
        vision.check(path, classes)?;
        let steps = pretrained_cfg.steps(path, vision.image_size())?;
        Ok(Config { vision, layout, classes, steps })
    }

    /// Returns the weights under the names by which the tower is loaded.
    ///
    /// # Errors
    /// Those of [`Weights::with_views`].
    pub(super) fn viewed(&self, weights: Weights) -> Result<Weights> {
        match self.layout {
            Layout::Own => Ok(weights),
            Layout::TimmVit => {
                let rows =
                    |name: &String| weights.shape(name).and_then(|shape| shape.first()).copied();
                let views = |name: &String| timm_vit_views(name, name, rows(name).unwrap_or(0));
                let views: Vec<(String, View)> = weights.names().flat_map(views).collect();
                weights.with_views(views)
            }
        }
    }
}

impl RawPreprocessing {
    /// Returns the steps for a tower of `side` by `side` pixels. Defaults are those of timm.
    fn steps(&self, path: &Path, side: usize) -> Result<Preprocess> {
        let found = self.input_size.unwrap_or([3, side, side]);
        if found != [3, side, side] {
            let expected = format!("{:?} as the model", [3, side, side]);
            let found = format!("{found:?}");
            return Err(Error::mismatch(path, "pretrained_cfg.input_size", expected, found));
        }
        sizes::only(path, "pretrained_cfg.crop_pct", self.crop_pct.as_ref(), 1.0)?;
        let filter = match self.interpolation.as_deref() {
            None | Some("bicubic") => Filter::Bicubic,
            Some("bilinear") => Filter::Bilinear,
            Some(other) => {
                let expected = "bicubic or bilinear";
                return Err(Error::mismatch(path, "pretrained_cfg.interpolation", expected, other));
            }
        };
        let (mean, std) = (self.mean.unwrap_or([0.5; 3]), self.std.unwrap_or([0.5; 3]));
        if !mean.iter().all(|value| value.is_finite()) {
            return Err(Error::mismatch(
                path,
                "pretrained_cfg.mean",
                "numbers",
                format!("{mean:?}"),
            ));
        }
        if !std.iter().all(|value| value.is_normal() && *value > 0.0) {
            return Err(Error::mismatch(path, "pretrained_cfg.std", "above 0", format!("{std:?}")));
        }
        let side = side as u32; // checked: at most 1,024
        Ok(Preprocess {
            resize: Resize::Keep,
            filter,
            resampling: Resampling::Pillow,
            crop: (side, side),
            center: Center::Even,
            mean,
            std,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn open(value: Value) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, value.to_string()).unwrap();
        Config::open(&path)
    }

    #[track_caller]
    fn refused(value: Value, expected: &str) {
        let found = open(value).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }

    /// As the file of wd-eva02-large-tagger-v3: no arguments but the input's size.
    #[test]
    fn real_configurations_are_supported() {
        let cfg = json!({ "input_size": [3, 448, 448], "fixed_input_size": false,
            "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "num_classes": 10861,
            "pool_size": null, "first_conv": null, "classifier": null });
        let eva = json!({ "architecture": "eva02_large_patch14_448", "num_classes": 10861,
            "num_features": 1024, "global_pool": "avg", "pretrained_cfg": cfg,
            "model_args": { "img_size": 448, "ref_feat_shape": [16, 16] } });
        let config = open(eva).unwrap();
        assert_eq!((config.classes, config.vision.image_size()), (10861, 448));
        assert_eq!(config.vision.positions(), 1025);
        let vit = json!({ "architecture": "vit_base_patch16_224", "num_classes": 10861,
            "global_pool": "avg", "pretrained_cfg": cfg,
            "model_args": { "img_size": 448, "class_token": false, "global_pool": "avg",
                "fc_norm": false, "act_layer": "gelu_tanh" } });
        assert_eq!(open(vit).unwrap().vision.positions(), 784);
    }

    #[test]
    fn unsupported_values_are_refused() {
        let with = |key: &str, value: Value| {
            let mut config = json!({ "architecture": "eva02_large_patch14_448", "num_classes": 9,
                "model_args": {}, "pretrained_cfg": {} });
            *config.pointer_mut(key).unwrap_or(&mut Value::Null) = value.clone();
            let (section, field) = key.rsplit_once('/').unwrap();
            config.pointer_mut(section).unwrap()[field] = value;
            config
        };
        let swin = with("/architecture", json!("swinv2_base_window8_256"));
        refused(swin, "architecture: expected one of eva02_large_patch14_448");
        refused(with("/num_classes", json!(0)), "num_classes: expected 1 to");
        refused(with("/model_args/num_classes", json!(8)), "num_classes: expected 9, found 8");
        refused(with("/model_args/reg_tokens", json!(4)), "model_args: expected supported");
        refused(with("/model_args/img_size", json!(1 << 20)), "img_size: expected 1 to 1024");
        refused(
            with("/model_args/global_pool", json!("map")),
            "global_pool: expected avg or token",
        );
        refused(with("/model_args/mlp_ratio", json!(-1.0)), "mlp_ratio: expected 1 to");
        let size = with("/pretrained_cfg/input_size", json!([3, 224, 224]));
        refused(size, "input_size: expected [3, 448, 448] as the model, found [3, 224, 224]");
        refused(with("/pretrained_cfg/crop_pct", json!(0.9)), "crop_pct: expected 1, found 0.9");
        refused(with("/pretrained_cfg/interpolation", json!("hamming")), "bicubic or bilinear");
        refused(with("/pretrained_cfg/std", json!([0.5, 0.0, 0.5])), "std: expected above 0");
        refused(json!({}), "vit_large_patch16_224, found none");
    }
}
