//! The file names of clip-interrogator's caches.

use interrogate::models::{ModelSource, known};

use crate::Dictionary;

/// Returns the model's names in the file names of its caches, most likely first: its names
/// in open_clip, and its id, each with `_` for `/` and `@` (clip-interrogator,
/// `LabelTable.__init__`). A model in a folder has the folder's name.
///
/// ```
/// let names = build_index::cache_names("openai/clip-vit-large-patch14");
/// assert_eq!(names[0], "ViT-L-14_openai");
/// ```
pub fn cache_names(model: &str) -> Vec<String> {
    let known = known().iter().filter(|known| known.repo == model);
    let mut names: Vec<&str> = known.map(|known| known.name).collect();
    // Two names of one model differ by a suffix; the shorter is the likelier.
    names.sort_by_key(|name| name.len());
    let own = match model.parse() {
        Ok(folder @ ModelSource::Folder(_)) => folder.slug(),
        _ => model.to_owned(),
    };
    names.into_iter().chain([&*own]).map(|name| name.replace(['/', '@'], "_")).collect()
}

/// Returns the file name of a table's cache.
pub(super) fn file_name(model: &str, table: &str) -> String {
    format!("{model}_{table}.safetensors")
}

/// Splits a file name into the model's name and the dictionary of the table. Either may
/// hold a `_`; the longest table name that fits is taken.
pub(super) fn split<'n, 'd>(
    name: &'n str,
    dictionaries: &'d [Dictionary],
) -> Option<(&'n str, &'d Dictionary)> {
    let stem = name.strip_suffix(".safetensors")?;
    let model = |dictionary: &'d Dictionary| {
        let model = stem.strip_suffix(dictionary.table())?.strip_suffix('_')?;
        (!model.is_empty()).then_some((model, dictionary))
    };
    dictionaries.iter().filter_map(model).max_by_key(|(_, dictionary)| dictionary.table().len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_those_of_open_clip_first() {
        assert_eq!(
            cache_names("openai/clip-vit-base-patch32"),
            ["ViT-B-32_openai", "ViT-B-32-quickgelu_openai", "openai_clip-vit-base-patch32"]
        );
        assert_eq!(cache_names("a/b@main"), ["a_b_main"]);
    }

    #[test]
    fn file_name_is_split_into_model_and_table() {
        let dictionaries = ["flavors.txt", "my_flavors.txt"]
            .map(|n| Dictionary::parse(Path::new(n), b"x").unwrap());
        let found = |name| split(name, &dictionaries).map(|(model, d)| (model, d.table()));
        assert_eq!(
            found("ViT-L-14_openai_flavors.safetensors"),
            Some(("ViT-L-14_openai", "flavors"))
        );
        assert_eq!(found("m_my_flavors.safetensors"), Some(("m", "my_flavors")));
        for other in
            ["flavors.safetensors", "_flavors.safetensors", "m_x.safetensors", "m_flavors.pkl"]
        {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
