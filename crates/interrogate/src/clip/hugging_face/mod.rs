//! Models in Hugging Face's layout: CLIP, MetaCLIP 2 and SigLIP.

mod config;
mod names;

pub(super) use names::{extra, read};
