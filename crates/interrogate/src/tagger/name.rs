//! How the names of tags are written.

/// Emoticons whose underscore is a part of the picture (app.py of SmilingWolf's space wd-tagger).
const EMOTICONS: [&str; 19] = [
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o",
    "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||",
];

/// Characters of a name that is kept as it is: other emoticons (tag_images_by_wd14_tagger.py of
/// kohya-ss/sd-scripts).
const SHORT: usize = 3;

/// Returns the name of a tag with spaces for underscores; emoticons keep theirs.
///
/// ```
/// use interrogate::tagger::without_underscores;
///
/// assert_eq!(without_underscores("long_hair"), "long hair");
/// assert_eq!(without_underscores("^_^"), "^_^");
/// ```
pub fn without_underscores(name: &str) -> String {
    if EMOTICONS.contains(&name) || name.chars().count() <= SHORT {
        return name.to_owned();
    }
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoticons_keep_their_underscore() {
        for name in ["0_0", "(o)_(o)", "<|>_<|>", "||_||", "d_b"] {
            assert_eq!(without_underscores(name), name);
        }
        assert_eq!(without_underscores("saber_(fate)"), "saber (fate)");
        assert_eq!(without_underscores("1girl"), "1girl");
    }
}
