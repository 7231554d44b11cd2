//! Which part of a build.

use std::fmt;
use std::str::FromStr;

use interrogate::index::format::is_table_name;
use interrogate::limits::PARTS;

use crate::error::PartError;

/// One of the parts that a build is divided into, counted from 1. Its text is `K/N`.
///
/// ```
/// use build_index::PartNumber;
///
/// let part: PartNumber = "2/8".parse()?;
/// assert_eq!((part.number(), part.of(), part.to_string()), (2, 8, "2/8".to_owned()));
/// assert!("9/8".parse::<PartNumber>().is_err());
/// # Ok::<(), build_index::PartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber {
    number: usize,
    of: usize,
}

impl PartNumber {
    /// Returns part `number` of `of` parts.
    ///
    /// # Errors
    /// [`PartError::Number`] unless 1 <= `number` <= `of` <= [`PARTS`].
    pub fn new(number: usize, of: usize) -> Result<Self, PartError> {
        if (1..=of).contains(&number) && of <= PARTS {
            Ok(PartNumber { number, of })
        } else {
            Err(PartError::Number { found: format!("{number}/{of}"), most: PARTS })
        }
    }

    /// Returns the part's number, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Returns the number of parts.
    pub fn of(self) -> usize {
        self.of
    }

    /// Returns the name of the part's folder, for the index that is called `name`.
    pub(crate) fn folder_name(self, name: &str) -> String {
        format!("{name}.part-{}-of-{}", self.number, self.of)
    }

    /// Returns the number of the part with the block that begins after `before` of `total`
    /// tokens.
    pub(crate) fn of_block(self, before: usize, total: usize) -> usize {
        let part = (before as u128 * self.of as u128).checked_div(total as u128);
        1 + part.unwrap_or_default() as usize // at most `of`, as `before` is below `total`
    }
}

impl FromStr for PartNumber {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let invalid = || PartError::Number { found: text.to_owned(), most: PARTS };
        let (number, of) = text.split_once('/').ok_or_else(invalid)?;
        let parse = |digits: &str| digits.parse().map_err(|_| invalid());
        PartNumber::new(parse(number)?, parse(of)?)
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Whether `name` can be the name of an index's folder: no path, no hidden file.
pub(super) fn is_name(name: &str) -> bool {
    is_table_name(name) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in [
            "",
            "1",
            "0/2",
            "3/2",
            "1/0",
            "1/4097",
            "a/2",
            "1/2/3",
            "-1/2",
            "1/99999999999999999999",
        ] {
            let error = text.parse::<PartNumber>().unwrap_err().to_string();
            let expected = "expected K/N with 1 <= K <= N <= 4096";
            assert_eq!(error, format!("part: {expected}, found {text:?}"));
        }
        assert_eq!("4096/4096".parse::<PartNumber>().unwrap().number(), 4096);
    }

    #[test]
    fn parts_of_blocks_are_in_order() {
        for (total, of) in [(0, 3), (1, 3), (10, 3), (10, 1), (7, 4096), (usize::MAX, 4096)] {
            let part = PartNumber::new(1, of).unwrap();
            let at = |n: usize| part.of_block(total / 16 * n, total);
            let numbers: Vec<usize> = (0..16).map(at).collect();
            assert!(numbers.is_sorted() && numbers[0] == 1 && numbers[15] <= of, "{numbers:?}");
        }
    }
}
