//! Tags images: scores a fixed list of tags for an image.
//!
//! [`Tagger::open`] opens a classifier of timm in a folder as SmilingWolf's taggers have it:
//! config.json, model.safetensors and selected_tags.csv. A [`Tagger`] returns a score from 0 to 1
//! for each [`Tag`]; [`Tagger::select`] keeps those above a threshold by category, and the best
//! rating. Owns the files, the preprocessing and how a tag is written; the towers are in
//! [`crate::vision`].
//!
//! ```no_run
//! use std::path::Path;
//!
//! use interrogate::Compute;
//! use interrogate::picture::Picture;
//! use interrogate::tagger::{Tagger, Thresholds};
//!
//! let tagger = Tagger::open(Path::new("wd-vit-tagger-v3"), &Compute::default())?;
//! let scores = tagger.score(&[Picture::from_rgb(1, 1, vec![255, 0, 0])?])?;
//! for found in tagger.select(&scores[0], &Thresholds::default()).general {
//!     println!("{:.3} {}", found.score, found.name);
//! }
//! # Ok::<(), interrogate::Error>(())
//! ```

mod architecture;
mod config;
mod model;
mod name;
mod selection;
mod tags;
#[cfg(test)]
mod tests;

pub(crate) use config::Config;
pub use model::{BACKGROUND, Tagger};
pub use name::without_underscores;
pub use selection::{ScoredTag, Selection, Thresholds};
pub use tags::{Category, Tag};

/// The file of the tags.
pub(crate) const TAGS: &str = "selected_tags.csv";

/// Short names of taggers, and their repositories on the hub.
pub const NAMES: [(&str, &str); 3] = [
    ("wd-eva02-large-v3", "SmilingWolf/wd-eva02-large-tagger-v3"),
    ("wd-vit-large-v3", "SmilingWolf/wd-vit-large-tagger-v3"),
    ("wd-vit-v3", "SmilingWolf/wd-vit-tagger-v3"),
];
