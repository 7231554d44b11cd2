//! What may follow a text, hanging from the text's own path.

use rayon::prelude::*;

use super::ClipText;
use super::text::{Path, TextTower};
use crate::Result;
use crate::encoder::{Continuations, Embeddings, TextEncoder, Tokens};
use crate::nn::Backend;

/// A text whose keys and values are kept for each layer, and the trie of what
/// may follow it.
///
/// Memory: `2 * layers * width * 4` bytes a token of the text, at most the
/// context length (3.8 MB for ViT-B/32), beside what encoding takes.
#[derive(Debug)]
pub(super) struct Chain<'a, B: Backend> {
    text: &'a ClipText,
    tower: &'a TextTower<B>,
    path: Path<B>,
}

impl<'a, B: Backend> Chain<'a, B> {
    /// A chain that has no text yet.
    pub(super) fn new(text: &'a ClipText, tower: &'a TextTower<B>) -> Self {
        Chain { text, tower, path: Path::default() }
    }

    /// The sequences of `prefix` followed by each of `suffixes`.
    ///
    /// The tokenizer splits at white space and never joins across it, so that
    /// what stands before the last white space of the prefix has its tokens
    /// whatever follows; the rest is tokenized again with each suffix. Where the
    /// tokenizer may clean the whole in another way than its parts, the whole is
    /// tokenized.
    fn sequences(&self, prefix: &str, suffixes: &[&str]) -> Result<Tokens> {
        let tokenizer = self.text.tokenizer();
        let local = tokenizer.is_local(prefix);
        let cut = prefix.char_indices().rev().find(|(_, c)| c.is_whitespace());
        let (head, tail) = prefix.split_at(cut.map_or(0, |(at, c)| at + c.len_utf8()));
        let (head, ended) = tokenizer.content(head)?;
        let sequence = |suffix: &&str| {
            if !(local && tokenizer.is_local(suffix)) {
                return Ok(tokenizer.ended(tokenizer.content(&[prefix, suffix].concat())?.0));
            }
            let mut content = head.clone();
            if !ended {
                // Without the start token, which the head has.
                let (ids, _) = tokenizer.content(&[tail, suffix].concat())?;
                content.extend_from_slice(ids.get(1..).unwrap_or_default());
            }
            Ok(tokenizer.ended(content))
        };
        let sequences: Vec<Vec<u32>> = suffixes.par_iter().map(sequence).collect::<Result<_>>()?;
        let mut tokens = Tokens::new();
        sequences.iter().for_each(|ids| tokens.push(ids));
        Ok(tokens)
    }
}

impl<B: Backend> Continuations for Chain<'_, B> {
    fn embed(&mut self, prefix: &str, suffixes: &[&str]) -> Result<Embeddings> {
        let (mut path, _) = self.text.tokenizer().content(prefix)?;
        path.truncate(self.text.context_length() - 1); // leaves room for end-of-text
        self.text.check(0, &path)?;
        self.tower.lead(&mut self.path, &path)?;
        let sequences = self.text.cut(&self.sequences(prefix, suffixes)?)?;
        self.tower.embed_after(&self.path, &sequences)
    }
}
