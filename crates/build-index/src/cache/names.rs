//! What clip-interrogator calls the files of its caches.

use interrogate::models::{ALIASES, ModelSource};

use crate::Dictionary;

/// What stands before the table in the names of a model's caches, most likely
/// first: its names in open_clip, and its id, each with `_` for `/` and `@`
/// (clip-interrogator, `LabelTable.__init__`). Of a folder's path the last part is
/// the name.
///
/// ```
/// let names = build_index::cache_names("openai/clip-vit-large-patch14");
/// assert_eq!(names[0], "ViT-L-14_openai");
/// ```
pub fn cache_names(model: &str) -> Vec<String> {
    let aliases = ALIASES.iter().filter(|(_, repo)| *repo == model).map(|(alias, _)| *alias);
    let mut names: Vec<&str> = aliases.collect();
    // Of two names for one model, the one that the other only adds to.
    names.sort_by_key(|name| name.len());
    let own = match model.parse() {
        Ok(folder @ ModelSource::Folder(_)) => folder.slug(),
        _ => model.to_owned(),
    };
    names.into_iter().chain([&*own]).map(|name| name.replace(['/', '@'], "_")).collect()
}

/// The name of a table's cache.
pub(super) fn file_name(model: &str, table: &str) -> String {
    format!("{model}_{table}.safetensors")
}

/// What a file of this name is: the model's name, and the dictionary of its table.
/// The longest table's name counts, as either may hold a `_`.
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
    fn models_are_called_as_open_clip_calls_them() {
        assert_eq!(
            cache_names("openai/clip-vit-base-patch32"),
            ["ViT-B-32_openai", "ViT-B-32-quickgelu_openai", "openai_clip-vit-base-patch32"]
        );
        assert_eq!(cache_names("a/b@main"), ["a_b_main"]);
    }

    #[test]
    fn a_name_is_a_model_s_and_a_table_s() {
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
