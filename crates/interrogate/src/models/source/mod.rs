//! Model names as a user types them.
//!
//! Owns only the names; `hub` fetches files, `clip` and `starter` read them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::registry::{self, KnownModel, Lookup};
use crate::error::ModelError;
use crate::{Error, Result};

/// The source of a model.
///
/// Text is parsed in this order: `starter`; a name with a prefix; an existing folder or file; a
/// name of open_clip ([`known`](super::known)); a hub id, `owner/name` or `owner/name@revision`.
///
/// | prefix | of |
/// |---|---|
/// | `open_clip:` | a name of open_clip, such as `open_clip:ViT-L-14/openai` |
/// | `openai:` | one of OpenAI's own models, such as `openai:ViT-B/32` |
/// | `hf:`, `hf-hub:` | a hub id |
///
/// A name of open_clip may be shortened to a beginning that only one model has; `ViT-L-14`,
/// `ViT-L/14` and other architectures that OpenAI published stand for OpenAI's weights.
///
/// ```
/// use interrogate::models::ModelSource;
///
/// let source: ModelSource = "ViT-L-14/openai".parse()?;
/// assert_eq!(source.to_string(), "openai/clip-vit-large-patch14");
/// assert_eq!(source.slug(), "openai--clip-vit-large-patch14");
/// assert_eq!("openai:ViT-L/14".parse::<ModelSource>()?, source);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The default model, which needs no download. A folder with this name is `./starter`.
    Starter,
    /// A folder in the layout of Hugging Face or OpenCLIP.
    Folder(PathBuf),
    /// A file of weights in OpenAI's layout, such as `ViT-B-32.pt`.
    File(PathBuf),
    /// A repository on a model hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A branch, a tag, `refs/pr/N` or a commit; `None` is `main`.
        revision: Option<String>,
    },
}

impl FromStr for ModelSource {
    type Err = Error;

    /// # Errors
    /// [`ModelError::Ambiguous`] for a name that several models have, or a model and a path;
    /// [`ModelError::Unsupported`] for a name of open_clip with another architecture;
    /// [`ModelError::Unknown`] for any other text; its hint lists the valid forms.
    fn from_str(text: &str) -> Result<Self> {
        if text == "starter" {
            return Ok(ModelSource::Starter);
        }
        if let Some(name) = text.strip_prefix("open_clip:") {
            return known(name)?.ok_or_else(|| unknown(name));
        }
        if let Some(name) = text.strip_prefix("openai:") {
            return registry::openai(name).map(repository).ok_or_else(|| unknown(name));
        }
        if let Some(id) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return hub_id(id).ok_or_else(|| unknown(text));
        }
        let path = Path::new(text);
        let source = match (path.is_dir(), path.is_file()) {
            (true, _) => ModelSource::Folder(path.to_owned()),
            (_, true) => ModelSource::File(path.to_owned()),
            _ => return known(text)?.or_else(|| hub_id(text)).ok_or_else(|| unknown(text)),
        };
        at_path(text, source)
    }
}

/// Prefixes of a hub id: this library's and open_clip's.
const PREFIXES: [&str; 2] = ["hf:", "hf-hub:"];

/// Returns the source of a captioner or a tagger: a folder, a hub id or one of `names`, each with
/// its repository.
///
/// # Errors
/// `unknown(name)` for other names, and [`ModelError::Ambiguous`].
pub(super) fn of_short_name(
    name: &str,
    names: &[(&str, &str)],
    unknown: impl Fn(&str) -> Error,
) -> Result<ModelSource> {
    let repository = names.iter().find(|(known, _)| *known == name).map(|(_, repo)| *repo);
    match repository.unwrap_or(name).parse() {
        Ok(ModelSource::Starter | ModelSource::File(_))
        | Err(Error::Model(ModelError::Unknown { .. } | ModelError::Unsupported { .. })) => {
            Err(unknown(name))
        }
        parsed => parsed,
    }
}

/// Returns `source`, which exists at the path `text`, unless that is also a name of open_clip.
fn at_path(text: &str, source: ModelSource) -> Result<ModelSource> {
    let models = match registry::lookup(text) {
        Lookup::Unknown => return Ok(source),
        Lookup::One(model) => vec![model],
        Lookup::Several(models) => models,
    };
    let models = models.iter().map(|model| format!("open_clip:{}", model.name));
    let candidates = std::iter::once(format!("./{text}")).chain(models).collect();
    Err(Error::Model(ModelError::Ambiguous { name: text.to_owned(), candidates }))
}

/// Returns the source of the model with the open_clip name `text`; `None` if there is none.
fn known(text: &str) -> Result<Option<ModelSource>> {
    match registry::lookup(text) {
        Lookup::Unknown => Ok(None),
        Lookup::One(model) => Ok(Some(repository(model))),
        Lookup::Several(models) => {
            let candidates = models.iter().map(|model| model.name.to_owned()).collect();
            Err(Error::Model(ModelError::Ambiguous { name: text.to_owned(), candidates }))
        }
    }
}

/// Returns the source of a known model.
fn repository(model: &KnownModel) -> ModelSource {
    ModelSource::Hub { repo: model.repo.to_owned(), revision: None }
}

/// Parses `owner/name` or `owner/name@revision`.
fn hub_id(text: &str) -> Option<ModelSource> {
    let (repo, revision) = match text.split_once('@') {
        Some((repo, revision)) => (repo, Some(revision)),
        None => (text, None),
    };
    let (owner, name) = repo.split_once('/')?;
    let valid = is_name(owner)
        && is_name(name)
        && !registry::is_open_clip(owner)
        && !registry::is_unsupported(repo)
        && revision.is_none_or(|revision| revision.split('/').all(is_name));
    let revision = revision.map(str::to_owned);
    valid.then(|| ModelSource::Hub { repo: repo.to_owned(), revision })
}

/// Formats the text that parses to the same source.
impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelSource::Starter => f.write_str("starter"),
            ModelSource::Folder(path) | ModelSource::File(path) => path.display().fmt(f),
            ModelSource::Hub { repo, revision: None } => f.write_str(repo),
            ModelSource::Hub { repo, revision: Some(revision) } => write!(f, "{repo}@{revision}"),
        }
    }
}

impl ModelSource {
    /// Returns a folder name for the model, of letters, digits, `.`, `_` and `-`:
    /// `openai--clip-vit-base-patch32` for a hub id, the last part of a folder's path, or a
    /// file's name without extension. Two models may have the same slug; an index tells them
    /// apart by fingerprint.
    pub fn slug(&self) -> String {
        let name = match self {
            // Resolves `.` and `..` to a folder with a name.
            ModelSource::Folder(folder) => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
            ModelSource::File(file) => {
                file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
            source => source.to_string().replace(['/', '@'], "--"),
        };
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let slug: String = name.chars().map(safe).collect();
        match slug.trim_start_matches('.') {
            "" => "model".to_owned(),
            slug => slug.to_owned(),
        }
    }
}

/// Whether `part` is a valid component of a hub id or a revision. Components go into URLs and
/// cache paths, so `..` and characters that need escaping are not allowed.
fn is_name(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !part.is_empty() && part.len() <= 96 && !part.starts_with(['.', '-']) && part.bytes().all(plain)
}

/// Returns the error for an invalid model name.
pub(super) fn unknown(name: &str) -> Error {
    let plain = name.strip_prefix("openai:").unwrap_or(name);
    let name = name.to_owned();
    Error::Model(if registry::is_unsupported(plain) {
        ModelError::Unsupported { name }
    } else {
        ModelError::Unknown { nearest: registry::nearest(plain), name }
    })
}
