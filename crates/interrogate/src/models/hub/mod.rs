//! Fetches a model's files from a hub, or finds them in the cache.
//!
//! Owns the choice of files and revisions, and the cache layout, which is that of hf-hub and
//! `huggingface_hub`: `models--owner--name/` with `blobs/etag`, `snapshots/commit/file` as links
//! to the blobs, and `refs/revision`. `download` transfers the bytes.

mod formats;
mod snapshot;
mod store;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::download::Client;
use super::{Offline, Options, Progress};
use crate::error::HubError;
use crate::{Error, Result};
use formats::{Format, Layout, OPEN_CLIP_PICKLES, OPEN_CLIP_SAFETENSORS, PICKLES, SAFETENSORS};
use snapshot::{Fetched, Lack, Snapshot};

/// Repositories whose main branch has only pickled weights, and the pull request that adds
/// safetensors (candle-examples, `clip` and `blip`).
const SAFETENSORS_AT: [(&str, &str); 2] = [
    ("Salesforce/blip-image-captioning-large", "refs/pr/18"),
    ("openai/clip-vit-base-patch32", "refs/pr/15"),
];

/// Fetches the files of the CLIP `repo` (`owner/name`) and returns the path to open, the folder
/// or the file of the weights. A repository may have the files of two libraries; the first
/// layout that is complete is used:
///
/// - Hugging Face's: config.json, processor_config.json or preprocessor_config.json or both,
///   tokenizer.json or vocab.json and merges.txt, and model.safetensors, else
///   pytorch_model.bin;
/// - open_clip's: open_clip_config.json, a tokenizer if it is not OpenAI's, and
///   open_clip_model.safetensors, else open_clip_pytorch_model.bin.
///
/// Weights may be in shards. An unsupported configuration is refused before the weights are
/// downloaded.
///
/// Without a `revision` it is the main branch, or, if that has no safetensors, the pull request
/// known to add them. A cached revision costs no request, so later commits to a branch are not
/// noticed. An interrupted download is resumed, also by the next call.
///
/// # Errors
/// [`HubError::RepositoryNotFound`], [`HubError::RevisionNotFound`] and [`HubError::NotFound`] if
/// the repository, the revision or a file does not exist; [`HubError::Gated`],
/// [`HubError::Denied`] and [`HubError::Disabled`] if it may not be read;
/// [`HubError::WeightsMissing`] if there are no weights; [`HubError::Network`],
/// [`HubError::Status`] and [`HubError::Answer`] for connections and responses that fail;
/// [`HubError::Size`] and [`HubError::Digest`] for a file that differs from the hub's metadata;
/// [`HubError::Offline`] if downloads are not allowed; [`Error::Mismatch`] for a file that is too
/// large or a configuration that is not supported; [`Error::Io`] for the cache.
pub fn fetch_clip(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let (folder, format) = fetch_kind(ModelKind::Clip, repo, revision, options, progress)?;
    Ok(path_to_open(folder, format))
}

/// Fetches the files of the captioner `repo` and returns their folder: like [`fetch_clip`], in
/// Hugging Face's layout only.
///
/// # Errors
/// Those of [`fetch_clip`].
pub fn fetch(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    Ok(fetch_kind(ModelKind::Caption, repo, revision, options, progress)?.0)
}

/// Fetches the files of a tagger: config.json, selected_tags.csv and model.safetensors. An
/// unsupported architecture is refused before the weights are downloaded.
///
/// # Errors
/// Those of [`fetch_clip`].
pub fn fetch_tagger(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    Ok(fetch_kind(ModelKind::Tagger, repo, revision, options, progress)?.0)
}

/// Fetches the files of a sentence encoder: like [`fetch`], but without image preprocessing,
/// with sentence_bert_config.json and 1_Pooling/config.json if the repository has them, and
/// with safetensors only.
///
/// # Errors
/// Those of [`fetch_clip`].
pub fn fetch_sentences(
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    Ok(fetch_kind(ModelKind::Sentence, repo, revision, options, progress)?.0)
}

/// Returns what [`fetch_clip`] returns if all files are in the cache. Sends no request.
pub fn cached_clip(repo: &str, revision: Option<&str>, options: &Options) -> Option<PathBuf> {
    let revisions = revisions(repo, revision);
    let snapshots = snapshots(ModelKind::Clip, repo, &revisions, options);
    cached(ModelKind::Clip, &snapshots).map(|(folder, format)| path_to_open(folder, format))
}

/// The kind of a repository's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelKind {
    Clip,
    /// A captioner.
    Caption,
    /// A sentence encoder.
    Sentence,
    /// A tagger.
    Tagger,
}

impl ModelKind {
    /// Returns the supported formats of weights, the preferred one first.
    fn formats(self) -> &'static [Format] {
        match self {
            ModelKind::Clip => &[SAFETENSORS, PICKLES, OPEN_CLIP_SAFETENSORS, OPEN_CLIP_PICKLES],
            ModelKind::Caption => &[SAFETENSORS, PICKLES],
            ModelKind::Sentence | ModelKind::Tagger => &[SAFETENSORS],
        }
    }
}

/// Returns what to open of a folder with weights in `format`. A folder may have the files of
/// both layouts, and opening the folder would prefer Hugging Face's.
fn path_to_open(folder: PathBuf, format: Format) -> PathBuf {
    match format.layout {
        Layout::HuggingFace => folder,
        Layout::OpenClip => {
            let whole = folder.join(format.whole);
            if whole.is_file() { whole } else { folder.join(format.index) }
        }
    }
}

/// Returns the revisions to search: `revision`, or the main branch and the known pull request.
fn revisions<'r>(repo: &str, revision: Option<&'r str>) -> Vec<&'r str> {
    let pull_request = SAFETENSORS_AT.iter().filter(|(name, _)| *name == repo).map(|(_, at)| *at);
    match revision {
        Some(revision) => vec![revision],
        None => std::iter::once("main").chain(pull_request).collect(),
    }
}

fn snapshots<'o>(
    kind: ModelKind,
    repo: &str,
    revisions: &[&str],
    options: &'o Options,
) -> Vec<Snapshot<'o>> {
    revisions.iter().map(|revision| Snapshot::new(kind, repo, revision, options)).collect()
}

/// Returns the formats to search in `snapshots`. If there is a pull request with safetensors,
/// the main branch's pickle is not used.
fn formats(kind: ModelKind, snapshots: &[Snapshot<'_>]) -> &'static [Format] {
    if snapshots.len() > 1 { &[SAFETENSORS] } else { kind.formats() }
}

/// Returns each snapshot with each format, the preferred first.
fn candidates<'s, 'o>(
    kind: ModelKind,
    snapshots: &'s [Snapshot<'o>],
) -> impl Iterator<Item = (&'s Snapshot<'o>, Format)> {
    let of = |format| snapshots.iter().map(move |snapshot| (snapshot, format));
    formats(kind, snapshots).iter().copied().flat_map(of)
}

/// Returns the first complete folder in the cache and the format of its weights.
fn cached(kind: ModelKind, snapshots: &[Snapshot<'_>]) -> Option<(PathBuf, Format)> {
    candidates(kind, snapshots)
        .find_map(|(snapshot, format)| Some((snapshot.cached(format)?, format)))
}

fn fetch_kind(
    kind: ModelKind,
    repo: &str,
    revision: Option<&str>,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(PathBuf, Format)> {
    let revisions = revisions(repo, revision);
    let snapshots = snapshots(kind, repo, &revisions, options);
    if let Some(found) = cached(kind, &snapshots) {
        return Ok(found);
    }
    if let Some(reason) = options.offline {
        let revision = revision.map_or_else(String::new, |revision| format!("@{revision}"));
        let variable = match reason {
            Offline::Variable(name) => Some(name),
            Offline::Recorded => None,
        };
        return Err(Error::Hub(HubError::Offline { repo: format!("{repo}{revision}"), variable }));
    }
    let client = Client::new(options, repo)?;
    let mut lack: Option<(Lack, Error)> = None;
    for (snapshot, format) in candidates(kind, &snapshots) {
        match snapshot.fetch(format, &client, progress)? {
            Fetched::Complete(folder) => return Ok((folder, format)),
            // Report what is nearest to a complete repository, and of those the first.
            Fetched::Lacks(what, error) => {
                if lack.as_ref().is_none_or(|(most, _)| what > *most) {
                    lack = Some((what, error));
                }
            }
        }
    }
    match lack {
        Some((Lack::Revision | Lack::Config | Lack::File, error)) => Err(error),
        Some((Lack::Weights, _)) | None => {
            let names: Vec<&str> =
                formats(kind, &snapshots).iter().map(|format| format.whole).collect();
            Err(Error::Hub(HubError::WeightsMissing {
                repo: repo.to_owned(),
                expected: names.join(" or "),
                revision: revisions.join(", "),
            }))
        }
    }
}
