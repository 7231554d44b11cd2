//! What does this image look like, in words?
//!
//! This library opens a label index that `build-index` wrote, looks at images
//! through an [`encoder::ImageEncoder`], and ranks every label of a table
//! against them, exactly.
//!
//! (The tour is written when the rooms are furnished.)

pub mod caption;
pub mod clip;
pub mod encoder;
pub mod error;
pub mod index;
mod interrogator;
pub mod mmap;
pub mod models;
pub mod nn;
pub mod picture;
pub mod prompt;
pub mod rank;
pub mod sentence;
#[cfg(feature = "starter")]
pub mod starter;
pub mod weights;

pub use error::{Error, Result};
pub use interrogator::Interrogator;
