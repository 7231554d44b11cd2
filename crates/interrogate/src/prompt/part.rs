//! What a prompt is written of, piece by piece.

/// A piece of a prompt: some of the caption, or a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The words.
    pub text: String,
    /// A label's cosine with the image; `None` for a piece of the caption.
    pub score: Option<f32>,
    /// What stands between it and the piece before.
    pub(super) glue: &'static str,
}

/// What stands between the parts of a prompt.
pub(super) const SEPARATOR: &str = ", ";

impl Part {
    /// A label, behind a comma.
    pub fn label(text: &str, score: f32) -> Self {
        Part { text: text.to_owned(), score: Some(score), glue: SEPARATOR }
    }

    /// Words that nothing is known of, behind a comma.
    pub fn words(text: &str) -> Self {
        Part { text: text.to_owned(), score: None, glue: SEPARATOR }
    }

    /// The same behind `glue`.
    pub(super) fn behind(self, glue: &'static str) -> Self {
        Part { glue, ..self }
    }

    /// The pieces of a caption: what its own commas part. One newline at its end is
    /// taken off (captioners end with one), no other character is.
    pub fn caption(text: &str) -> Vec<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.split(SEPARATOR).map(Part::words).collect()
    }

    /// The same with the commas around empty pieces, as clip-interrogator has them: they
    /// belong to the piece before, or at the start to the one behind.
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

/// The parts in one line; empty ones leave no comma behind.
pub fn join(parts: &[Part]) -> String {
    written(parts, |part| part.text.clone())
}

/// The same with a weight on every label, `(label:1.12)`, as front ends of
/// Stable Diffusion read it: its score divided by the mean of all labels' scores,
/// between 0.5 and 1.5. Parentheses and backslashes of a label are escaped.
///
/// Labels whose scores have no positive mean stay as they are.
pub fn weighted(parts: &[Part]) -> String {
    let scores: Vec<f32> = parts.iter().filter_map(|part| part.score).collect();
    let mean = scores.iter().sum::<f32>() / scores.len().max(1) as f32;
    written(parts, |part| match part.score {
        Some(score) if mean > 0.0 && !part.text.is_empty() => {
            let weight = (score / mean).clamp(0.5, 1.5);
            format!("({}:{weight:.2})", escaped(&part.text))
        }
        _ => part.text.clone(),
    })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '(' | ')' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn written(parts: &[Part], write: impl Fn(&Part) -> String) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.text.is_empty()) {
        if !text.is_empty() {
            text += part.glue;
        }
        text += &write(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_its_pieces_without_the_newline_behind_it() {
        let parts = Part::caption("a cat, asleep\n");
        assert_eq!(parts, [Part::words("a cat"), Part::words("asleep")]);
        assert_eq!(join(&Part::caption("a cat.\n\n")), "a cat.\n");
        assert_eq!(join(&Part::caption("")), "");
    }

    #[test]
    fn empty_pieces_keep_their_commas_where_they_are_asked_for() {
        for text in ["one, , two", ", one", "one, ", ", , one, , , two, ", "one, two", ", "] {
            let parts = Part::caption_with_empty(text);
            assert_eq!(join(&parts), text);
            assert!(parts.iter().all(|part| !part.text.is_empty()), "{text:?}");
        }
        assert_eq!(Part::caption_with_empty("one, , two").len(), 2);
    }

    #[test]
    fn empty_parts_leave_no_glue() {
        let parts =
            [Part::words(""), Part::label("by Monet", 0.3).behind(" "), Part::label("sea", 0.2)];
        assert_eq!(join(&parts), "by Monet, sea");
        let parts = [Part::words("a photo"), Part::words(""), parts[1].clone()];
        assert_eq!(join(&parts), "a photo by Monet");
    }

    #[test]
    fn weights_say_how_a_label_stands_to_the_others() {
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
