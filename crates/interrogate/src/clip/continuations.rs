//! Embeds a prompt followed by each of many phrases, over the prompt's KV cache.

use rayon::prelude::*;

use super::prefix_cache::PrefixCache;
use super::text_tower::TextTower;
use super::tokenizer::Tokenizer;
use crate::Result;
use crate::encoder::{Continuations, Embeddings, Tokens};
use crate::nn::Backend;

/// CLIP's [`Continuations`]: the KV cache of the prompt, below which the phrases form a
/// trie.
///
/// Memory: `2 * layers * width * 4` bytes per token of the prompt, at most the context
/// length (3.8 MB for ViT-B/32), besides what encoding needs.
#[derive(Debug)]
pub(super) struct ClipContinuations<'a, B: Backend> {
    tokenizer: &'a Tokenizer,
    tower: &'a TextTower<B>,
    prefix: PrefixCache<B>,
}

impl<'a, B: Backend> ClipContinuations<'a, B> {
    /// Creates continuations with an empty prefix.
    pub(super) fn new(tokenizer: &'a Tokenizer, tower: &'a TextTower<B>) -> Self {
        ClipContinuations { tokenizer, tower, prefix: PrefixCache::default() }
    }

    /// Returns the token sequences of `prefix` followed by each of `suffixes`.
    ///
    /// The tokenizer splits at white space and never joins across it. So the text up to the
    /// last white space of the prefix is tokenized once, and the rest again with each
    /// suffix. If cleaning the parts may differ from cleaning the whole, the whole is
    /// tokenized.
    fn sequences(&self, prefix: &str, suffixes: &[&str]) -> Result<Tokens> {
        let tokenizer = self.tokenizer;
        let is_local = tokenizer.is_local(prefix);
        let cut = prefix.char_indices().rev().find(|(_, c)| c.is_whitespace());
        let (head, tail) = prefix.split_at(cut.map_or(0, |(at, c)| at + c.len_utf8()));
        let (head, spells_end) = tokenizer.content(head)?;
        let sequence = |suffix: &&str| {
            if !(is_local && tokenizer.is_local(suffix)) {
                return Ok(tokenizer.finish(tokenizer.content(&[prefix, suffix].concat())?.0));
            }
            let mut content = head.clone();
            if !spells_end {
                // Without the start token, which `head` has.
                let (ids, _) = tokenizer.content(&[tail, suffix].concat())?;
                content.extend_from_slice(ids.get(1..).unwrap_or_default());
            }
            Ok(tokenizer.finish(content))
        };
        let sequences: Vec<Vec<u32>> = suffixes.par_iter().map(sequence).collect::<Result<_>>()?;
        let mut tokens = Tokens::new();
        sequences.iter().for_each(|ids| tokens.push(ids));
        Ok(tokens)
    }
}

impl<B: Backend> Continuations for ClipContinuations<'_, B> {
    fn embed(&mut self, prefix: &str, suffixes: &[&str]) -> Result<Embeddings> {
        let (mut ids, _) = self.tokenizer.content(prefix)?;
        ids.truncate(self.tokenizer.context_length() - 1); // end-of-text is the last
        self.tokenizer.check(0, &ids)?;
        self.tower.set_prefix(&mut self.prefix, &ids)?;
        let sequences = self.tokenizer.cut_at_end(&self.sequences(prefix, suffixes)?)?;
        self.tower.embed_after(&self.prefix, &sequences)
    }
}
