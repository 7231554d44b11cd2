//! Which labels must be encoded, and in which blocks.
//!
//! A block's composition depends on the labels to encode alone, not on how far
//! an earlier build came: a row may depend on the rows beside it by rounding,
//! and a build that goes on must give the bytes of one that was never stopped.

use std::collections::HashSet;
use std::ops::ControlFlow;

use interrogate::encoder::{TextEncoder, Tokens};

use crate::Result;

/// Labels tokenized in one call.
const PIECE: usize = 4096;

/// Labels to encode in the order of their token sequences: labels that begin
/// alike stand together, so that an encoder need compute but once what they
/// share.
pub(crate) struct Plan<'a> {
    labels: Vec<&'a str>,
    /// The sequence of each label.
    tokens: Tokens,
    block: usize,
}

impl<'a> Plan<'a> {
    /// Plans the labels that are not `known`, each once, in blocks of `block`.
    /// `progress` hears how many of how many are tokenized, and may stop it:
    /// then there is no plan.
    pub(crate) fn new(
        encoder: &dyn TextEncoder,
        labels: impl Iterator<Item = &'a str>,
        known: impl Fn(&str) -> bool,
        block: usize,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Self>> {
        let mut seen = HashSet::new();
        let labels: Vec<&str> =
            labels.filter(|label| !known(label) && seen.insert(*label)).collect();
        let mut tokens = Tokens::new();
        for piece in labels.chunks(PIECE) {
            encoder.tokenize(piece)?.iter().for_each(|ids| tokens.push(ids));
            if progress(tokens.len(), labels.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let mut order: Vec<(&[u32], &str)> = tokens.iter().zip(labels).collect();
        order.sort_unstable();
        let mut sorted = Tokens::new();
        order.iter().for_each(|(ids, _)| sorted.push(ids));
        let labels = order.into_iter().map(|(_, label)| label).collect();
        Ok(ControlFlow::Continue(Plan { labels, tokens: sorted, block: block.max(1) }))
    }

    /// Number of labels.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of tokens of all labels.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.total()
    }

    /// The blocks in order: labels, and the rows of `sequences` that are theirs.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let block = |(i, labels)| Block { plan: self, start: i * self.block, labels };
        self.labels.chunks(self.block).enumerate().map(block)
    }
}

/// Labels that are encoded in one call.
pub(crate) struct Block<'a> {
    plan: &'a Plan<'a>,
    start: usize,
    labels: &'a [&'a str],
}

impl<'a> Block<'a> {
    /// Number of its labels.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of their tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.sequences().map(<[u32]>::len).sum()
    }

    /// Its labels that are not `known`, and their sequences.
    pub(crate) fn without(&self, known: impl Fn(&str) -> bool) -> (Vec<&'a str>, Tokens) {
        let (mut labels, mut tokens) = (Vec::new(), Tokens::new());
        for (label, ids) in self.labels.iter().zip(self.sequences()) {
            if !known(label) {
                labels.push(*label);
                tokens.push(ids);
            }
        }
        (labels, tokens)
    }

    fn sequences(&self) -> impl Iterator<Item = &'a [u32]> {
        let plan = self.plan;
        // The plan has a sequence for each label.
        let sequence = move |row| plan.tokens.get(row).unwrap_or_default();
        (self.start..self.start + self.labels.len()).map(sequence)
    }
}

#[cfg(test)]
mod tests {
    use interrogate::encoder::Embeddings;

    use super::*;

    /// A label's tokens are its bytes.
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

    fn plan<'a>(labels: &[&'a str], known: &[&str], block: usize) -> Plan<'a> {
        let go_on = |_, _| ControlFlow::Continue(());
        let known = |label: &str| known.contains(&label);
        match Plan::new(&Bytes, labels.iter().copied(), known, block, go_on).unwrap() {
            ControlFlow::Continue(plan) => plan,
            ControlFlow::Break(()) => unreachable!("it was told to go on"),
        }
    }

    #[test]
    fn what_begins_alike_stands_together_and_each_label_once() {
        let plan = plan(&["bb", "ab", "c", "bb", "aaa", "old"], &["old"], 2);
        let blocks: Vec<_> = plan.blocks().map(|block| block.labels.to_vec()).collect();
        assert_eq!(blocks, [vec!["aaa", "ab"], vec!["bb", "c"]]);
        assert_eq!((plan.len(), plan.tokens()), (4, 8));
    }

    #[test]
    fn a_block_lends_what_is_missing_with_its_tokens() {
        let plan = plan(&["b", "a", "cc", "dd"], &[], 3);
        let blocks: Vec<_> = plan.blocks().collect();
        let (labels, tokens) = blocks[0].without(|label| label == "a");
        assert_eq!(labels, ["b", "cc"]);
        assert_eq!(tokens.iter().collect::<Vec<_>>(), [&[98][..], &[99, 99]]);
        assert_eq!(blocks[1].without(|_| false).0, ["dd"]);
    }

    #[test]
    fn the_order_of_the_labels_given_does_not_matter() {
        let a = plan(&["x", "yy", "z"], &[], 2);
        let b = plan(&["z", "x", "yy"], &[], 2);
        assert_eq!((a.labels, a.tokens), (b.labels, b.tokens));
    }

    #[test]
    fn it_stops_when_told() {
        let stop = |_, _| ControlFlow::Break(());
        let plan = Plan::new(&Bytes, ["a"].into_iter(), |_| false, 2, stop).unwrap();
        assert!(plan.is_break());
    }
}
