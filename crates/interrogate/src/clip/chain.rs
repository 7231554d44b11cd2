//! What may follow a text, hanging from the text's own path.

use rayon::prelude::*;

use super::ClipText;
use super::text::Path;
use crate::Result;
use crate::encoder::{Continuations, Embeddings, TextEncoder, Tokens};

/// A text whose keys and values are kept for each layer, and the trie of what
/// may follow it.
///
/// Memory: `2 * layers * width * 4` bytes a token of the text, at most the
/// context length (3.8 MB for ViT-B/32), beside what encoding takes.
#[derive(Debug)]
pub struct ClipChain<'a> {
    text: &'a ClipText,
    path: Path,
}

impl<'a> ClipChain<'a> {
    /// A chain that has no text yet.
    pub fn new(text: &'a ClipText) -> Self {
        ClipChain { text, path: text.path() }
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

impl Continuations for ClipChain<'_> {
    fn embed(&mut self, prefix: &str, suffixes: &[&str]) -> Result<Embeddings> {
        let (mut path, _) = self.text.tokenizer().content(prefix)?;
        path.truncate(self.text.context_length() - 1); // the end-of-text token's place
        self.text.lead(&mut self.path, &path)?;
        self.text.embed_after(&self.path, &self.sequences(prefix, suffixes)?)
    }
}
