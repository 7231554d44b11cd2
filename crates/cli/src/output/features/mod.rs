//! Features of images as two files: `features.npy`, a row for each image, and
//! `features.npy.json`, which [describes](Description) the rows.
//!
//! The description comes first, so that a run that is killed between the two leaves no rows that
//! another description belongs to unnoticed: it holds the digest of the rows.

mod description;
mod writer;

pub(crate) use description::{Description, description_path};
pub(super) use writer::FeaturesWriter;
