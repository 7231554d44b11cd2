//! The parts of a prompt, and how they are joined.

use super::Style;

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
    Style::default().join(parts)
}

/// Joins parts like [`join`], with a weight on every label: `(label:1.12)`, the syntax of
/// Stable Diffusion front ends.
///
/// A weight is the label's score divided by the mean of all labels' scores, clamped to
/// 0.5..=1.5. Parentheses and backslashes of a label are escaped. No weights are written
/// if the mean is not positive.
pub fn weighted(parts: &[Part]) -> String {
    Style { weights: true, ..Style::default() }.join(parts)
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

    #[test]
    fn weights_are_relative_to_the_mean_score() {
        let parts = [
            Part::words("a cat"),
            Part::label("soft (fur)", 0.3),
            Part::label("dim", 0.2),
            Part::label("far", 0.0),
        ];
        assert_eq!(weighted(&parts), r"a cat, (soft \(fur\):1.50), (dim:1.20), (far:0.50)");
        assert_eq!(weighted(&parts[..1]), "a cat");
        assert_eq!(weighted(&[Part::label("dim", -0.2)]), "dim");
    }
}
