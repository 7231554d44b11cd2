//! Suggestions for a misspelled name.

use super::known;
use super::lookup::of_architecture;

/// The number of suggestions.
const SUGGESTIONS: usize = 3;

/// The length in bytes up to which a name is compared. The longest known name has 43.
const LONGEST: usize = 64;

/// Returns the names nearest to `text` by edit distance without case, nearest first: models of
/// the same architecture if that is known, else models and architectures of which at most a
/// third is different.
pub(in crate::models) fn nearest(text: &str) -> Vec<&'static str> {
    if text.len() > LONGEST {
        return Vec::new();
    }
    let same = text.rsplit_once('/').map_or_else(Vec::new, |(left, _)| of_architecture(left));
    let (candidates, most): (Vec<&'static str>, usize) = if same.is_empty() {
        let mut all: Vec<&str> = known().iter().map(|model| model.architecture()).collect();
        all.dedup();
        all.extend(known().iter().map(|model| model.name));
        (all, text.len() / 3)
    } else {
        (same.into_iter().map(|model| model.name).collect(), LONGEST)
    };
    let text = text.to_ascii_lowercase();
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|name| (distance(&text, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    found.sort_unstable();
    found.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

/// Returns the Levenshtein distance in bytes.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
