//! Labels that no prompt is to say.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use regex::{RegexSet, RegexSetBuilder};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::input::{LineEnding, Text};
use crate::{Error, Result, limits};

/// Words and patterns; a label that one of them meets is left out of a ranking.
#[derive(Clone, Debug)]
pub struct Deny {
    words: Words,
    patterns: RegexSet,
}

impl Deny {
    /// Reads the list at `path`, a file or what another program writes
    /// ([`Text::open`]).
    ///
    /// Memory: the file's size and some 14 bytes a word, at most 32 MiB for the
    /// patterns.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse), and [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(Text::open(path, limits::DENY_LIST)?)
    }

    /// Reads `text`, a word or pattern a line; `path` stands for it in errors.
    ///
    /// `nude` meets every label that has the word, as a whole and in any case:
    /// "a nude study", not "nudes". `/^by .*ski$/` is a regular expression, in the
    /// case it is written. Blank lines, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// [`Error::Pattern`] for a pattern that does not parse, [`Error::Mismatch`] for a
    /// line that is no text or too long, and where the patterns are too many or take
    /// more than 32 MiB.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Self::read(Text::new(path, text.as_bytes(), limits::DENY_LIST)?)
    }

    fn read(text: Text<'_>) -> Result<Self> {
        let path = text.path().to_owned();
        let mut words = Words::default();
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
                    // Parsed alone, to name the line; compiled together, within one limit.
                    regex_syntax::parse(pattern).map_err(|source| Error::Pattern {
                        path: path.clone(),
                        line: line.number,
                        source: source.into(),
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

    /// Whether `label` is to be left out.
    pub fn denies(&self, label: &str) -> bool {
        self.words.meet(label) || self.patterns.is_match(label)
    }
}

/// Words that are met as the regular expression `(?i)(?:^|\W)word(?:\W|$)` meets them,
/// however many they are: a label's pieces are looked up in a table.
#[derive(Clone, Debug, Default)]
struct Words {
    /// The words, folded, one behind the other.
    text: String,
    /// Where each ends in `text`: a list has at most 16 MiB.
    ends: Vec<u32>,
    /// The number of each word, by its hash.
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// Bytes of the longest.
    longest: usize,
}

impl Words {
    fn insert(&mut self, word: &str) {
        let start = self.text.len();
        self.text.extend(word.chars().map(folded));
        let Ok(end) = u32::try_from(self.text.len()) else { return };
        let Words { text, ends, numbers, hasher, longest } = self;
        let number = ends.len() as u32;
        ends.push(end);
        let hash = |number: u32| hashed(hasher, word_of(text, ends, number));
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

    /// Whether `label` has one of the words: a piece of it between characters that
    /// belong to no word.
    fn meet(&self, label: &str) -> bool {
        if self.longest == 0 {
            return false;
        }
        let label: String = label.chars().map(folded).collect();
        let mut starts_here = true;
        for (start, c) in label.char_indices() {
            if starts_here && self.meets_at(&label[start..]) {
                return true;
            }
            starts_here = !is_word(c);
        }
        false
    }

    /// Whether `text` begins with one of the words.
    fn meets_at(&self, text: &str) -> bool {
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

/// The hash of a word, character by character as a label is looked through.
fn hashed(hasher: &RandomState, word: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    word.chars().for_each(|c| hasher.write_u32(c.into()));
    hasher.finish()
}

/// One for all characters that are alike but for their case: the first of Unicode's
/// simple case folding, as `(?i)` has it.
fn folded(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut alike = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    alike.case_fold_simple();
    alike.ranges().first().map_or(c, ClassUnicodeRange::start)
}

/// Whether `\w` meets it.
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
        assert!(denied("c++", "c++") && !denied("c++", "c++11"));
        assert!(!denied("", "anything") && !denied("# nude", "nude"));
        // The first place does not count, the second does.
        assert!(denied("a b", "xa b, a b"));
    }

    #[test]
    fn a_pattern_stands_between_slashes() {
        let text = "/^by .*ski$/\nrust";
        assert!(denied(text, "by beksinski") && !denied(text, "inspired by beksinski"));
        assert!(!denied(text, "By Beksinski") && denied(text, "RUST red"));
    }

    #[test]
    fn a_pattern_that_does_not_parse_is_named_with_its_line() {
        let error = parse("ok\n/(/\n").unwrap_err();
        assert_eq!(error.to_string(), "deny.txt:2: invalid pattern");
        assert!(error.hint().unwrap().contains("/"));
    }

    #[test]
    fn a_list_that_is_too_much_says_where() {
        let said = |text: &str| parse(text).unwrap_err().to_string();
        let many = "/a/\n".repeat(limits::PATTERNS + 1);
        assert_eq!(said(&many), "deny.txt:1001: patterns: expected at most 1000, found more");
        let long = "x".repeat(limits::DENY_LINE + 1);
        assert_eq!(said(&long), "deny.txt:1: length: expected at most 1024 bytes, found more");
        let expected = "deny.txt: patterns: expected at most 33554432 bytes compiled, found more";
        assert_eq!(said(r"/(\w{999}){999}/"), expected);
        assert_eq!(said(&"/\\w{80}/\n".repeat(40)), expected);
    }

    #[test]
    fn many_words_are_met() {
        let words: String = (0..100_000).map(|n| format!("word{n} x\n")).collect();
        let deny = parse(&words).unwrap();
        assert!(deny.denies("a Word99999 X!") && !deny.denies("word100000 x, word1 y"));
    }

    /// Letters that fold in ways of their own: long s, Kelvin, sigmas, sharp s, dotless
    /// and dotted i, iota below, Cherokee, and marks that belong to a word.
    const WORD: &str = "[abkKsS ,_\\-é\u{17f}\u{212a}σςΣßẞıİiIᾳᾼ\u{345}Ꭰꭰ\u{301}\u{200d}٣日]{1,3}";

    proptest! {
        #[test]
        fn words_are_met_as_the_regular_expression_meets_them(
            words in prop::collection::vec(WORD, 1..6),
            label in prop::collection::vec(WORD, 0..4),
        ) {
            let (list, label) = (words.join("\n"), label.concat());
            let meets = |word: &str| {
                let word = regex::escape(word);
                let pattern = format!(r"(?i)(?:^|\W){word}(?:\W|$)");
                regex::Regex::new(&pattern).unwrap().is_match(&label)
            };
            let mut words = words.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
            let expected = words.any(meets);
            prop_assert_eq!(denied(&list, &label), expected);
        }
    }
}
