//! Where a model comes from: a folder, a hub id, or the starter.
//!
//! Owns names ([`Source`]), the fetching of a hub's files ([`hub`]) and the
//! choice between kinds of model ([`Model`]). What a checkpoint's files mean is
//! in `clip`.

pub mod hub;
mod model;
mod source;

pub use model::Model;
pub use source::Source;
