//! Ranges of numbers in names, `shard-{000..099}.tar`, as shells and WebDataset expand them.

use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The largest number of names of one argument.
const MAX_NAMES: u64 = 1 << 20;

/// A range of numbers, inclusive, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    /// The number of digits, filled with zeros, if one of the two begins with a zero.
    width: usize,
}

/// Returns the names of `path`, in order; `None` if it has no range, or is a file that exists.
///
/// # Errors
/// For more than [`MAX_NAMES`] names.
pub(super) fn expand(path: &Path) -> Result<Option<Vec<PathBuf>>, CliError> {
    let Some(text) = path.to_str().filter(|text| text.contains('{')) else { return Ok(None) };
    let (mut texts, mut ranges) = (vec![String::new()], Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let range = after.split_once('}').and_then(|(inner, after)| Some((parse(inner)?, after)));
        let last = texts.len() - 1;
        texts[last] += before;
        match range {
            Some((range, after)) => {
                ranges.push(range);
                texts.push(String::new());
                rest = after;
            }
            None => {
                texts[last].push('{');
                rest = after;
            }
        }
    }
    let last = texts.len() - 1;
    texts[last] += rest;
    if ranges.is_empty() || path.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let count = ranges.iter().try_fold(1_u64, |count, range| count.checked_mul(range.len()?));
    if count.is_none_or(|count| count > MAX_NAMES) {
        let found = count.map_or_else(|| "more".to_owned(), |count| count.to_string());
        return Err(CliError::Arguments {
            message: format!("{text}: names: expected at most {MAX_NAMES}, found {found}"),
            hint: "pass smaller ranges, or a list with --filelist".to_owned(),
        });
    }
    let mut names = vec![texts[0].clone()];
    for (range, after) in ranges.iter().zip(&texts[1..]) {
        let with = |name: &String| {
            range.numbers().map(|n| format!("{name}{n}{after}")).collect::<Vec<_>>()
        };
        names = names.iter().flat_map(with).collect();
    }
    Ok(Some(names.into_iter().map(PathBuf::from).collect()))
}

/// Parses `000..123`.
fn parse(inner: &str) -> Option<Range> {
    let (first, last) = inner.split_once("..")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return None;
    }
    let padded = [first, last].iter().any(|text| text.len() > 1 && text.starts_with('0'));
    let width = if padded { first.len().max(last.len()) } else { 0 };
    Some(Range { first: first.parse().ok()?, last: last.parse().ok()?, width })
}

impl Range {
    /// Returns the number of numbers.
    fn len(self) -> Option<u64> {
        self.first.abs_diff(self.last).checked_add(1)
    }

    fn numbers(self) -> impl Iterator<Item = String> {
        let Range { first, last, width } = self;
        let number = move |step| if first <= last { first + step } else { first - step };
        (0..=first.abs_diff(last)).map(move |step| format!("{:0width$}", number(step)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        let names = expand(Path::new(text)).unwrap()?;
        Some(names.iter().map(|name| name.to_str().unwrap().to_owned()).collect())
    }

    /// The expected names are bash's.
    #[test]
    fn range_expands_as_in_a_shell() {
        for (text, expected) in [
            ("a-{0..3}.tar", &["a-0.tar", "a-1.tar", "a-2.tar", "a-3.tar"][..]),
            ("{008..011}", &["008", "009", "010", "011"]),
            ("{08..101}", &[]),
            ("x{2..0}", &["x2", "x1", "x0"]),
            ("{5..5}", &["5"]),
            ("{1..2}/{09..10}", &["1/09", "1/10", "2/09", "2/10"]),
            ("{a}{1..2}{", &["{a}1{", "{a}2{"]),
            ("{{1..2}}", &["{1}", "{2}"]),
        ] {
            let found = names(text).unwrap();
            match expected {
                [] => assert_eq!((found.len(), &*found[0], &*found[93]), (94, "008", "101")),
                expected => assert_eq!(found, expected, "{text}"),
            }
        }
    }

    #[test]
    fn other_braces_are_part_of_the_name() {
        for text in ["a.tar", "{}", "{1..}", "{..1}", "{1..2", "{a..b}", "{1,2}", "{-1..2}"] {
            assert_eq!(names(text), None, "{text}");
        }
        assert_eq!(names(&format!("{{0..{}9}}", u64::MAX)), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a{1..2}.jpg");
        assert_eq!(expand(&path).unwrap().unwrap().len(), 2);
        std::fs::write(&path, "").unwrap();
        assert!(expand(&path).unwrap().is_none());
    }

    #[test]
    fn number_of_names_is_bounded() {
        assert_eq!(names("{1..1048576}").unwrap().len(), 1 << 20);
        for (text, found) in [
            ("{0..1048576}", "1048577"),
            ("{1..2048}{1..2048}", "4194304"),
            (&format!("{{0..{}}}", u64::MAX), "more"),
        ] {
            let error = expand(Path::new(text)).unwrap_err().to_string();
            assert_eq!(error, format!("{text}: names: expected at most 1048576, found {found}"));
        }
    }
}
