//! The token limit of a prompt, and how a prompt is cut to it.

use super::part::{Part, SEPARATOR, join};
use crate::encoder::Counter;
#[cfg(doc)]
use crate::error::CheckpointError;
use crate::error::PromptError;
use crate::{Error, Result};

/// The default token limit of a prompt: CLIP's context length, whichever model ranks.
pub const DEFAULT_TOKENS: usize = 77;

/// The maximum number of tokens of a prompt, as a model's tokenizer counts them.
#[derive(Clone, Copy)]
pub struct TokenBudget<'a> {
    counter: &'a dyn Counter,
    tokens: usize,
    after: &'a [Part],
}

impl<'a> TokenBudget<'a> {
    /// Creates a budget of the model's context length, or of `most` tokens if that is
    /// fewer. Special tokens count.
    pub fn new(counter: &'a dyn Counter, most: Option<usize>) -> Self {
        let tokens = counter.context_length();
        TokenBudget { counter, tokens: most.map_or(tokens, |most| most.min(tokens)), after: &[] }
    }

    /// Returns the budget for texts that `after` will follow: [`fits`](Self::fits) and
    /// [`is_full`](Self::is_full) count it too.
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

    /// Returns the maximum number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Returns whether `text` is within the limit.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`].
    pub fn fits(&self, text: &str) -> Result<bool> {
        Ok(self.count(text)? <= self.tokens)
    }

    /// Returns whether `text` reaches the limit, so that no token can follow.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`].
    pub fn is_full(&self, text: &str) -> Result<bool> {
        Ok(self.count(text)? >= self.tokens)
    }

    /// Checks a finished prompt.
    ///
    /// # Errors
    /// [`PromptError::TooLong`] if `text` exceeds the limit, [`CheckpointError::Tokenizer`].
    pub fn check(&self, text: &str) -> Result<()> {
        match self.count(text)? {
            tokens if tokens <= self.tokens => Ok(()),
            tokens => Err(Error::Prompt(PromptError::TooLong {
                what: text.to_owned(),
                tokens,
                limit: self.tokens,
            })),
        }
    }

    /// Returns `before`, as many of `parts` as fit, and `after`.
    ///
    /// The first part that does not fit is dropped with all parts after it. If it is the
    /// first of all, it is cut to its first words instead.
    ///
    /// # Errors
    /// [`PromptError::TooLong`] if `before` and `after` alone do not fit,
    /// [`CheckpointError::Tokenizer`].
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
                let fits = |text: &str| {
                    let shorter = Part { text: text.to_owned(), ..part.clone() };
                    self.fits(&join(&whole(&[shorter])))
                };
                match first_words(&part.text, fits)? {
                    "" => {}
                    text => kept.push(Part { text: text.to_owned(), ..part.clone() }),
                }
            }
            break;
        }
        Ok(whole(&kept))
    }

    /// Cuts `text` as clip-interrogator 0.6.0 does (`_truncate_to_fit`).
    ///
    /// Keeps the first piece between commas, then further pieces while the text and the
    /// next piece, without the comma between them, have fewer tokens than the limit.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`].
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

/// Returns the longest proper prefix of `text` of whole words for which `fits` is true;
/// empty if there is none.
pub(super) fn first_words(text: &str, fits: impl Fn(&str) -> Result<bool>) -> Result<&str> {
    let mut ends = vec![0];
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && inside {
            ends.push(at);
        }
        inside = !c.is_whitespace();
    }
    let last = largest_that_fits(ends.len(), |words| fits(&text[..ends[words]]))?;
    Ok(&text[..ends[last]])
}

/// Returns the largest number below `high` for which `fits` is true, by binary search; 0 if
/// there is none. `fits` must be true for every number below one for which it is true.
pub(super) fn largest_that_fits(
    high: usize,
    fits: impl Fn(usize) -> Result<bool>,
) -> Result<usize> {
    let (mut low, mut high) = (0, high.max(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts each character other than white space as a token, and two special tokens;
    /// holds the context length.
    struct CharCounter(usize);

    impl Counter for CharCounter {
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
        Ok(join(&TokenBudget::new(&CharCounter(tokens), None).fit(&before, parts, &after)?))
    }

    #[test]
    fn commas_count_as_tokens() {
        // "abc, def" has seven characters; two special tokens are added.
        assert_eq!(fitted(&["abc", "def"], ["", ""], 9).unwrap(), "abc, def");
        assert_eq!(fitted(&["abc", "def"], ["", ""], 8).unwrap(), "abc");
        let compat =
            |tokens| TokenBudget::new(&CharCounter(tokens), None).fit_compat("abc, def, g");
        assert_eq!(compat(9).unwrap(), "abc, def"); // 8 tokens without the comma, 9 with it
        assert_eq!(compat(8).unwrap(), "abc");
        assert_eq!(compat(2).unwrap(), "abc");
    }

    #[test]
    fn the_first_part_that_does_not_fit_ends_the_prompt() {
        assert_eq!(fitted(&["abc", "defgh", "i"], ["", ""], 9).unwrap(), "abc");
    }

    #[test]
    fn a_first_part_that_does_not_fit_is_cut_to_whole_words() {
        assert_eq!(fitted(&["abc def ghi", "j"], ["", ""], 8).unwrap(), "abc def");
        assert_eq!(fitted(&["abcdefghi", "j"], ["", ""], 8).unwrap(), "");
    }

    #[test]
    fn prefix_and_suffix_are_kept() {
        assert_eq!(fitted(&["abc", "d"], ["xy", "z"], 10).unwrap(), "xy, abc, z");
        let error = fitted(&["abc"], ["xy", "z"], 5).unwrap_err().to_string();
        assert_eq!(error, r#""xy, z" takes 6 tokens, expected at most 5"#);
    }

    #[test]
    fn the_smaller_limit_applies() {
        let budget = |most| TokenBudget::new(&CharCounter(9), most).tokens();
        assert_eq!([budget(None), budget(Some(4)), budget(Some(12))], [9, 4, 9]);
    }

    proptest! {
        #[test]
        fn fit_keeps_as_many_parts_as_possible(
            parts in prop::collection::vec("[a-z]{1,6}", 1..12),
            tokens in 3usize..40,
        ) {
            let refs: Vec<&str> = parts.iter().map(String::as_str).collect();
            let text = fitted(&refs, ["", ""], tokens).unwrap();
            let count = |text: &str| CharCounter(0).count(text).unwrap();
            prop_assert!(count(&text) <= tokens);
            let kept = text.split(", ").filter(|part| !part.is_empty()).count();
            prop_assert_eq!(&text, &refs[..kept].join(", "));
            if kept < refs.len() {
                prop_assert!(count(&refs[..=kept].join(", ")) > tokens);
            }
        }
    }
}
