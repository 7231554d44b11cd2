//! The name of an image in results and messages.

use std::path::{Path, PathBuf};

use crate::fields::Value;

/// An image's name, and its file if it has one of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    /// The name in results, made by [`text`].
    pub(crate) text: String,
    /// The image's file; `None` for a member of an archive.
    pub(crate) file: Option<PathBuf>,
    /// The values that pass through to its row. Empty outside of shards.
    pub(crate) fields: Vec<Value>,
}

impl Name {
    pub(crate) fn new(text: String, file: Option<PathBuf>) -> Self {
        Name { text, file, fields: Vec::new() }
    }

    /// Returns the name as a path, for messages.
    pub(crate) fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(&self.text))
    }
}

/// Returns `path` as text. Each byte that is not UTF-8 becomes U+FFFD and the byte's two
/// hex digits, so that paths which differ in such bytes alone stay different in a file of
/// results: `--resume` finds finished images by this text. (A path that itself holds
/// U+FFFD and two digits can collide with such a path.)
pub(crate) fn text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text += chunk.valid();
        chunk.invalid().iter().for_each(|byte| text += &format!("\u{fffd}{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn invalid_utf8_stays_distinct() {
        use std::os::unix::ffi::OsStrExt;
        let of = |bytes: &[u8]| text(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        assert_eq!(of("é.jpg".as_bytes()), "é.jpg");
        assert_eq!(of(b"a\xff.jpg"), "a\u{fffd}ff.jpg");
        assert_ne!(of(b"a\xfe.jpg"), of(b"a\xff.jpg"));
    }

    #[test]
    fn path_of_an_archive_member_is_its_text() {
        let member = Name::new("a.tar/0.jpg".to_owned(), None);
        assert_eq!(member.path(), Path::new("a.tar/0.jpg"));
    }
}
