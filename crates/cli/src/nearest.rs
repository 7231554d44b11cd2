//! The known name that is nearest to a mistyped one.

/// Returns the name of `known` with the fewest differences from `typed`, if they are at most half
/// of it. Upper case and underscores do not count.
pub(crate) fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let typed = plain(typed);
    let distance = |known: &&str| strsim::levenshtein(&typed, &plain(known));
    let found = *known.iter().min_by_key(|known| distance(known))?;
    (typed.len() <= 64 && distance(&found) <= found.len() / 2).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_suggested() {
        let known = ["model", "caption-model"];
        for (typed, expected) in [
            ("modle", Some("model")),
            ("Model", Some("model")),
            ("caption_model", Some("caption-model")),
            ("captionmodel", Some("caption-model")),
            ("colour", None),
            ("", None),
            (&"model".repeat(99), None),
        ] {
            assert_eq!(nearest(typed, &known), expected, "{typed}");
        }
        assert_eq!(nearest("max_flavour", &["max_flavors", "mode"]), Some("max_flavors"));
        assert_eq!(nearest("model", &[]), None);
    }
}
