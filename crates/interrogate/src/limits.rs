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

/// Bytes of a line of a list: a label, a path, a prompt. CLIP reads some 300 of them,
/// and Linux takes paths of 4,096; tokenizers take a hundred times a text's length.
pub const LINE: usize = 64 << 10;

/// Bytes of a JSON line or of a CSV record that holds a prompt among other answers.
pub const RECORD: usize = 16 << 20;

/// Bytes of a deny list: more than a million words.
pub const DENY_LIST: u64 = 16 << 20;

/// Bytes of a word or pattern of a deny list. What a label may cost grows with its
/// own length times that of the longest word.
pub const DENY_LINE: usize = 1 << 10;

/// Regular expressions of a deny list. All of them are tried on each label.
pub const PATTERNS: usize = 1_000;

/// Bytes of all regular expressions of a deny list, compiled.
pub const PATTERNS_SUM: usize = 32 << 20;

/// Bytes that are read from a device or a terminal.
pub const TERMINAL: u64 = 16 << 20;

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
