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

// ---- pictures ----

/// Pixels of a picture: where Pillow's guard against decompression bombs raises its
/// error (twice `Image.MAX_IMAGE_PIXELS`).
pub const PICTURE_PIXELS: u64 = 178_956_970;

/// Bytes of an image file, and bytes that its decoder may allocate: 1 GiB, enough for
/// [`PICTURE_PIXELS`] of RGBA.
pub const PICTURE_BYTES: u64 = 1 << 30;

/// Bytes of a picture's metadata that a decoder is given, and of EXIF that are read: 1 MiB.
/// What a file has beyond it is left out before it is decoded; nothing is ever unpacked.
pub const METADATA: usize = 1 << 20;

/// Weights of a resize that are in memory at once: 512 kB, which stays in a second cache.
/// A filter as wide as its picture is computed in parts of so many.
pub const RESIZE_WEIGHTS: usize = 128 << 10;

/// Pixels of the longest side that is resized in torchvision's arithmetic, whose table of
/// weights grows with the side: at most 16 MB. Longer ones are resized in Pillow's.
pub const TORCHVISION_SIDE: u32 = 1 << 18;

// ---- checkpoints ----

/// Bytes of the header of a safetensors file of weights.
pub const WEIGHTS_HEADER: usize = 4 << 20;

/// Bytes of the directory of a PyTorch archive.
pub const ARCHIVE_DIRECTORY: usize = 4 << 20;

/// Bytes of the pickle of a PyTorch archive.
pub const PICKLE: usize = 4 << 20;
