//! File formats of weights, and the index of sharded weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result, input, limits};

/// A file format of weights: one file, or shards with an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// The name of an unsharded file.
    pub(super) whole: &'static str,
    /// The name of the index of shards.
    pub(super) index: &'static str,
    /// The extension of a file and of each shard.
    pub(super) ending: &'static str,
}

pub(super) const SAFETENSORS: Format = Format {
    whole: "model.safetensors",
    index: "model.safetensors.index.json",
    ending: ".safetensors",
};

/// The format of `torch.save`. It is read as values; no code of it runs.
pub(super) const PICKLES: Format =
    Format { whole: "pytorch_model.bin", index: "pytorch_model.bin.index.json", ending: ".bin" };

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
