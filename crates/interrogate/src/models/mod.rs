//! Where a model comes from: a folder, a hub id, or the starter.
//!
//! Owns names ([`ModelSource`]), the way from a name to files ([`hub`]), and
//! [`Model`], which joins them to encoders. What the files mean is for `clip`
//! and `starter`.

pub mod hub;
mod model;
mod source;
mod transfer;

#[cfg(test)]
mod served;

pub use model::Model;
pub use source::{ALIASES, ModelSource};

use std::path::PathBuf;
use std::time::Duration;

/// What opening a model from the hub may use. The library looks at no
/// environment variable for it: a binary passes what it finds there. Not
/// printable, for the token's sake.
#[derive(Clone)]
pub struct Options {
    /// The folder of downloads, laid out as Hugging Face's own libraries do
    /// (`models--owner--name/...`), so that both find each other's files.
    pub cache: PathBuf,
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// What opens private and gated repositories. Sent to the endpoint alone,
    /// never to where it redirects.
    pub token: Option<String>,
    /// The proxy to go through, as a URL; `None` goes straight.
    pub proxy: Option<String>,
    /// How often a broken transfer is taken up again before it is given up.
    pub retries: u32,
    /// How long to wait for the next bytes.
    pub timeout: Duration,
}

impl Options {
    /// The public hub, neither token nor proxy, five retries, a minute's patience.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Options {
            cache: cache.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            proxy: None,
            retries: 5,
            timeout: Duration::from_secs(60),
        }
    }
}

/// How far the download of a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name in the repository.
    pub file: &'a str,
    /// Bytes that are on the disk.
    pub done: u64,
    /// Bytes that it has.
    pub total: u64,
}
