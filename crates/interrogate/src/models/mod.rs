//! Where a model comes from: a folder, a hub id, or the starter.
//!
//! Owns names ([`ModelSource`]), the way from a name to files ([`hub`]), and
//! [`Model`], which joins them to encoders. What the files mean is for `clip`
//! and `starter`.

pub mod hub;
mod model;
mod options;
mod source;
mod transfer;

pub use model::Model;
pub use options::Options;
pub use source::{ALIASES, ModelSource};

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
