//! Opens models by name: a folder, a hub id, or the starter.
//!
//! Owns names ([`ModelSource`], [`known`]), downloads ([`hub`], [`ImageClient`]), and [`Model`], which joins a model's files
//! and its encoders. `clip` and `starter` read the files.

mod caption_model;
mod download;
mod environment;
pub mod hub;
mod min_speed;
mod model;
mod options;
mod progress;
mod registry;
mod sentence_model;
mod source;
mod tagger_model;

pub use caption_model::{captioner_folder, captioner_source};
pub use download::{ImageClient, is_url};
pub use min_speed::MinSpeed;
pub use model::Model;
pub use options::{Offline, Options};
pub use progress::Progress;
pub use registry::{KnownModel, known};
pub use source::ModelSource;
pub use tagger_model::tagger_folder;

/// Whether the starter's files are compiled in: the feature `starter` is on, and the weights
/// were there when the library was compiled. A package of a registry has no weights, because of
/// its size limit. Without them, the starter is opened from [`Options::starter`].
pub const HAS_STARTER: bool = cfg!(starter);
