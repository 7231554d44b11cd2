//! The labels to encode, in blocks.
//!
//! A block depends only on the labels to encode, not on the progress of an earlier build.
//! By rounding, a row may depend on the other rows of its batch, and a resumed build must
//! write the same bytes as an uninterrupted one.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use interrogate::encoder::{TextEncoder, Tokens};
use rayon::prelude::*;

use crate::Result;
use crate::part::PartNumber;
use crate::vocabulary::Vocabulary;

/// Labels that are tokenized in one call.
const CHUNK: usize = 16_384;

/// The labels to encode, sorted by their token sequences. Labels with a common prefix are
/// neighbors, so an encoder can compute the prefix once.
///
/// Memory: four bytes a token and 16 a label.
pub(crate) struct Plan<'a> {
    vocabulary: &'a Vocabulary<'a>,
    /// The labels' numbers in the vocabulary, in order.
    numbers: Vec<u32>,
    /// The token sequence of each.
    tokens: Tokens,
    /// Indices into `numbers`, sorted by token sequence.
    order: Vec<u32>,
    block: usize,
    /// The labels of this part in `order`: all, or those of some blocks.
    range: Range<usize>,
    /// Number of their tokens.
    total: usize,
}

impl<'a> Plan<'a> {
    /// Plans the distinct labels of `vocabulary` that are not `known`, in blocks of `block`.
    /// `progress` is called with the number of labels tokenized and the total; if it
    /// breaks, there is no plan.
    pub(crate) fn new(
        encoder: &dyn TextEncoder,
        vocabulary: &'a Vocabulary<'a>,
        known: impl Fn(u32) -> bool,
        block: usize,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Self>> {
        let mut numbers = Vec::with_capacity(vocabulary.distinct());
        numbers.extend(vocabulary.numbers().filter(|&number| !known(number)));
        let mut tokens = Tokens::new();
        for chunk in numbers.chunks(CHUNK) {
            let labels: Vec<&str> = chunk.iter().map(|&n| vocabulary.label(n)).collect();
            encoder.tokenize(&labels)?.iter().for_each(|ids| tokens.push(ids));
            if progress(tokens.len(), numbers.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let mut order: Vec<u32> = (0..numbers.len() as u32).collect(); // numbers are u32, each once
        let ids = |at: u32| tokens.get(at as usize).unwrap_or_default();
        let label = |at: u32| vocabulary.label(numbers[at as usize]);
        order
            .par_sort_unstable_by(|&a, &b| ids(a).cmp(ids(b)).then_with(|| label(a).cmp(label(b))));
        let (block, range, total) = (block.max(1), 0..order.len(), tokens.total());
        let plan = Plan { vocabulary, numbers, tokens, order, block, range, total };
        Ok(ControlFlow::Continue(plan))
    }

    /// Reduces the plan to the blocks of `part`. The parts of a plan are contiguous ranges of
    /// its blocks with about as many tokens each; every block is in one of them.
    pub(crate) fn part(self, part: PartNumber) -> Self {
        let (mut start, mut labels, mut before, mut total) = (0, 0, 0, 0);
        for block in self.blocks() {
            let tokens = block.tokens();
            match part.of_block(before, self.total).cmp(&part.number()) {
                Ordering::Less => start += block.len(),
                Ordering::Equal => {
                    labels += block.len();
                    total += tokens;
                }
                Ordering::Greater => break,
            }
            before += tokens;
        }
        Plan { range: start..start + labels, total, ..self }
    }

    /// Number of labels.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// Number of labels before those of this part.
    pub(crate) fn first(&self) -> usize {
        self.range.start
    }

    /// Number of tokens of all labels.
    pub(crate) fn tokens(&self) -> usize {
        self.total
    }

    /// The blocks, in order.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let block = |start| {
            let end = self.range.end.min(start + self.block);
            Block { plan: self, range: start..end }
        };
        self.range.clone().step_by(self.block).map(block)
    }
}

/// Labels to encode in one call.
pub(crate) struct Block<'a> {
    plan: &'a Plan<'a>,
    range: Range<usize>,
}

impl<'a> Block<'a> {
    /// Number of its labels.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// Number of their tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.labels().map(|(_, ids)| ids.len()).sum()
    }

    /// Returns the labels that are not `known`, and their token sequences.
    pub(crate) fn without(&self, known: impl Fn(u32) -> bool) -> (Vec<&'a str>, Tokens) {
        let (mut labels, mut tokens) = (Vec::new(), Tokens::new());
        for (number, ids) in self.labels().filter(|&(number, _)| !known(number)) {
            labels.push(self.plan.vocabulary.label(number));
            tokens.push(ids);
        }
        (labels, tokens)
    }

    /// The number and token sequence of each label.
    fn labels(&self) -> impl Iterator<Item = (u32, &'a [u32])> {
        let Plan { numbers, tokens, order, .. } = self.plan;
        // `numbers` and `tokens` have the same length.
        let label = |&at: &u32| (numbers[at as usize], tokens.get(at as usize).unwrap_or_default());
        order[self.range.clone()].iter().map(label)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use interrogate::encoder::Embeddings;

    use super::*;
    use crate::Dictionary;

    /// An encoder whose tokens are a label's bytes.
    struct Bytes;

    impl TextEncoder for Bytes {
        fn dim(&self) -> usize {
            1
        }
        fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
            let mut tokens = Tokens::new();
            for text in texts {
                tokens.push(&text.bytes().map(u32::from).collect::<Vec<_>>());
            }
            Ok(tokens)
        }
        fn embed(&self, tokens: &Tokens) -> interrogate::Result<Embeddings> {
            Embeddings::new(1, vec![1.0; tokens.len()])
        }
    }

    /// Calls `check` with the plan of `labels` that are not `known`.
    fn with_plan(labels: &[&str], known: &[&str], block: usize, check: impl FnOnce(Plan<'_>)) {
        let keep_going = |_, _| ControlFlow::Continue(());
        let dictionaries = dictionaries(labels);
        let vocabulary = Vocabulary::new(&dictionaries).unwrap();
        let is_known = |number| known.contains(&vocabulary.label(number));
        match Plan::new(&Bytes, &vocabulary, is_known, block, keep_going).unwrap() {
            ControlFlow::Continue(plan) => check(plan),
            ControlFlow::Break(()) => unreachable!("no callback breaks"),
        }
    }

    /// Returns two dictionaries; the second has the last label.
    fn dictionaries(labels: &[&str]) -> [Dictionary; 2] {
        let parse = |name: &str, labels: &[&str]| {
            Dictionary::parse(Path::new(name), labels.join("\n").as_bytes()).unwrap()
        };
        let (last, before) = labels.split_last().unwrap();
        [parse("a.txt", before), parse("b.txt", &[last])]
    }

    fn blocks<'a>(plan: &'a Plan<'_>) -> Vec<(Vec<&'a str>, Tokens)> {
        plan.blocks().map(|block| block.without(|_| false)).collect()
    }

    #[test]
    fn labels_are_sorted_by_tokens_without_duplicates() {
        with_plan(&["bb", "ab", "c", "aaa", "old", "bb"], &["old"], 2, |plan| {
            let labels: Vec<_> = blocks(&plan).into_iter().map(|(labels, _)| labels).collect();
            assert_eq!(labels, [vec!["aaa", "ab"], vec!["bb", "c"]]);
            assert_eq!((plan.len(), plan.tokens()), (4, 8));
        });
    }

    #[test]
    fn block_returns_unknown_labels_with_their_tokens() {
        with_plan(&["b", "a", "cc", "dd"], &[], 3, |plan| {
            let all: Vec<_> = plan.blocks().collect();
            let (labels, tokens) = all[0].without(|number| plan.vocabulary.label(number) == "a");
            assert_eq!(labels, ["b", "cc"]);
            assert_eq!(tokens.iter().collect::<Vec<_>>(), [&[98][..], &[99, 99]]);
            assert_eq!(all[1].without(|_| false).0, ["dd"]);
            assert_eq!((all[0].len(), all[0].tokens(), all[1].len()), (3, 4, 1));
        });
    }

    #[test]
    fn plan_does_not_depend_on_the_order_of_labels() {
        with_plan(&["x", "yy", "z"], &[], 2, |a| {
            with_plan(&["z", "x", "yy"], &[], 2, |b| assert_eq!(blocks(&a), blocks(&b)));
        });
    }

    #[test]
    fn parts_are_ranges_of_blocks_with_about_as_many_tokens() {
        let labels: Vec<String> = (1..=100).map(|length| "x".repeat(length)).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let lists = |plan: &Plan<'_>| -> Vec<Vec<String>> {
            let own = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect();
            blocks(plan).into_iter().map(|(labels, _)| own(labels)).collect()
        };
        for of in [1, 2, 3, 30] {
            let (mut parts, mut first) = (Vec::new(), 0);
            for number in 1..=of {
                with_plan(&labels, &[], 4, |plan| {
                    let share = plan.tokens() / of;
                    let plan = plan.part(PartNumber::new(number, of).unwrap());
                    let tokens: usize = blocks(&plan).iter().map(|(_, ids)| ids.total()).sum();
                    assert_eq!((plan.first(), plan.tokens()), (first, tokens), "{number}/{of}");
                    assert!(tokens.abs_diff(share) <= 400, "{number}/{of}: {tokens} of {share}");
                    first += plan.len();
                    parts.extend(lists(&plan));
                });
            }
            with_plan(&labels, &[], 4, |plan| assert_eq!(parts, lists(&plan), "{of}"));
        }
    }

    #[test]
    fn plan_stops_when_progress_breaks() {
        let stop = |_, _| ControlFlow::Break(());
        let dictionaries = dictionaries(&["a", "b"]);
        let vocabulary = Vocabulary::new(&dictionaries).unwrap();
        assert!(Plan::new(&Bytes, &vocabulary, |_| false, 2, stop).unwrap().is_break());
    }
}
