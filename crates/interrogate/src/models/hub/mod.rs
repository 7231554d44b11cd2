//! Fetches a model's files from a hub, or finds them in the cache.
//!
//! Owns the choice of files and revisions, and the cache layout, which is that of hf-hub and
//! `huggingface_hub`: `models--owner--name/` with `blobs/etag`, `snapshots/commit/file` as links
//! to the blobs, and `refs/revision`. `download` transfers the bytes.

mod formats;
mod snapshot;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::download::Client;
use super::{Offline, Options, Progress};
use crate::error::HubError;
use crate::{Error, Result};
use formats::{Format, PICKLES, SAFETENSORS};
use snapshot::Snapshot;

/// Repositories whose main branch has only pickled weights, and the pull request that adds
/// safetensors (candle-examples, `clip` and `blip`).
const SAFETENSORS_AT: [(&str, &str); 2] = [
    ("Salesforce/blip-image-captioning-large", "refs/pr/18"),
    ("openai/clip-vit-base-patch32", "refs/pr/15"),
];

/// Fetches the files of `repo` (`owner/name`) and returns their folder. It has config.json,
/// processor_config.json or preprocessor_config.json or both, tokenizer.json or vocab.json and
/// merges.txt, and the weights in one file or in shards: safetensors if available, else
/// pytorch_model.bin.
///
/// Without a `revision` it is the main branch, or, if that has no safetensors, the pull request
/// known to add them. A cached revision costs no request, so later commits to a branch are not
/// noticed. An interrupted download is resumed, also by the next call.
///
/// # Errors
/// [`HubError::NotFound`] if the repository or a file of it does not exist,
/// [`HubError::Denied`] if a token is needed, [`HubError::WeightsMissing`] if there are no weights,
/// [`HubError::Network`], [`HubError::Status`] and [`HubError::Answer`] for connections and responses
/// that fail, [`HubError::Size`] and [`HubError::Digest`] for a file that differs from the hub's
/// metadata, [`HubError::Offline`] if downloads are not allowed, [`Error::Mismatch`] for a file
/// that is too large, [`Error::Io`] for the cache.
pub fn fetch(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    fetch_kind(ModelKind::Image, repo, revision, options, progress)
}

/// Fetches the files of a sentence encoder: like [`fetch`], but without image preprocessing,
/// with sentence_bert_config.json and 1_Pooling/config.json if the repository has them, and
/// with safetensors only.
///
/// # Errors
/// Those of [`fetch`].
pub fn fetch_sentences(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    fetch_kind(ModelKind::Sentence, repo, revision, options, progress)
}

/// The kind of a repository's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelKind {
    /// An image model: CLIP or a captioner.
    Image,
    /// A sentence encoder.
    Sentence,
}

impl ModelKind {
    /// Returns the supported formats of weights, the preferred one first.
    fn formats(self) -> &'static [Format] {
        match self {
            ModelKind::Image => &[SAFETENSORS, PICKLES],
            ModelKind::Sentence => &[SAFETENSORS],
        }
    }
}

fn fetch_kind(
    kind: ModelKind,
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let pull_request = SAFETENSORS_AT.iter().filter(|(name, _)| *name == repo).map(|(_, at)| *at);
    let revisions: Vec<&str> = match revision {
        Some(revision) => vec![revision],
        None => std::iter::once("main").chain(pull_request).collect(),
    };
    let snapshots: Vec<Snapshot> =
        revisions.iter().map(|revision| Snapshot::new(kind, repo, revision, options)).collect();
    // If a pull request has safetensors, the main branch's pickle is not used.
    let formats = if snapshots.len() > 1 { &[SAFETENSORS] } else { kind.formats() };
    let candidates = || {
        let of = |format| snapshots.iter().map(move |snapshot| (snapshot, format));
        formats.iter().copied().flat_map(of)
    };
    if let Some(folder) = candidates().find_map(|(snapshot, format)| snapshot.cached(format)) {
        return Ok(folder);
    }
    if let Some(reason) = options.offline {
        let revision = revision.map_or_else(String::new, |revision| format!("@{revision}"));
        let variable = match reason {
            Offline::Variable(name) => Some(name),
            Offline::Recorded => None,
        };
        return Err(Error::Hub(HubError::Offline { repo: format!("{repo}{revision}"), variable }));
    }
    let client = Client::new(options)?;
    for (snapshot, format) in candidates() {
        if let Some(folder) = snapshot.fetch(format, &client, progress)? {
            return Ok(folder);
        }
    }
    Err(Error::Hub(HubError::WeightsMissing {
        repo: repo.to_owned(),
        revision: revisions.join(", "),
    }))
}
