//! The extension of sidecars.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The extension of a file, without its dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension(String);

impl Extension {
    /// Returns the path of the sidecar of `image`: its own with this extension.
    pub(crate) fn sidecar(&self, image: &Path) -> PathBuf {
        image.with_extension(&self.0)
    }
}

impl Default for Extension {
    fn default() -> Self {
        Extension("txt".to_owned())
    }
}

impl FromStr for Extension {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let extension = typed.strip_prefix('.').unwrap_or(typed);
        if extension.is_empty() || extension.contains(['/', '\\', ':', '\0']) {
            return Err("expected an extension such as txt or .caption".to_owned());
        }
        Ok(Extension(extension.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_may_begin_with_a_dot_and_has_no_separator() {
        let of = |typed: &str| typed.parse().map(|extension: Extension| extension.0);
        assert_eq!(of(".caption"), Ok("caption".to_owned()));
        assert_eq!(of("a.txt"), Ok("a.txt".to_owned()));
        for typed in ["", ".", "../x", "a/b", "a\\b", "a:b"] {
            assert!(of(typed).is_err(), "{typed}");
        }
        assert_eq!(Extension::default().sidecar(Path::new("d/a.b.jpg")), Path::new("d/a.b.txt"));
    }
}
