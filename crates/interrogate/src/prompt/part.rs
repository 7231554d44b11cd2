//! The parts of a prompt, and how they are joined.

/// A part of a prompt: a piece of the caption, a label, or other text.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The text of the part.
    pub text: String,
    /// The label's cosine with the image; `None` if the part is not a label.
    pub score: Option<f32>,
    /// The text between the previous part and this one.
    pub(super) separator: &'static str,
}

/// The default text between the parts of a prompt.
pub(super) const SEPARATOR: &str = ", ";

impl Part {
    /// Creates a label, separated by a comma.
    pub fn label(text: &str, score: f32) -> Self {
        Part { text: text.to_owned(), score: Some(score), separator: SEPARATOR }
    }

    /// Creates a part without a score, separated by a comma.
    pub fn words(text: &str) -> Self {
        Part { text: text.to_owned(), score: None, separator: SEPARATOR }
    }

    /// Replaces the text between the previous part and this one.
    pub(super) fn with_separator(self, separator: &'static str) -> Self {
        Part { separator, ..self }
    }

    /// Splits a caption at `", "`. Removes one newline at its end, which captioners
    /// write, and no other character.
    pub fn caption(text: &str) -> Vec<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.split(SEPARATOR).map(Part::words).collect()
    }

    /// Splits a caption like [`caption`](Self::caption), but keeps the commas around
    /// empty pieces, as clip-interrogator does: they belong to the previous piece, or at
    /// the start to the next one.
    pub(super) fn caption_with_empty(text: &str) -> Vec<Self> {
        let mut parts: Vec<Part> = Vec::new();
        for piece in Part::caption(text) {
            match parts.last_mut() {
                Some(last) if last.text.is_empty() || piece.text.is_empty() => {
                    last.text += SEPARATOR;
                    last.text += &piece.text;
                }
                _ => parts.push(piece),
            }
        }
        parts
    }
}

/// Joins parts into one line; empty parts are left out with their separators.
pub fn join(parts: &[Part]) -> String {
    join_with(parts, |part| part.separator, |part| part.text.clone())
}

/// Joins the parts whose text is not empty. `write` returns the text of a part, `separator` the
/// text before it.
pub(super) fn join_with<'a>(
    parts: &'a [Part],
    separator: impl Fn(&'a Part) -> &'a str,
    write: impl Fn(&Part) -> String,
) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.text.is_empty()) {
        if !text.is_empty() {
            text += separator(part);
        }
        text += &write(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_split_at_commas_and_loses_one_newline() {
        let parts = Part::caption("a cat, asleep\n");
        assert_eq!(parts, [Part::words("a cat"), Part::words("asleep")]);
        assert_eq!(join(&Part::caption("a cat.\n\n")), "a cat.\n");
        assert_eq!(join(&Part::caption("")), "");
    }

    #[test]
    fn caption_with_empty_keeps_the_commas_of_empty_pieces() {
        for text in ["one, , two", ", one", "one, ", ", , one, , , two, ", "one, two", ", "] {
            let parts = Part::caption_with_empty(text);
            assert_eq!(join(&parts), text);
            assert!(parts.iter().all(|part| !part.text.is_empty()), "{text:?}");
        }
        assert_eq!(Part::caption_with_empty("one, , two").len(), 2);
    }

    #[test]
    fn empty_parts_leave_no_separator() {
        let parts = [
            Part::words(""),
            Part::label("by Monet", 0.3).with_separator(" "),
            Part::label("sea", 0.2),
        ];
        assert_eq!(join(&parts), "by Monet, sea");
        let parts = [Part::words("a photo"), Part::words(""), parts[1].clone()];
        assert_eq!(join(&parts), "a photo by Monet");
    }
}
