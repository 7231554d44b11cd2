//! Labels that no prompt is to say.

use std::path::Path;

use regex::{RegexSet, RegexSetBuilder};

use crate::{Error, Result};

/// Bytes that the compiled patterns may take: some 50,000 words.
const SIZE: usize = 256 << 20;

/// Words and patterns; a label that one of them meets is left out of a ranking.
#[derive(Clone, Debug)]
pub struct Deny(RegexSet);

impl Deny {
    /// Reads `text`, a word or pattern a line; `path` stands for it in errors.
    ///
    /// `nude` meets every label that has the word, as a whole and in any case:
    /// "a nude study", not "nudes". `/^by .*ski$/` is a regular expression, in the
    /// case it is written. Blank lines, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// [`Error::Pattern`] for a line that does not parse, or where all of them are
    /// too much.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim);
        let said = lines.enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let refused = |line: usize, source: regex::Error| Error::Pattern {
            path: path.to_owned(),
            line,
            source: source.into(),
        };
        let mut patterns = Vec::new();
        for (number, line) in said {
            let inner = line.strip_prefix('/').and_then(|line| line.strip_suffix('/'));
            match inner {
                Some(pattern) => {
                    regex::Regex::new(pattern).map_err(|source| refused(number + 1, source))?;
                    patterns.push(pattern.to_owned());
                }
                None => patterns.push(format!(r"(?i)(?:^|\W){}(?:\W|$)", regex::escape(line))),
            }
        }
        let set = RegexSetBuilder::new(patterns).size_limit(SIZE).build();
        set.map(Deny).map_err(|source| refused(0, source))
    }

    /// Whether `label` is to be left out.
    pub fn denies(&self, label: &str) -> bool {
        self.0.is_match(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(text: &str, label: &str) -> bool {
        Deny::parse(text, Path::new("deny.txt")).unwrap().denies(label)
    }

    #[test]
    fn a_word_is_met_whole_and_in_any_case() {
        for (label, met) in [
            ("a nude study", true),
            ("Nude", true),
            ("semi-nude figure", true),
            ("nudes", false),
            ("denuded hills", false),
            ("études nüde", false),
        ] {
            assert_eq!(denied("\u{feff}# words\n\n nude \r\n", label), met, "{label}");
        }
        assert!(denied("c++ (code)", "some c++ (code) here"));
        assert!(!denied("", "anything") && !denied("# nude", "nude"));
    }

    #[test]
    fn a_pattern_stands_between_slashes() {
        let text = "/^by .*ski$/\nrust";
        assert!(denied(text, "by beksinski") && !denied(text, "inspired by beksinski"));
        assert!(!denied(text, "By Beksinski") && denied(text, "RUST red"));
    }

    #[test]
    fn a_pattern_that_does_not_parse_is_named_with_its_line() {
        let error = Deny::parse("ok\n/(/\n", Path::new("deny.txt")).unwrap_err();
        assert_eq!(error.to_string(), "deny.txt: line 2 is no pattern");
        assert!(error.hint().unwrap().contains("/"));
    }
}
