//! How a finished prompt is written: separator, replacements, escapes, weights.

use super::Prompt;
use super::part::{Part, SEPARATOR, join_with};

/// How the parts of a prompt are written. The default is the prompt's own text.
///
/// A style is applied to a prompt that is finished: scores and token limits are those of the
/// parts joined by commas.
///
/// ```
/// use interrogate::prompt::{Part, Style};
///
/// let style = Style {
///     separator: Some(" | ".into()),
///     replacements: vec![("araffe".into(), "cat".into())],
///     escape_parens: true,
///     ..Style::default()
/// };
/// let parts = [Part::words("an araffe"), Part::label("fur (soft)", 0.2)];
/// assert_eq!(style.join(&parts), r"an cat | fur \(soft\)");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The text between two parts, in place of a comma and a space. An artist that follows its
    /// medium keeps the space alone.
    pub separator: Option<String>,
    /// Texts to replace in each part, in this order, and what replaces them. A part that becomes
    /// empty is left out.
    pub replacements: Vec<(String, String)>,
    /// Whether parentheses and backslashes are escaped with a backslash, so that front ends of
    /// Stable Diffusion do not read them as weights.
    pub escape_parens: bool,
    /// Whether labels have weights, `(label:1.12)`: see [`weighted`](super::weighted).
    pub weights: bool,
}

impl Style {
    /// Returns `prompt` as it is written in this style.
    pub fn write(&self, prompt: &Prompt<'_>) -> String {
        if *self == Style::default() { prompt.text.clone() } else { self.join(&prompt.parts) }
    }

    /// Returns `text`, such as a caption, with the replacements and escapes of this style.
    pub fn write_text(&self, text: &str) -> String {
        self.escaped(self.replaced(text))
    }

    /// Joins parts into one line; parts that are empty, or become so, are left out with their
    /// separators.
    pub fn join(&self, parts: &[Part]) -> String {
        let replaced =
            parts.iter().map(|part| Part { text: self.replaced(&part.text), ..part.clone() });
        let parts: Vec<Part> = replaced.collect();
        let scores: Vec<f32> = parts.iter().filter_map(|part| part.score).collect();
        let mean = scores.iter().sum::<f32>() / scores.len().max(1) as f32;
        let separator = |part: &Part| match &self.separator {
            Some(separator) if part.separator == SEPARATOR => separator.as_str(),
            _ => part.separator,
        };
        join_with(&parts, separator, |part| match part.score {
            Some(score) if self.weights && mean > 0.0 => {
                let weight = (score / mean).clamp(0.5, 1.5);
                format!("({}:{weight:.2})", escape(&part.text))
            }
            _ => self.escaped(part.text.clone()),
        })
    }

    fn replaced(&self, text: &str) -> String {
        let replace = |text: String, (from, to): &(String, String)| match from.as_str() {
            "" => text,
            from => text.replace(from, to),
        };
        self.replacements.iter().fold(text.to_owned(), replace)
    }

    fn escaped(&self, text: String) -> String {
        if self.escape_parens { escape(&text) } else { text }
    }
}

/// Joins parts like [`join`](super::join), with a weight on every label: `(label:1.12)`, the syntax of
/// Stable Diffusion front ends.
///
/// A weight is the label's score divided by the mean of all labels' scores, clamped to
/// 0.5..=1.5. Parentheses and backslashes of a label are escaped. No weights are written
/// if the mean is not positive.
pub fn weighted(parts: &[Part]) -> String {
    Style { weights: true, ..Style::default() }.join(parts)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '(' | ')' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> [Part; 4] {
        [
            Part::words("a cat (asleep)"),
            Part::label("a photo", 0.3),
            Part::label("by Monet", 0.3).with_separator(" "),
            Part::label("fur", 0.3),
        ]
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

    #[test]
    fn default_style_joins_with_commas() {
        let style = Style::default();
        assert_eq!(style.join(&parts()), "a cat (asleep), a photo by Monet, fur");
        assert_eq!(style.join(&parts()), super::super::join(&parts()));
        assert_eq!(style.write_text("a (b)"), "a (b)");
    }

    #[test]
    fn separator_replaces_commas_alone() {
        let style = Style { separator: Some("; ".into()), ..Style::default() };
        assert_eq!(style.join(&parts()), "a cat (asleep); a photo by Monet; fur");
        let style = Style { separator: Some(String::new()), ..Style::default() };
        assert_eq!(style.join(&parts()[2..]), "by Monetfur");
    }

    #[test]
    fn replacements_follow_each_other_and_empty_parts_are_left_out() {
        let pairs = [("cat", "dog"), ("dog", "fox"), ("by Monet", ""), ("", "x")];
        let replacements = pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec();
        let style = Style { replacements, ..Style::default() };
        assert_eq!(style.join(&parts()), "a fox (asleep), a photo, fur");
        assert_eq!(style.write_text("cats, dogs"), "foxs, foxs");
    }

    #[test]
    fn parentheses_are_escaped_once() {
        let style = Style { escape_parens: true, weights: true, ..Style::default() };
        let parts = [Part::words(r"a \ (b)"), Part::label("fur (soft)", 0.2)];
        assert_eq!(style.join(&parts), r"a \\ \(b\), (fur \(soft\):1.00)");
        assert_eq!(style.write_text("(a)"), r"\(a\)");
        let plain = Style { weights: true, ..Style::default() };
        assert_eq!(plain.join(&parts), r"a \ (b), (fur \(soft\):1.00)");
    }
}
