//! Many short texts in one allocation.
//!
//! A `String` takes 24 bytes and an allocation beside its text; here a text takes four
//! bytes more than its own. The layout is that of a label file.

use std::ops::Range;

/// Texts in order, at most 4 GiB together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<u32>,
}

impl Texts {
    /// Returns an empty list with capacity for `bytes` of text.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Texts { text: String::with_capacity(bytes), ends: Vec::new() }
    }

    /// Appends a text, which is `parts` joined. Returns `None`, with nothing appended, where
    /// the sum would be more than 4 GiB.
    pub(crate) fn push(&mut self, parts: &[&str]) -> Option<()> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let end = u32::try_from(self.text.len().checked_add(length)?).ok()?;
        parts.iter().for_each(|part| self.text.push_str(part));
        self.ends.push(end);
        Some(())
    }

    /// Removes the last text.
    pub(crate) fn pop(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns text number `at`, or `None` beyond the last.
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(&self.text[start..end]) // both are where a text ends
    }

    /// The texts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.range(0..self.len())
    }

    /// The texts in chunks of `count`; the last may be shorter.
    pub(crate) fn chunks(&self, count: usize) -> impl ExactSizeIterator<Item = Chunk<'_>> {
        let chunk = move |start| {
            let end = self.len().min(start + count);
            Chunk { texts: self, range: start..end }
        };
        (0..self.len()).step_by(count).map(chunk)
    }

    fn range(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = &str> + Clone {
        range.map(|at| self.get(at).unwrap_or_default()) // below `len`
    }
}

impl<S: AsRef<str>, const N: usize> PartialEq<[S; N]> for Texts {
    fn eq(&self, other: &[S; N]) -> bool {
        self.len() == N && self.iter().zip(other).all(|(text, other)| text == other.as_ref())
    }
}

/// A range of [`Texts`].
#[derive(Clone, Debug)]
pub(crate) struct Chunk<'a> {
    texts: &'a Texts,
    range: Range<usize>,
}

impl<'a> Chunk<'a> {
    /// Number of texts.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// The texts, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + Clone + use<'a> {
        self.texts.range(self.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_pushed() {
        let mut texts = Texts::default();
        for parts in [&["ab"][..], &[], &["by ", "Klée"]] {
            texts.push(parts).unwrap();
        }
        assert_eq!(texts, ["ab", "", "by Klée"]);
        assert_ne!(texts, ["ab", ""]);
        assert_ne!(texts, ["ab", "", "by Klee"]);
        assert_eq!((texts.len(), texts.get(2), texts.get(3)), (3, Some("by Klée"), None));
        texts.push(&["gone"]).unwrap();
        texts.pop();
        let chunks: Vec<Vec<&str>> = texts.chunks(2).map(|chunk| chunk.iter().collect()).collect();
        assert_eq!(chunks, [vec!["ab", ""], vec!["by Klée"]]);
        assert_eq!(texts.chunks(2).map(|chunk| chunk.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(Texts::default().chunks(2).len(), 0);
    }
}
