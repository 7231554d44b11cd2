//! Deny lists: labels that no prompt may contain.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use regex::{RegexSet, RegexSetBuilder};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::error::PromptError;
use crate::input::{LineEnding, Text};
use crate::{Error, Result, limits};

/// A deny list of words and patterns. A label that matches one of them is left out of a
/// ranking.
///
/// ```
/// use std::path::Path;
///
/// use interrogate::prompt::Deny;
///
/// let deny = Deny::parse("# words and patterns\nnude\n/^by .*ski$/", Path::new("deny.txt"))?;
/// assert!(deny.denies("a Nude study") && !deny.denies("nudes"));
/// assert!(deny.denies("by beksinski") && !deny.denies("inspired by beksinski"));
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deny {
    words: WordSet,
    patterns: RegexSet,
}

impl Deny {
    /// Reads the list at `path`: a file, or a pipe ([`Text::open`]).
    ///
    /// Memory: the size of the file, about 14 bytes per word, and at most 32 MiB for the
    /// patterns.
    ///
    /// # Errors
    /// [`Error::Io`], and the errors of [`parse`](Self::parse).
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(Text::open(path, limits::DENY_LIST)?)
    }

    /// Parses `text`, one word or pattern per line. Errors name `path`.
    ///
    /// `nude` matches every label that contains the whole word, ignoring case: "a nude
    /// study", but not "nudes". A line between slashes, such as `/^by .*ski$/`, is a
    /// case-sensitive regular expression. Blank lines and lines that begin with `#` are
    /// ignored.
    ///
    /// # Errors
    /// [`PromptError::Pattern`] for an invalid pattern; [`Error::Mismatch`] for a line that is
    /// not UTF-8 or too long, for too many patterns, and for patterns that need more than
    /// 32 MiB.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Self::read(Text::new(path, text.as_bytes(), limits::DENY_LIST)?)
    }

    fn read(text: Text<'_>) -> Result<Self> {
        let path = text.path().to_owned();
        let mut words = WordSet::default();
        let mut patterns = Vec::new();
        let mut lines = text.lines(LineEnding::Any, limits::DENY_LINE);
        while let Some(line) = lines.next_line()? {
            let text = line.text()?.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            match text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
                None => words.insert(text),
                Some(_) if patterns.len() == limits::PATTERNS => {
                    let expected = format!("at most {}", limits::PATTERNS);
                    return Err(line.mismatch("patterns", &expected, "more"));
                }
                Some(pattern) => {
                    // Parsed here so that an error names the line; all patterns are
                    // compiled together below, within one size limit.
                    regex_syntax::parse(pattern).map_err(|source| {
                        Error::Prompt(PromptError::Pattern {
                            path: path.clone(),
                            line: line.number,
                            source: source.into(),
                        })
                    })?;
                    patterns.push(pattern.to_owned());
                }
            }
        }
        let patterns = RegexSetBuilder::new(patterns).size_limit(limits::PATTERNS_SUM).build();
        let patterns = patterns.map_err(|_| {
            let expected = format!("at most {} bytes compiled", limits::PATTERNS_SUM);
            Error::mismatch(&path, "patterns", expected, "more")
        })?;
        Ok(Deny { words, patterns })
    }

    /// Returns whether a word or pattern matches `label`.
    pub fn denies(&self, label: &str) -> bool {
        self.words.matches(label) || self.patterns.is_match(label)
    }
}

/// A set of words, each matched like the regular expression `(?i)(?:^|\W)word(?:\W|$)`.
///
/// Parts of a label are looked up in a hash table, so the cost does not depend on the
/// number of words.
#[derive(Clone, Debug, Default)]
struct WordSet {
    /// The case-folded words, concatenated.
    text: String,
    /// The end of each word in `text`; `u32` because a list is at most 16 MiB.
    ends: Vec<u32>,
    /// The number of each word, by its hash.
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// The length in bytes of the longest word.
    longest: usize,
}

impl WordSet {
    fn insert(&mut self, word: &str) {
        let start = self.text.len();
        self.text.extend(word.chars().map(fold_case));
        let Ok(end) = u32::try_from(self.text.len()) else { return };
        let WordSet { text, ends, numbers, hasher, longest } = self;
        let number = ends.len() as u32;
        ends.push(end);
        let hash = |number: u32| hash_word(hasher, word_of(text, ends, number));
        let same = |&other: &u32| word_of(text, ends, other) == &text[start..];
        match numbers.entry(hash(number), same, |&other| hash(other)) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                *longest = (*longest).max(text.len() - start);
            }
            Entry::Occupied(_) => {
                ends.pop();
                text.truncate(start);
            }
        }
    }

    /// Returns whether `label` contains one of the words between non-word characters.
    fn matches(&self, label: &str) -> bool {
        if self.longest == 0 {
            return false;
        }
        let label: String = label.chars().map(fold_case).collect();
        let mut starts_here = true;
        for (start, c) in label.char_indices() {
            if starts_here && self.matches_start(&label[start..]) {
                return true;
            }
            starts_here = !is_word(c);
        }
        false
    }

    /// Returns whether `text` begins with one of the words.
    fn matches_start(&self, text: &str) -> bool {
        let mut hasher = self.hasher.build_hasher();
        let mut letters = text.char_indices().peekable();
        while let Some((at, c)) = letters.next() {
            let end = at + c.len_utf8();
            if end > self.longest {
                return false;
            }
            hasher.write_u32(c.into());
            let ends_here = letters.peek().is_none_or(|&(_, next)| !is_word(next));
            let same = |&number: &u32| word_of(&self.text, &self.ends, number) == &text[..end];
            if ends_here && self.numbers.find(hasher.clone().finish(), same).is_some() {
                return true;
            }
        }
        false
    }
}

fn word_of<'t>(text: &'t str, ends: &[u32], number: u32) -> &'t str {
    let end_of = |number: usize| ends.get(number).map_or(0, |&end| end as usize);
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, end_of);
    text.get(start..end_of(number)).unwrap_or_default()
}

/// Hashes a word character by character, as [`WordSet::matches_start`] does.
fn hash_word(hasher: &RandomState, word: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    word.chars().for_each(|c| hasher.write_u32(c.into()));
    hasher.finish()
}

/// Maps characters that differ only in case to one character: the lowest of the class
/// that Unicode's simple case folding, which `(?i)` uses, puts them in.
fn fold_case(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    class.case_fold_simple();
    class.ranges().first().map_or(c, ClassUnicodeRange::start)
}

/// Returns whether `\w` matches `c`.
fn is_word(c: char) -> bool {
    regex_syntax::is_word_character(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Deny> {
        Deny::parse(text, Path::new("deny.txt"))
    }

    fn denied(text: &str, label: &str) -> bool {
        parse(text).unwrap().denies(label)
    }

    #[test]
    fn a_word_matches_whole_words_in_any_case() {
        for (label, expected) in [
            ("a nude study", true),
            ("Nude", true),
            ("semi-nude figure", true),
            ("nudes", false),
            ("denuded hills", false),
            ("études nüde", false),
        ] {
            assert_eq!(denied("\u{feff}# words\n\n nude \r\n", label), expected, "{label}");
        }
        assert!(denied("c++ (code)", "some c++ (code) here"));
        assert!(denied("c++", "c++") && !denied("c++", "c++11"));
        assert!(!denied("", "anything") && !denied("# nude", "nude"));
        // The first occurrence is not a whole word, the second is.
        assert!(denied("a b", "xa b, a b"));
    }

    #[test]
    fn a_line_between_slashes_is_a_pattern() {
        let text = "/^by .*ski$/\nrust";
        assert!(denied(text, "by beksinski") && !denied(text, "inspired by beksinski"));
        assert!(!denied(text, "By Beksinski") && denied(text, "RUST red"));
    }

    #[test]
    fn an_invalid_pattern_is_reported_with_its_line() {
        let error = parse("ok\n/(/\n").unwrap_err();
        assert_eq!(error.to_string(), "deny.txt:2: invalid pattern");
        assert!(error.hint().unwrap().contains("/"));
    }

    #[test]
    fn a_list_beyond_a_limit_is_refused() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        let many = "/a/\n".repeat(limits::PATTERNS + 1);
        assert_eq!(message(&many), "deny.txt:1001: patterns: expected at most 1000, found more");
        let long = "x".repeat(limits::DENY_LINE + 1);
        assert_eq!(message(&long), "deny.txt:1: length: expected at most 1024 bytes, found more");
        let expected = "deny.txt: patterns: expected at most 33554432 bytes compiled, found more";
        assert_eq!(message(r"/(\w{999}){999}/"), expected);
        assert_eq!(message(&"/\\w{80}/\n".repeat(40)), expected);
    }

    #[test]
    fn a_list_of_100_000_words_matches() {
        let words: String = (0..100_000).map(|n| format!("word{n} x\n")).collect();
        let deny = parse(&words).unwrap();
        assert!(deny.denies("a Word99999 X!") && !deny.denies("word100000 x, word1 y"));
    }

    /// Characters with special case folding: long s, Kelvin, sigmas, sharp s, dotless and
    /// dotted i, iota subscript, Cherokee; and combining marks, which `\w` matches.
    const WORD: &str = "[abkKsS ,_\\-é\u{17f}\u{212a}σςΣßẞıİiIᾳᾼ\u{345}Ꭰꭰ\u{301}\u{200d}٣日]{1,3}";

    proptest! {
        #[test]
        fn words_match_like_the_regular_expression(
            words in prop::collection::vec(WORD, 1..6),
            label in prop::collection::vec(WORD, 0..4),
        ) {
            let (list, label) = (words.join("\n"), label.concat());
            let matches = |word: &str| {
                let word = regex::escape(word);
                let pattern = format!(r"(?i)(?:^|\W){word}(?:\W|$)");
                regex::Regex::new(&pattern).unwrap().is_match(&label)
            };
            let mut words = words.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
            let expected = words.any(matches);
            prop_assert_eq!(denied(&list, &label), expected);
        }
    }
}
