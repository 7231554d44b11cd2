//! What does this image look like, in words?
//!
//! This library opens a label index that `build-index` wrote once per model,
//! looks at images, and ranks every label of a table against them: exactly, on
//! all threads, without ever embedding a dictionary again.
//!
//! # The main types
//! - [`models::Model`] is where weights come from: a checkpoint's folder, a hub
//!   id, or the starter that is compiled in. It hands out the two towers.
//! - [`encoder::TextEncoder`] and [`encoder::ImageEncoder`] are the seam between
//!   models and all else: texts become [`Embeddings`](encoder::Embeddings),
//!   pictures become [`Features`](encoder::Features), both of unit length, so
//!   that a dot product is a cosine.
//! - [`index::Index`] is the folder on disk, mapped: its tables hold labels and
//!   f16 rows. Opening reads headers alone; [`index::Index::verify`] reads all.
//! - [`rank::Rows`] is the exact top-k over such rows, which an index's tables
//!   use, and which stands alone as well.
//! - [`query::Query`] adds images and texts up to something else to rank by.
//! - [`pipeline::Pipeline`] runs a folder of images through one of seven tasks.
//! - [`Interrogator`] ties a model and an index together, and refuses a pair
//!   that does not match. Its [`prompt::Recipe`] says what a prompt is made of;
//!   [`Interrogation`] asks for prompts in any [`prompt::Mode`].
//!
//! # Example
//! Labels ranked against one image, with rows made up here in place of a model:
//!
//! ```
//! use half::f16;
//! use interrogate::encoder::Features;
//! use interrogate::rank::{Order, Rows};
//!
//! let labels = ["a cat", "a dog", "a boat"];
//! let rows = [1.0, 0.0, 0.8, 0.6, 0.0, 1.0].map(f16::from_f32);
//! let image = Features::new(vec![0.9, 0.1])?;
//!
//! let best = Rows::new(2, vec![&rows])?.top_k(&[image], 2, Order::Best)?;
//! let names: Vec<&str> = best[0].iter().map(|hit| labels[hit.row]).collect();
//! assert_eq!(names, ["a cat", "a dog"]);
//! # Ok::<(), interrogate::Error>(())
//! ```
//!
//! With a model and an index it is the ten lines of the README.
//!
//! # Limits
//! - It prints nothing, never exits, and reads no environment; what a program
//!   finds there it passes in ([`models::Options::from_vars`]). No socket is
//!   opened unless a hub id is asked for that is not cached.
//! - Nothing that is read is trusted: a damaged file is an [`Error`] that names
//!   it. What cannot be caught is a mapped file that another program truncates
//!   while it is read ([`mmap::Mmap`]); [`mmap::disable`] reads files instead.
//! - An index holds up to 2^32 bytes of label text a table, and what fits the
//!   address space of rows.
//!
//! The cargo feature `starter` compiles the embedded model in (56 MB), `cuda` and
//! `metal` the devices of those names ([`Device`]); all are off by default.

pub mod caption;
pub mod clip;
mod device;
pub mod encoder;
pub mod error;
mod guard;
pub mod index;
pub mod input;
mod interrogation;
mod interrogator;
pub mod limits;
pub mod mmap;
pub mod models;
mod nn;
pub mod output;
pub mod picture;
pub mod pipeline;
pub mod prompt;
pub mod query;
pub mod rank;
pub mod sentence;
mod sizes;
#[cfg(starter)]
pub mod starter;
mod tokenization;
mod trie;
#[doc(hidden)] // for the tests and fuzz targets of this repository
pub mod weights;

pub use device::Device;
pub use error::{Error, Result};
pub use interrogation::{Interrogation, LABELS};
pub use interrogator::Interrogator;
pub use nn::{Compute, Precision};

/// The README's Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
