//! What `--model` names: a folder, a hub id, an open_clip name, or the starter.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded default.
    Starter,
    /// A checkpoint's folder in Hugging Face layout.
    Folder(PathBuf),
    /// A repository on a model hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// A branch, tag or commit; the main branch where there is none.
        revision: Option<String>,
    },
}

/// The name of the embedded model.
const STARTER: &str = "starter";

/// What open_clip calls a model and its weights, and the repository that holds
/// them in Hugging Face layout (open_clip, src/open_clip/pretrained.py).
const ALIASES: [(&str, &str); 8] = [
    ("ViT-B-16/openai", "openai/clip-vit-base-patch16"),
    ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ("ViT-B-32/openai", "openai/clip-vit-base-patch32"),
    ("ViT-H-14/laion2b_s32b_b79k", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
    ("ViT-L-14/laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"),
    ("ViT-L-14/openai", "openai/clip-vit-large-patch14"),
    ("ViT-L-14-336/openai", "openai/clip-vit-large-patch14-336"),
    ("ViT-bigG-14/laion2b_s39b_b160k", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"),
];

impl Source {
    /// Tells what `name` stands for: `starter`, else a folder if one stands
    /// there, else an open_clip name such as `ViT-L-14/openai`, else a hub id
    /// `owner/name` or `owner/name@revision`. A folder of the name `starter` is
    /// reached by `./starter`.
    ///
    /// ```
    /// use interrogate::models::Source;
    ///
    /// assert_eq!(Source::named("starter")?, Source::Starter);
    /// let large = Source::named("ViT-L-14/openai")?;
    /// assert_eq!(large, Source::named("openai/clip-vit-large-patch14")?);
    /// # Ok::<(), interrogate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ModelName`] where it can be none of these.
    pub fn named(name: &str) -> Result<Self> {
        if name == STARTER {
            return Ok(Source::Starter);
        }
        if Path::new(name).is_dir() {
            return Ok(Source::Folder(PathBuf::from(name)));
        }
        let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
        if let Some((_, repo)) = alias {
            return Ok(Source::Hub { repo: (*repo).to_owned(), revision: None });
        }
        let (repo, revision) = match name.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (name, None),
        };
        let whole = repo.split('/').count() == 2
            && repo.split('/').all(is_part)
            && revision.is_none_or(|revision| revision.split('/').all(is_part));
        if !whole {
            return Err(Error::ModelName { name: name.to_owned() });
        }
        Ok(Source::Hub { repo: repo.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// The open_clip names that [`named`](Self::named) knows, sorted.
    pub fn aliases() -> impl Iterator<Item = &'static str> {
        ALIASES.iter().map(|(alias, _)| *alias)
    }
}

/// Whether `part` may stand between two slashes: no path can be made of it.
fn is_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(allowed) && !part.chars().all(|c| c == '.')
}

/// The name by which [`Source::named`] finds it again; of a folder the path.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Starter => f.write_str(STARTER),
            Source::Folder(path) => path.display().fmt(f),
            Source::Hub { repo, revision: None } => f.write_str(repo),
            Source::Hub { repo, revision: Some(revision) } => write!(f, "{repo}@{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_a_hub_id() {
        for alias in Source::aliases() {
            let Source::Hub { repo, revision: None } = Source::named(alias).unwrap() else {
                panic!("{alias}")
            };
            assert_eq!(Source::named(&repo).unwrap().to_string(), repo);
        }
        assert_eq!(
            Source::named("vit-b-32/OPENAI").unwrap(),
            Source::named("ViT-B-32/openai").unwrap()
        );
    }

    #[test]
    fn a_folder_that_stands_there_wins() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert_eq!(Source::named(name).unwrap(), Source::Folder(folder.path().to_owned()));
    }

    #[test]
    fn a_revision_follows_an_at_sign() {
        let Source::Hub { repo, revision } = Source::named("owner/name@refs/pr/15").unwrap() else {
            panic!("a hub id was named")
        };
        assert_eq!((repo.as_str(), revision.as_deref()), ("owner/name", Some("refs/pr/15")));
    }

    #[test]
    fn what_can_be_no_model_is_refused() {
        for name in ["", "clip", "a/b/c", "../b", "a/..", "/etc/none", "a/b@", "a/b@../c", "a b/c"]
        {
            let error = Source::named(name).unwrap_err();
            assert_eq!(error.to_string(), format!("{name:?} names no model"));
            assert!(error.hint().unwrap().contains("starter"));
        }
    }
}
