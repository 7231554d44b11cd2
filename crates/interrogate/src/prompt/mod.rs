//! From ranked labels to one prompt.
//!
//! A [`Recipe`] says how many labels of which table a prompt takes, and in what
//! order; a [`Prompt`] is the answer, as text and with every pick and its
//! score. Pure: no model and no file is touched here, so that all of it is
//! tested without weights.

mod recipe;
mod text;

pub use recipe::{Recipe, Take};
pub use text::{Pick, Prompt};
