//! A model that is not in the cache: its size and license.

use std::fmt;

use build_index::terminal::format::bytes;
use interrogate::models::{ModelSource, hub, known};

use crate::commands::captioners;
use crate::folders;

/// A repository to download.
pub(super) struct Download {
    /// `owner/name`, with `@revision` if one was given.
    name: String,
    /// The size of the weights in bytes, if known.
    bytes: Option<u64>,
    /// The hub's short name of the license, if it was verified.
    license: Option<&'static str>,
}

impl Download {
    /// Returns the download of a CLIP; `None` if it is on this machine.
    pub(super) fn of_clip(source: &ModelSource) -> Option<Self> {
        let ModelSource::Hub { repo, revision } = source else { return None };
        let cached = hub::cached_clip(repo, revision.as_deref(), &folders::options()).is_some();
        let known = known().iter().find(|model| model.repo == repo);
        (!cached).then(|| Download {
            name: source.to_string(),
            bytes: known.map(|model| model.bytes()),
            license: known.and_then(|model| model.license),
        })
    }

    /// Returns the download of a captioner; `None` if it is on this machine.
    pub(super) fn of_captioner(source: &ModelSource) -> Option<Self> {
        let ModelSource::Hub { repo, revision } = source else { return None };
        let cached = captioners::is_cached(repo, revision.as_deref());
        (!cached).then(|| Download { name: source.to_string(), bytes: None, license: None })
    }
}

impl fmt::Display for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Download { name, license, .. } = self;
        let size = match self.bytes {
            // f16 weights are half as large.
            Some(size) => format!("at most {}", bytes(size)),
            None => "size not known".to_owned(),
        };
        let license = license.unwrap_or("not verified");
        write!(f, "{name}: download, {size}, license {license}")
    }
}
