//! CLIP, any of the family, from a folder in Hugging Face layout.

pub mod preprocess;
