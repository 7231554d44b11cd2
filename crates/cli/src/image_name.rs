//! The name of an image.

use std::path::{Path, PathBuf};

/// The name of an image, and its file where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// The name as records and messages have it: [`path_text`] of a path, or the path of an
    /// archive and of a member.
    pub(crate) text: String,
    /// The image's own file. `None` for a member of an archive.
    pub(crate) file: Option<PathBuf>,
}

impl ImageName {
    /// The file, or the name as a path, for messages.
    pub(crate) fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(&self.text))
    }
}

/// Returns `path` as text. Each byte that is not UTF-8 becomes U+FFFD and its two hex digits, so
/// that names that differ in such bytes stay different: `--resume` finds an image's row by this
/// text. (A name that itself holds U+FFFD and digits may collide with another.)
pub(crate) fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text += chunk.valid();
        chunk.invalid().iter().for_each(|byte| text += &format!("\u{fffd}{byte:02x}"));
    }
    text
}
