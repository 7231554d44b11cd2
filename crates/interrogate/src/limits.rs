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

// ---- checkpoints ----

/// Bytes of the header of a safetensors file of weights.
pub const WEIGHTS_HEADER: usize = 4 << 20;

/// Bytes of the directory of a PyTorch archive.
pub const ARCHIVE_DIRECTORY: usize = 4 << 20;

/// Bytes of the pickle of a PyTorch archive.
pub const PICKLE: usize = 4 << 20;

// ---- archives of images ----

/// Bytes of a long name or of the extended attributes of a member of a tar archive:
/// 1 MiB, what libarchive allows. A path that a system opens has 4 KiB.
pub const MEMBER_HEADER: u64 = 1 << 20;

/// Bytes of zeros that are passed over between the members of a tar archive before they
/// count as its end. Writers pad the end to a record, 10 KiB by default.
pub const ARCHIVE_ZEROS: u64 = 1 << 20;

// ---- files of answers ----

/// Bytes of one answer as a JSON line, in a file that is resumed: thirty times a ranking
/// of all labels that this project ships.
pub const ANSWER_LINE: usize = 256 << 20;

/// Bytes of an image's name in a file of answers: a member's longest name, each byte
/// written as U+FFFD and two digits.
pub const ANSWER_NAME: usize = 8 << 20;

/// Bytes of zeros at the end of a file of answers that are cut off. A loss of power
/// leaves what the system had not yet written, which it does after half a minute.
pub const ANSWER_ZEROS: u64 = 1 << 30;
