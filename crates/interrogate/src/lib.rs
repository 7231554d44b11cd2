//! Ranks the labels of a dictionary for an image with CLIP, offline.
//!
//! `build-index` embeds the labels once per model and writes them to an index. This library
//! opens the index, encodes images and ranks every label exactly, on all threads, without
//! embedding a dictionary again. It also captions images and writes prompts.
//!
//! # Example
//! Ranks labels for one image, with rows made up here in place of a model's:
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
//! The same with a model and an index:
//!
//! ```no_run
//! use interrogate::Interrogator;
//! use interrogate::index::Index;
//! use interrogate::models::{Model, Options};
//! use interrogate::picture::Picture;
//! use std::path::Path;
//!
//! let hub = Options::from_vars(|name| std::env::var(name).ok());
//! let model = Model::open("ViT-L-14/openai".parse()?, &hub, &mut |_| {})?;
//! let interrogator = Interrogator::new(&model, Index::open(Path::new("index"))?)?;
//!
//! let picture = Picture::open(Path::new("photo.jpg"))?;
//! for found in interrogator.rank(&picture, "flavors", 5)? {
//!     println!("{:.3} {}", found.score, found.label);
//! }
//! # Ok::<(), interrogate::Error>(())
//! ```
//!
//! # Modules
//! | module | what it does |
//! |---|---|
//! | [`models`] | opens CLIP from a folder, a file, a hub id or the starter, and downloads it if necessary |
//! | [`encoder`] | defines the traits [`TextEncoder`](encoder::TextEncoder) and [`ImageEncoder`](encoder::ImageEncoder), which return rows of unit length: a dot product is a cosine |
//! | [`clip`] | reads CLIP checkpoints and computes both towers |
//! | [`vision`] | defines the architectures of image towers |
//! | [`picture`] | decodes image files and preprocesses them for an image tower |
//! | [`index`] | opens and verifies an index; its tables hold labels and f16 rows |
//! | [`rank`] | finds the exact top-k rows for an image, on the CPU or a GPU |
//! | [`query`] | adds and subtracts images and texts, to rank for the result |
//! | [`prompt`] | combines a caption and ranked labels to a prompt, in one of several [`Mode`](prompt::Mode)s |
//! | [`caption`] | captions images with BLIP and BLIP-2 |
//! | [`tagger`] | scores a tagger's tags for images |
//! | [`sentence`] | embeds sentences with MiniLM |
//! | [`pipeline`] | runs a task over a folder of images, by a configuration file |
//! | [`input`], [`output`], [`mmap`] | open files for reading and writing, and map them |
//! | [`limits`] | lists the limits on everything that is read |
//! | [`error`] | defines [`Error`], which every function returns |
//!
//! [`Interrogator`] combines a model and an index and refuses a pair that does not match.
//! [`Interrogation`] configures and writes prompts.
//!
//! # Where to find
//! | decision | place |
//! |---|---|
//! | the tie rule: equal scores are ordered by row, lower first | [`rank`] |
//! | the KV cache of the text tower: a chain of prompts computes only the tokens that are new | [`encoder::Continuations`] |
//! | the retry of a download: count, timeout, least speed | [`models::Options`] |
//! | the token limit of a text | [`TextEncoder::context_length`](encoder::TextEncoder::context_length) |
//! | the token limit of a prompt | [`prompt::DEFAULT_TOKENS`] |
//! | how the colors of a TIFF become RGB | [`Picture`](picture::Picture#color) |
//! | what each error means, and how to fix it | [`Error`], [`Error::hint`] |
//! | what opening an index checks, and what it does not | [`index`], [`Index::verify`](index::Index::verify) |
//!
//! # Guarantees
//! - The library prints nothing, never exits, and reads no environment variable; a program
//!   passes them in ([`models::Options::from_vars`]). It opens no socket unless a hub id is
//!   given whose files are not cached, or a [`models::ImageClient`] downloads an image.
//! - No input is trusted: a damaged file is an [`Error`] that names it. The exception is a
//!   mapped file that another program truncates while it is read ([`mmap::Mmap`]);
//!   [`mmap::disable`] reads files instead.
//! - A table has at most 2^32 bytes of label text, and as many rows as fit the address
//!   space.
//!
//! The cargo feature `starter` compiles the starter's files in (62 MB); without it the starter
//! is opened from a folder ([`models::Options::starter`]); `cuda` and `metal`
//! add those devices ([`Device`]). All are off by default.

pub mod caption;
pub mod clip;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
pub mod encoder;
pub mod error;
pub mod guard;
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
pub mod starter;
pub mod tagger;
mod tokenization;
mod trie;
pub mod vision;
#[doc(hidden)] // public for the tests and fuzz targets of this repository
pub mod weights;

pub use device::Device;
pub use error::{Error, Result};
pub use interrogation::{Interrogation, LABELS};
pub use interrogator::Interrogator;
pub use nn::{Compute, Precision};

/// Compiles the Rust of README.md.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
