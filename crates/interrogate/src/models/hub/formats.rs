//! File formats of weights, the configuration of each, and the index of sharded weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result, input, limits};

/// A file format of weights: one file, or shards with an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// The layout of the repository.
    pub(super) layout: Layout,
    /// The name of an unsharded file.
    pub(super) whole: &'static str,
    /// The name of the index of shards.
    pub(super) index: &'static str,
    /// The extension of a file and of each shard.
    pub(super) ending: &'static str,
}

/// The library whose files a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// transformers.
    HuggingFace,
    /// open_clip.
    OpenClip,
}

impl Layout {
    /// Returns the name of the configuration.
    pub(super) fn config(self) -> &'static str {
        match self {
            Layout::HuggingFace => "config.json",
            Layout::OpenClip => "open_clip_config.json",
        }
    }
}

pub(super) const SAFETENSORS: Format = Format {
    layout: Layout::HuggingFace,
    whole: "model.safetensors",
    index: "model.safetensors.index.json",
    ending: ".safetensors",
};

/// The format of `torch.save`. It is read as values; no code of it runs.
pub(super) const PICKLES: Format = Format {
    layout: Layout::HuggingFace,
    whole: "pytorch_model.bin",
    index: "pytorch_model.bin.index.json",
    ending: ".bin",
};

/// open_clip itself writes one file; its shards are named like those of transformers.
pub(super) const OPEN_CLIP_SAFETENSORS: Format = Format {
    layout: Layout::OpenClip,
    whole: "open_clip_model.safetensors",
    index: "open_clip_model.safetensors.index.json",
    ending: ".safetensors",
};

pub(super) const OPEN_CLIP_PICKLES: Format = Format {
    layout: Layout::OpenClip,
    whole: "open_clip_pytorch_model.bin",
    index: "open_clip_pytorch_model.bin.index.json",
    ending: ".bin",
};

#[derive(Deserialize)]
struct WeightsIndex {
    weight_map: BTreeMap<String, String>,
}

/// Reads the names of the shards in an index of weights. Each must be a plain file name with the
/// format's extension.
pub(super) fn shards(index: &Path, format: Format) -> Result<BTreeSet<String>> {
    let text = input::read(index, limits::SMALL_FILE)?;
    let parsed: WeightsIndex = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: index.to_owned(), source })?;
    let shards: BTreeSet<String> = parsed.weight_map.into_values().collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match shards.iter().find(|name| !name.ends_with(format.ending) || !name.bytes().all(plain)) {
        Some(name) => {
            let expected = format!("the name of a {} file", format.ending);
            Err(Error::mismatch(index, "shard", expected, name))
        }
        None => Ok(shards),
    }
}

/// Whether the config.json at `path` is one of transformers, which name a model type. timm
/// writes a config.json without one, next to the files of open_clip.
pub(super) fn has_model_type(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Config {
        model_type: Option<String>,
    }
    let config = input::read(path, limits::CONFIG);
    config.is_ok_and(|text| {
        serde_json::from_slice::<Config>(&text).is_ok_and(|config| config.model_type.is_some())
    })
}
