//! Where a model comes from: a folder, a hub id, or the starter.
//!
//! Owns names ([`ModelSource`]), the way from a name to files ([`hub`]), and
//! [`Model`], which joins them to encoders. What the files mean is for `clip`
//! and `starter`.

mod environment;
pub mod hub;
mod model;
mod options;
mod pace;
mod sentences;
mod source;
mod transfer;

pub use model::Model;
pub use options::{Offline, Options};
pub use pace::Pace;
pub use source::{ALIASES, ModelSource};

/// Whether this build has the embedded starter model: the feature `starter` is on, and
/// the weights were there when the library was compiled. A package of a registry has no
/// weights, for its size.
pub const HAS_STARTER: bool = cfg!(starter);

/// How far the download of a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name in the repository.
    pub file: &'a str,
    /// Bytes that are on the disk.
    pub done: u64,
    /// Bytes that it has.
    pub total: u64,
    /// Whether the hub names the content: by a SHA-256, with which the file is compared,
    /// or by its id in Git. Without either only the size is known.
    pub named: bool,
}
