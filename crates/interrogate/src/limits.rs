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

/// Bytes of a file that holds a token for the hub: tokens have some 40.
pub const TOKEN: u64 = 64 << 10;

// ---- indexes and builds ----

/// Bytes of a table's label file, which is read into memory at its first use: 4 GiB of
/// text, which is what its ends of 32 bits can say, and 1 GiB of ends, four bytes a
/// label.
pub const LABEL_FILE: u64 = 5 << 30;

/// Bytes of a lock's file: who holds it, and the options of a run.
pub const LOCK: u64 = 1 << 20;

/// Bytes of one record of a build's journal, which is read into memory: 2,048 rows of
/// the widest model that the format allows (65,536 values of two bytes) and as much
/// again for their labels. The largest CLIP takes 5 MB.
pub const JOURNAL_RECORD: u64 = 512 << 20;

// ---- downloads ----

/// Bytes of a file of weights from the hub, whose SHA-256 it gives: shards have 5 to
/// 10 GB, the largest single files of the models that are read here some 20.
pub const DOWNLOAD: u64 = 64 << 30;

/// The same of one whose SHA-256 the hub does not give, so that nothing tells whether it
/// is the file that was meant: as large as the models that mirrors serve.
pub const DOWNLOAD_UNVERIFIED: u64 = 16 << 30;

/// Seconds that a hub may ask to be left alone (`Retry-After`) before the next try; it
/// is tried earlier where it asks for more.
pub const RETRY_AFTER: u64 = 120;

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
