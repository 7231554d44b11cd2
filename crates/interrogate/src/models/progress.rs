//! Download progress.

/// The progress of one file's download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name in the repository.
    pub file: &'a str,
    /// Bytes on disk.
    pub done: u64,
    /// Size of the file in bytes.
    pub total: u64,
    /// Whether the hub gives a checksum: a SHA-256, which the file is verified with, or a Git id.
    /// Otherwise only the size is verified.
    pub has_checksum: bool,
}
