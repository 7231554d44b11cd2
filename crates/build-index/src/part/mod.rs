//! Parts of a build, which other machines encode: a folder with a journal of rows, and
//! part.json, which says what they are rows of.

mod manifest;
mod number;
mod open;

pub(crate) use manifest::{PartManifest, PartPlan, PartTable};
pub use number::PartNumber;
pub(crate) use open::check_dictionaries;
pub use open::{Part, open_parts};
