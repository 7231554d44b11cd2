//! The tokenizer of a text tower: texts to token sequences, exactly those of transformers, or of
//! OpenAI's and OpenCLIP's code.
//!
//! Owns the truncation to the context length, the end-of-text token and the padding. For
//! transformers, the `tokenizers` library does the rest (NFC, lower case, CLIP's split,
//! byte-level BPE), from tokenizer.json ([`files`]), vocab.json and merges.txt ([`vocab_files`])
//! or OpenAI's merges ([`openai`]). For OpenAI and OpenCLIP, the text is cleaned by
//! `clip::cleaning` and split by [`words`], and the library applies the merges only. The
//! SentencePiece tokenizers of SigLIP and MetaCLIP 2 run whole, after the cleaning.

mod bpe;
mod files;
pub(super) mod openai;
mod vocab_files;
mod words;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cleaning::{self, Cleaning};
use super::config::{TextAttention, TextConfig};
use crate::encoder::{Counter, Tokens, check_vocabulary};
use crate::error::CheckpointError;
use crate::mmap::Mmap;
use crate::tokenization::{self, guarded, tokenizer_error};
use crate::{Error, Result, input, limits};
pub(super) use files::TokenizerFiles;
use openai::{EMBEDDED, MERGES};
use words::WordSplitter;

/// A checkpoint's tokenizer, with the context length and the vocabulary of its text tower.
#[derive(Debug)]
pub(super) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    steps: Steps,
    path: PathBuf,
    context_length: usize,
    /// The number of tokens that the text tower has embeddings for.
    vocab_size: usize,
    /// The token before a text, if there is one.
    start: Option<u32>,
    end_of_text: u32,
    /// The token that fills a sequence up to the context length.
    padding: u32,
}

/// The steps from a text to its tokens.
#[derive(Debug)]
enum Steps {
    /// A cleaning, then the tokenizer's own steps.
    Own {
        cleaning: Cleaning,
        /// Whether the tokenizer is CLIP's, which never joins characters across white space.
        is_clip: bool,
    },
    /// A cleaning and a split into words, then the tokenizer's merges: OpenAI's and OpenCLIP's
    /// code for CLIP's tokenizer.
    Words(WordSplitter),
}

impl Tokenizer {
    /// Opens the tokenizer with the given text cleaning, and checks it against the sizes of
    /// the text tower.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`CheckpointError::Tokenizer`] for an unusable file;
    /// [`Error::Mismatch`] if the tokenizer has more tokens than the tower, lacks the start or
    /// end token, ends a text with another token than config.json says (2 is ignored:
    /// all old files have it), or is of a kind that `cleaning` does not support.
    pub(super) fn open(
        files: &TokenizerFiles,
        config: &TextConfig,
        cleaning: Cleaning,
    ) -> Result<Self> {
        let (inner, path) = match files {
            TokenizerFiles::Json(path) => {
                let text = input::read(path, limits::SMALL_FILE)?;
                let inner = tokenization::read_for(&text, config.vocab_size);
                let inner = inner.map_err(tokenizer_error(path))?;
                (inner, path)
            }
            TokenizerFiles::VocabMerges(vocab, merges) => {
                (vocab_files::build(vocab, merges)?, vocab)
            }
            TokenizerFiles::Gzip(path) => {
                let gzip = Mmap::open(path)?;
                (openai::build(path, gzip.as_ref(), config.vocab_size)?, path)
            }
            TokenizerFiles::Embedded => {
                let path = PathBuf::from(EMBEDDED);
                let inner = openai::build(&path, MERGES, config.vocab_size)?;
                return Self::new(inner, &path, config, cleaning);
            }
        };
        Self::new(inner, path, config, cleaning)
    }

    fn new(
        mut inner: tokenizers::Tokenizer,
        path: &Path,
        config: &TextConfig,
        cleaning: Cleaning,
    ) -> Result<Self> {
        // A file may configure both; truncation is done here, padding never.
        inner.with_truncation(None).map_err(tokenizer_error(path))?.with_padding(None);
        let tokens = inner.get_vocab_size(true);
        if tokens > config.vocab_size {
            let expected = format!("at most {}", config.vocab_size);
            return Err(Error::mismatch(path, "tokens", expected, tokens));
        }
        let (start, end_of_text) = match config.parts.attention {
            TextAttention::Causal => start_and_end(&inner, path, config)?,
            TextAttention::Padded => (None, end_of_sentence(&inner, path)?),
        };
        let is_gemma = inner.token_to_id(GEMMA_END).is_some();
        // SigLIP was trained with end-of-sentence as padding, SigLIP 2 with a token of its own.
        let own_padding = if is_gemma { inner.token_to_id("<pad>") } else { None };
        let cleaning = match cleaning {
            Cleaning::Siglip if is_gemma => Cleaning::Lowercase,
            cleaning => cleaning,
        };
        let is_clip = bpe::is_clip(&inner);
        let steps = match (cleaning, start) {
            (Cleaning::OpenAi, Some(start)) => {
                Steps::Words(WordSplitter::new(cleaning, &inner, path, (start, end_of_text))?)
            }
            (Cleaning::OpenClip(_), Some(start)) if is_clip => {
                Steps::Words(WordSplitter::new(cleaning, &inner, path, (start, end_of_text))?)
            }
            _ => Steps::Own { cleaning, is_clip },
        };
        Ok(Tokenizer {
            inner,
            steps,
            path: path.to_owned(),
            context_length: config.max_position_embeddings,
            vocab_size: config.vocab_size,
            start,
            end_of_text,
            padding: own_padding.unwrap_or(end_of_text),
        })
    }

    /// Returns the maximum number of tokens in a sequence, start and end included.
    pub(super) fn context_length(&self) -> usize {
        self.context_length
    }

    /// Returns the token that ends every sequence.
    pub(super) fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// Returns the sequences of `texts`, in order. A text that spells the end-of-text token
    /// itself ends there; the tower reads the embedding at the first one anyway.
    pub(super) fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        let sequences: Vec<Vec<u32>> =
            texts.par_iter().map(|text| self.sequence(text)).collect::<Result<_>>()?;
        let mut tokens = Tokens::new();
        sequences.iter().for_each(|ids| tokens.push(ids));
        Ok(tokens)
    }

    fn sequence(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.finish(self.content(text)?.0))
    }

    /// Returns the start token and the tokens of `text`, not truncated, up to an end-of-text
    /// token that the text spells itself, and whether it spells one.
    pub(super) fn content(&self, text: &str) -> Result<(Vec<u32>, bool)> {
        let mut ids = self.encode(text)?;
        let end = ids.iter().position(|&id| id == self.end_of_text).unwrap_or(ids.len());
        let spells_end = end + 1 < ids.len();
        ids.truncate(end);
        Ok((ids, spells_end))
    }

    /// Returns the start token, if there is one, the tokens of `text`, not truncated, and the
    /// end-of-text token.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        tokenization::check_length(&self.path, text)?;
        let ids = match &self.steps {
            Steps::Own { cleaning: Cleaning::Transformers, .. } if self.start.is_some() => {
                return tokenization::encode(&self.path, &self.inner, text);
            }
            Steps::Own { cleaning, .. } => {
                let text = cleaning.clean(text);
                tokenization::encode_text(&self.path, &self.inner, &text)?
            }
            Steps::Words(words) => {
                let ids = guarded(|| words.tokens(&self.inner, text));
                ids.map_err(tokenizer_error(&self.path))?
            }
        };
        Ok([self.start.as_slice(), &ids, &[self.end_of_text]].concat())
    }

    /// Returns whether `text` can be split after any white space, or joined with other texts
    /// for which this is true, without a change of tokens.
    ///
    /// CLIP's tokenizer splits at white space and never joins across it. But text cleaning
    /// looks at whole lines, and a character reference may continue in the next text.
    pub(super) fn is_local(&self, text: &str) -> bool {
        match &self.steps {
            Steps::Own { is_clip, .. } => *is_clip,
            Steps::Words(_) => cleaning::is_plain(text),
        }
    }

    /// Fills each of the sequences, which end with end-of-text, up to the context length.
    pub(super) fn padded(&self, tokens: &Tokens) -> Tokens {
        let mut padded = Tokens::new();
        for ids in tokens.iter() {
            let mut ids = ids.to_vec();
            ids.resize(self.context_length, self.padding);
            padded.push(&ids);
        }
        padded
    }

    /// Truncates `content` to the context length and adds the end-of-text token.
    pub(super) fn finish(&self, mut content: Vec<u32>) -> Vec<u32> {
        content.truncate(self.context_length - 1); // the config's check: at least 2
        content.push(self.end_of_text);
        content
    }

    /// Checks the ids of sequence `row`.
    ///
    /// # Errors
    /// [`CheckpointError::TokenSequence`] for an id that is not in the vocabulary.
    pub(super) fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        check_vocabulary(row, ids, self.vocab_size)
    }

    /// Cuts each sequence after its first end-of-text token.
    ///
    /// # Errors
    /// [`CheckpointError::TokenSequence`] for a sequence without end-of-text, of more tokens than the
    /// context length, or with an id that is not in the vocabulary.
    pub(super) fn cut_at_end(&self, tokens: &Tokens) -> Result<Tokens> {
        let (end, longest) = (self.end_of_text, self.context_length);
        let mut cut = Tokens::new();
        for (row, ids) in tokens.iter().enumerate() {
            let length = ids.iter().position(|&id| id == end).map(|at| at + 1);
            self.check(row, &ids[..length.unwrap_or(0)])?;
            match length.filter(|&length| length <= longest) {
                Some(length) => cut.push(&ids[..length]),
                None => {
                    let found = match ids {
                        _ if ids.len() > longest => format!("{} tokens", ids.len()),
                        _ => format!("{} tokens without it", ids.len()),
                    };
                    let expected = format!("at most {longest} tokens that end with {end}");
                    return Err(Error::Checkpoint(CheckpointError::TokenSequence {
                        row,
                        expected,
                        found,
                    }));
                }
            }
        }
        Ok(cut)
    }
}

/// Returns the tokens that the tokenizer puts around a text.
///
/// # Errors
/// [`Error::Mismatch`] if there are not two, or the second is not that of the configuration.
fn start_and_end(
    inner: &tokenizers::Tokenizer,
    path: &Path,
    config: &TextConfig,
) -> Result<(Option<u32>, u32)> {
    let empty = guarded(|| inner.encode_fast("", true)).map_err(tokenizer_error(path))?;
    let &[start, end_of_text] = empty.get_ids() else {
        let found = format!("{} tokens", empty.len());
        return Err(Error::mismatch(path, "empty text", "a start and an end token", found));
    };
    if start == end_of_text {
        let expected = "a token other than end-of-text";
        return Err(Error::mismatch(path, "start token", expected, start));
    }
    if let Some(id) = config.eos_token_id.filter(|&id| id != 2 && id != end_of_text) {
        let expected = format!("{id} as in config.json");
        return Err(Error::mismatch(path, "end-of-text token", expected, end_of_text));
    }
    Ok((Some(start), end_of_text))
}

/// The end-of-sentence token of SigLIP 2's tokenizer, Gemma's.
const GEMMA_END: &str = "<eos>";

/// Returns the token that SigLIP's and SigLIP 2's tokenizers put after a text.
///
/// # Errors
/// [`Error::Mismatch`] if the vocabulary has neither.
fn end_of_sentence(inner: &tokenizers::Tokenizer, path: &Path) -> Result<u32> {
    let id = ["</s>", GEMMA_END].into_iter().find_map(|token| inner.token_to_id(token));
    id.ok_or_else(|| Error::mismatch(path, "vocabulary", "a </s> or <eos>", "neither"))
}

impl Counter for Tokenizer {
    fn count(&self, text: &str) -> Result<usize> {
        Ok(self.content(text)?.0.len() + 1)
    }

    fn context_length(&self) -> usize {
        self.context_length
    }
}
