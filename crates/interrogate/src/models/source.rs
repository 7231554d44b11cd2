//! Model names as a user types them.
//!
//! Owns only the names; `hub` fetches files, `clip` and `starter` read them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::ModelError;
use crate::{Error, Result};

/// The source of a model.
///
/// Text is parsed in this order: `starter`; an existing folder or file; a name of open_clip
/// ([`ALIASES`]); a hub id, `owner/name` or `owner/name@revision`.
///
/// ```
/// use interrogate::models::ModelSource;
///
/// let source: ModelSource = "ViT-L-14/openai".parse()?;
/// assert_eq!(source.to_string(), "openai/clip-vit-large-patch14");
/// assert_eq!(source.slug(), "openai--clip-vit-large-patch14");
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The embedded default model. A folder with this name is `./starter`.
    Starter,
    /// A folder in the layout of Hugging Face or OpenCLIP.
    Folder(PathBuf),
    /// A file of weights in OpenAI's layout, such as `ViT-B-32.pt`.
    File(PathBuf),
    /// A repository on a model hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A branch, a tag, `refs/pr/N` or a commit; `None` is `main`.
        revision: Option<String>,
    },
}

/// The `architecture/pretrained` names of open_clip that have a hub repository in Hugging Face
/// layout, and that repository (open_clip, `pretrained.py`, and the repositories' model cards).
pub const ALIASES: [(&str, &str); 12] = [
    ("ViT-B-16/laion2b_s34b_b88k", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"),
    ("ViT-B-16/openai", "openai/clip-vit-base-patch16"),
    ("ViT-B-32-quickgelu/openai", "openai/clip-vit-base-patch32"),
    ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ("ViT-B-32/openai", "openai/clip-vit-base-patch32"),
    ("ViT-H-14/laion2b_s32b_b79k", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
    ("ViT-L-14-336/openai", "openai/clip-vit-large-patch14-336"),
    ("ViT-L-14-quickgelu/openai", "openai/clip-vit-large-patch14"),
    ("ViT-L-14/laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"),
    ("ViT-L-14/openai", "openai/clip-vit-large-patch14"),
    ("ViT-bigG-14/laion2b_s39b_b160k", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"),
    ("ViT-g-14/laion2b_s12b_b42k", "laion/CLIP-ViT-g-14-laion2B-s12B-b42K"),
];

/// Prefixes of open_clip's architectures. No owner on the hub has such a name.
const ARCHITECTURES: [&str; 7] = ["ViT-", "RN50", "RN101", "convnext_", "coca_", "EVA0", "EVA-"];

impl FromStr for ModelSource {
    type Err = Error;

    /// # Errors
    /// [`ModelError::Unknown`] for any other text; its hint lists the valid forms.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || unknown(text);
        if text == "starter" {
            return Ok(ModelSource::Starter);
        }
        if Path::new(text).is_dir() {
            return Ok(ModelSource::Folder(PathBuf::from(text)));
        }
        if Path::new(text).is_file() {
            return Ok(ModelSource::File(PathBuf::from(text)));
        }
        if let Some((_, repo)) = ALIASES.iter().find(|(alias, _)| *alias == text) {
            return Ok(ModelSource::Hub { repo: (*repo).to_owned(), revision: None });
        }
        let (repo, revision) = match text.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (text, None),
        };
        let (owner, name) = repo.split_once('/').ok_or_else(unknown)?;
        let is_id = [owner, name].into_iter().all(is_name);
        let is_architecture = ARCHITECTURES.iter().any(|start| owner.starts_with(start));
        if !is_id
            || is_architecture
            || !revision.is_none_or(|revision| revision.split('/').all(is_name))
        {
            return Err(unknown());
        }
        Ok(ModelSource::Hub { repo: repo.to_owned(), revision: revision.map(str::to_owned) })
    }
}

/// Formats the text that parses to the same source.
impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelSource::Starter => f.write_str("starter"),
            ModelSource::Folder(path) | ModelSource::File(path) => path.display().fmt(f),
            ModelSource::Hub { repo, revision: None } => f.write_str(repo),
            ModelSource::Hub { repo, revision: Some(revision) } => write!(f, "{repo}@{revision}"),
        }
    }
}

impl ModelSource {
    /// Returns a folder name for the model, of letters, digits, `.`, `_` and `-`:
    /// `openai--clip-vit-base-patch32` for a hub id, the last part of a folder's path, or a
    /// file's name without extension. Two models may have the same slug; an index tells them
    /// apart by fingerprint.
    pub fn slug(&self) -> String {
        let name = match self {
            // Resolves `.` and `..` to a folder with a name.
            ModelSource::Folder(folder) => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
            ModelSource::File(file) => {
                file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
            source => source.to_string().replace(['/', '@'], "--"),
        };
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let slug: String = name.chars().map(safe).collect();
        match slug.trim_start_matches('.') {
            "" => "model".to_owned(),
            slug => slug.to_owned(),
        }
    }
}

/// Whether `part` is a valid component of a hub id or a revision. Components go into URLs and
/// cache paths, so `..` and characters that need escaping are not allowed.
fn is_name(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !part.is_empty() && part.len() <= 96 && !part.starts_with(['.', '-']) && part.bytes().all(plain)
}

/// Returns the error for an invalid model name.
pub(super) fn unknown(name: &str) -> Error {
    let aliases = ALIASES.iter().map(|(alias, _)| *alias).collect();
    Error::Model(ModelError::Unknown { name: name.to_owned(), aliases })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(repo: &str, revision: Option<&str>) -> ModelSource {
        ModelSource::Hub { repo: repo.into(), revision: revision.map(Into::into) }
    }

    #[test]
    fn each_kind_of_name_is_parsed() {
        let parse = |text: &str| text.parse::<ModelSource>().unwrap();
        assert_eq!(parse("starter"), ModelSource::Starter);
        assert_eq!(
            parse("openai/clip-vit-base-patch32"),
            hub("openai/clip-vit-base-patch32", None)
        );
        assert_eq!(parse("a/b@refs/pr/15"), hub("a/b", Some("refs/pr/15")));
        assert_eq!(parse("ViT-B-32/openai"), hub("openai/clip-vit-base-patch32", None));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(parse(path), ModelSource::Folder(folder.path().into()));
        let file = folder.path().join("ViT-B-32.pt");
        std::fs::write(&file, "").unwrap();
        let source = parse(file.to_str().unwrap());
        assert_eq!(source, ModelSource::File(file.clone()));
        assert_eq!(
            (source.slug().as_str(), source.to_string()),
            ("ViT-B-32", file.display().to_string())
        );
    }

    #[test]
    fn invalid_name_is_refused_with_the_valid_forms() {
        for text in [
            "",
            "clip",
            "a/b/c",
            "./gone",
            "/gone",
            "../a/b",
            "a/..",
            "../a",
            "a/b@",
            "a/b@../x",
            "a/b@x//y",
            "a b/c",
            "a/b?c",
            "ViT-L-14/laion400m_e32",
            "a/-b",
        ] {
            let error = text.parse::<ModelSource>().unwrap_err();
            assert_eq!(error.to_string(), format!("no model is named {text:?}"));
            let hint = error.hint().unwrap();
            assert!(hint.contains("starter") && hint.contains("ViT-L-14/openai"), "{hint}");
        }
    }

    #[test]
    fn source_formats_as_it_was_parsed() {
        for text in ["starter", "a/b", "a/b@main", "a/b@refs/pr/15"] {
            assert_eq!(text.parse::<ModelSource>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn slugs_are_valid_folder_names() {
        let slug = |text: &str| text.parse::<ModelSource>().unwrap().slug();
        assert_eq!(slug("starter"), "starter");
        assert_eq!(slug("a/b@refs/pr/15"), "a--b--refs--pr--15");
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join(".my model");
        std::fs::create_dir(&mine).unwrap();
        assert_eq!(slug(mine.to_str().unwrap()), "my-model");
        assert_eq!(slug(mine.join("..").to_str().unwrap()), slug(folder.path().to_str().unwrap()));
        assert_eq!(ModelSource::Folder("/".into()).slug(), "model");
    }

    #[test]
    fn aliases_are_sorted_and_map_to_hub_ids() {
        assert!(ALIASES.is_sorted());
        for (_, repo) in ALIASES {
            assert_eq!(repo.parse::<ModelSource>().unwrap(), hub(repo, None));
        }
    }
}
