//! How much is taken of what is read: the policy in one place.
//!
//! Every reader in this workspace compares sizes with these limits before it
//! allocates, so that a file costs at most what its own size or a limit here
//! warrants. SECURITY.md states them for users. This module owns the numbers; the
//! comparison and its error are the reader's.

// ---- files ----

/// Bytes of a model's file that is read into memory: configurations, tokenizers,
/// lists of shards. The largest tokenizers have some 35 MB.
pub const SMALL_FILE: u64 = 64 << 20;

/// Bytes of a list of lines: labels, paths, prompts.
pub const LIST: u64 = 4 << 30;

/// Bytes that are read from a device or a terminal.
pub const TERMINAL: u64 = 16 << 20;

// ---- texts ----

/// Times that a line is repaired before CLIP's tokenizer (ftfy's rules undo one level of
/// nested mojibake or character references a time): text has one or two levels, and each
/// time costs as much as the line is long.
pub const CLEANING_ROUNDS: usize = 64;

// ---- pictures ----

/// Pixels of a picture: where Pillow's guard against decompression bombs raises its
/// error (twice `Image.MAX_IMAGE_PIXELS`).
pub const PICTURE_PIXELS: u64 = 178_956_970;

/// Bytes of an image file, and bytes that its decoder may allocate: 1 GiB, enough for
/// [`PICTURE_PIXELS`] of RGBA.
pub const PICTURE_BYTES: u64 = 1 << 30;

// ---- checkpoints ----

/// Bytes of the header of a safetensors file of weights.
pub const WEIGHTS_HEADER: usize = 4 << 20;

/// Bytes of the directory of a PyTorch archive.
pub const ARCHIVE_DIRECTORY: usize = 4 << 20;

/// Bytes of the pickle of a PyTorch archive.
pub const PICKLE: usize = 4 << 20;
