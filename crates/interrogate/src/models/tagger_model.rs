//! Finds a tagger by name.

use std::path::PathBuf;

use super::{ModelSource, Options, Progress, hub, source};
use crate::error::ModelError;
use crate::tagger::NAMES;
use crate::{Error, Result};

/// Returns the folder of the tagger `name`, to be opened with
/// [`Tagger::open`](crate::tagger::Tagger::open): a folder that exists, a hub id, or one of
/// [`tagger::NAMES`](NAMES). Downloads the files that are missing from the cache; `progress` is
/// called as they download.
///
/// # Errors
/// [`ModelError::TaggerUnknown`] for a name that is none of these, [`ModelError::Ambiguous`], and
/// those of [`hub::fetch_tagger`].
pub fn tagger_folder(
    name: &str,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    match source::of_short_name(name, &NAMES, unknown)? {
        ModelSource::Hub { repo, revision } => {
            hub::fetch_tagger(&repo, revision.as_deref(), options, progress)
        }
        ModelSource::Folder(path) | ModelSource::File(path) => Ok(path),
        ModelSource::Starter => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Error {
    let known = NAMES.map(|(known, _)| known).to_vec();
    Error::Model(ModelError::TaggerUnknown { name: name.to_owned(), known })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Offline;

    #[test]
    fn tagger_is_a_folder_a_hub_id_or_a_short_name() {
        let cache = tempfile::tempdir().unwrap();
        let options = Options { offline: Some(Offline::Recorded), ..Options::new(cache.path()) };
        let folder = |name: &str| tagger_folder(name, &options, &mut |_| ());
        let path = cache.path().to_str().unwrap();
        assert_eq!(folder(path).unwrap(), cache.path());
        let message = |name| folder(name).unwrap_err().to_string();
        assert!(message("wd-vit-v3").contains("SmilingWolf/wd-vit-tagger-v3"));
        assert!(message("a/b").contains("a/b"));
        for name in ["starter", "wd-vit", "ViT-L-14/openai"] {
            let error = folder(name).unwrap_err();
            if name == "ViT-L-14/openai" {
                assert!(error.to_string().contains("openai/clip-vit-large-patch14"), "{error}");
                continue;
            }
            assert_eq!(error.to_string(), format!("unknown tagger {name:?}"));
            assert!(error.hint().unwrap().contains("wd-eva02-large-v3"));
        }
    }
}
