//! Prompts that a model reads to their end.

use super::part::{Part, SEPARATOR, join};
use crate::encoder::Counter;
use crate::{Error, Result};

/// Tokens of a prompt unless more are asked for: what CLIP's text tower reads,
/// whatever the model that ranks reads.
pub const DEFAULT_TOKENS: usize = 77;

/// What a prompt must keep to.
#[derive(Clone, Copy)]
pub struct TokenBudget<'a> {
    counter: &'a dyn Counter,
    tokens: usize,
    after: &'a [Part],
}

impl<'a> TokenBudget<'a> {
    /// As many tokens as the model reads, or `most` where that is fewer; special
    /// tokens count.
    pub fn new(counter: &'a dyn Counter, most: Option<usize>) -> Self {
        let tokens = counter.context_length();
        TokenBudget { counter, tokens: most.map_or(tokens, |most| most.min(tokens)), after: &[] }
    }

    /// The same for texts that `after` will follow: [`fits`](Self::fits) and
    /// [`is_full`](Self::is_full) count it.
    #[must_use]
    pub fn reserving(self, after: &'a [Part]) -> Self {
        TokenBudget { after, ..self }
    }

    fn count(&self, text: &str) -> Result<usize> {
        match self.after {
            [] => self.counter.count(text),
            after => self.counter.count(&join(&[&[Part::words(text)], after].concat())),
        }
    }

    /// The tokens that there are.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Whether `text` keeps to it, all of its tokens counted.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn fits(&self, text: &str) -> Result<bool> {
        Ok(self.count(text)? <= self.tokens)
    }

    /// Whether nothing more has room behind `text`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn is_full(&self, text: &str) -> Result<bool> {
        Ok(self.count(text)? >= self.tokens)
    }

    /// Refuses a text that does not keep to it: the last thing that happens to a prompt.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`], [`Error::Tokenizer`].
    pub fn check(&self, text: &str) -> Result<()> {
        match self.count(text)? {
            tokens if tokens <= self.tokens => Ok(()),
            tokens => {
                Err(Error::PromptTooLong { what: text.to_owned(), tokens, limit: self.tokens })
            }
        }
    }

    /// `before`, then `parts` as long as the whole fits, then `after`: what does not
    /// fit ends the prompt, and what stands behind it is left out with it. Where
    /// already the first of `parts` does not fit, it loses its last words.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] where `before` and `after` alone do not fit,
    /// [`Error::Tokenizer`].
    pub fn fit(&self, before: &[Part], parts: Vec<Part>, after: &[Part]) -> Result<Vec<Part>> {
        let whole = |middle: &[Part]| [before, middle, after].concat();
        self.check(&join(&whole(&[])))?;
        let mut kept: Vec<Part> = Vec::with_capacity(parts.len().min(self.tokens));
        for part in parts.into_iter().filter(|part| !part.text.is_empty()) {
            kept.push(part);
            if self.fits(&join(&whole(&kept)))? {
                continue;
            }
            let part = kept.pop();
            if let (Some(part), true) = (part, kept.is_empty()) {
                let holds = |text: &str| {
                    let shorter = Part { text: text.to_owned(), ..part.clone() };
                    self.fits(&join(&whole(&[shorter])))
                };
                match first_words(&part.text, holds)? {
                    "" => {}
                    text => kept.push(Part { text: text.to_owned(), ..part.clone() }),
                }
            }
            break;
        }
        Ok(whole(&kept))
    }

    /// The beginning of `text` as clip-interrogator 0.6.0 cuts it
    /// (`_truncate_to_fit`): pieces between commas are taken as long as the text
    /// with the next one, its comma left out, has fewer tokens than there are; the
    /// first is taken whatever it has.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn fit_compat(&self, text: &str) -> Result<String> {
        let mut pieces = text.split(SEPARATOR);
        let mut kept = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            if self.is_full(&[&kept, piece].concat())? {
                break;
            }
            kept.extend([SEPARATOR, piece]);
        }
        Ok(kept)
    }
}

/// The longest beginning of `text` of whole words that `holds`, empty where none
/// does; `text` itself does not.
pub(super) fn first_words(text: &str, holds: impl Fn(&str) -> Result<bool>) -> Result<&str> {
    let mut ends = vec![0];
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && inside {
            ends.push(at);
        }
        inside = !c.is_whitespace();
    }
    let last = most_that_holds(ends.len(), |words| holds(&text[..ends[words]]))?;
    Ok(&text[..ends[last]])
}

/// The greatest number below `high` that `holds`, 0 where none does. What holds is
/// taken to hold with fewer, so that the number of tries is a logarithm.
pub(super) fn most_that_holds(high: usize, holds: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (0, high.max(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A token a letter that is no space, and two around them.
    struct Letters(usize);

    impl Counter for Letters {
        fn count(&self, text: &str) -> Result<usize> {
            Ok(text.chars().filter(|c| !c.is_whitespace()).count() + 2)
        }
        fn context_length(&self) -> usize {
            self.0
        }
    }

    fn fitted(parts: &[&str], [before, after]: [&str; 2], tokens: usize) -> Result<String> {
        let parts = parts.iter().map(|text| Part::words(text)).collect();
        let [before, after] = [before, after].map(|text| [Part::words(text)]);
        Ok(join(&TokenBudget::new(&Letters(tokens), None).fit(&before, parts, &after)?))
    }

    #[test]
    fn commas_count() {
        // abc,def is seven letters and two more.
        assert_eq!(fitted(&["abc", "def"], ["", ""], 9).unwrap(), "abc, def");
        assert_eq!(fitted(&["abc", "def"], ["", ""], 8).unwrap(), "abc");
        let loosely = |tokens| TokenBudget::new(&Letters(tokens), None).fit_compat("abc, def, g");
        assert_eq!(loosely(9).unwrap(), "abc, def"); // 8 without the comma, and 9 with it
        assert_eq!(loosely(8).unwrap(), "abc");
        assert_eq!(loosely(2).unwrap(), "abc");
    }

    #[test]
    fn what_does_not_fit_ends_the_prompt() {
        assert_eq!(fitted(&["abc", "defgh", "i"], ["", ""], 9).unwrap(), "abc");
    }

    #[test]
    fn the_first_part_loses_words_and_a_single_word_goes() {
        assert_eq!(fitted(&["abc def ghi", "j"], ["", ""], 8).unwrap(), "abc def");
        assert_eq!(fitted(&["abcdefghi", "j"], ["", ""], 8).unwrap(), "");
    }

    #[test]
    fn what_stands_around_is_kept() {
        assert_eq!(fitted(&["abc", "d"], ["xy", "z"], 10).unwrap(), "xy, abc, z");
        let error = fitted(&["abc"], ["xy", "z"], 5).unwrap_err().to_string();
        assert_eq!(error, r#""xy, z" takes 6 tokens, expected at most 5"#);
    }

    #[test]
    fn the_smaller_limit_counts() {
        let budget = |most| TokenBudget::new(&Letters(9), most).tokens();
        assert_eq!([budget(None), budget(Some(4)), budget(Some(12))], [9, 4, 9]);
    }

    proptest! {
        #[test]
        fn a_fitted_prompt_is_within_and_one_part_more_is_not(
            parts in prop::collection::vec("[a-z]{1,6}", 1..12),
            tokens in 3usize..40,
        ) {
            let refs: Vec<&str> = parts.iter().map(String::as_str).collect();
            let text = fitted(&refs, ["", ""], tokens).unwrap();
            let count = |text: &str| Letters(0).count(text).unwrap();
            prop_assert!(count(&text) <= tokens);
            let kept = text.split(", ").filter(|part| !part.is_empty()).count();
            prop_assert_eq!(&text, &refs[..kept].join(", "));
            if kept < refs.len() {
                prop_assert!(count(&refs[..=kept].join(", ")) > tokens);
            }
        }
    }
}
