//! Labels to token sequences, exactly as transformers' CLIP tokenizer does, or as
//! OpenAI's and OpenCLIP's.
//!
//! Owns the cut to the context length and the end-of-text token. For transformers the
//! pieces of the text (NFC, lower case, CLIP's split, byte-level BPE) are the
//! `tokenizers` library's; where a checkpoint has no tokenizer.json, `legacy` puts them
//! together, of OpenAI's own file `openai::vocabulary`. For the others `cleaning` and
//! `words` do all but the merges.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cleaning::{self, Cleaning};
use super::config::TextConfig;
use super::legacy;
use super::openai::vocabulary::{self, EMBEDDED, MERGES};
use super::words::Words;
use crate::encoder::{Counter, Tokens};
use crate::mmap::Mmap;
use crate::tokenization::{self, guarded};
use crate::{Error, Result, input, limits};

/// Where a checkpoint keeps its tokenizer.
#[derive(Clone, Debug)]
pub(super) enum Files {
    /// tokenizer.json.
    Whole(PathBuf),
    /// vocab.json and merges.txt.
    Parts(PathBuf, PathBuf),
    /// bpe_simple_vocab_16e6.txt.gz, the merges as OpenAI ships them.
    Packed(PathBuf),
    /// OpenAI's merges, compiled in.
    Embedded,
}

impl Files {
    /// The bytes of each file, in order.
    pub(super) fn bytes(&self) -> Result<Vec<Source>> {
        let paths = match self {
            Files::Whole(path) | Files::Packed(path) => vec![path],
            Files::Parts(vocab, merges) => vec![vocab, merges],
            Files::Embedded => return Ok(vec![Source::Embedded(MERGES)]),
        };
        paths.into_iter().map(|path| Mmap::open(path).map(Source::Mapped)).collect()
    }
}

/// Bytes that a model is made of, for its fingerprint.
#[derive(Debug)]
pub(super) enum Source {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl AsRef<[u8]> for Source {
    fn as_ref(&self) -> &[u8] {
        match self {
            Source::Mapped(map) => map.as_ref(),
            Source::Embedded(bytes) => bytes,
        }
    }
}

/// A checkpoint's tokenizer, bound to its context length.
#[derive(Debug)]
pub(super) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Cuts texts in place of `inner`'s own steps.
    words: Option<Words>,
    path: PathBuf,
    context_length: usize,
    start: u32,
    end_of_text: u32,
}

impl Tokenizer {
    /// Reads the tokenizer, which cleans texts as `cleaning` says, and checks it
    /// against the text tower's sizes.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::Tokenizer`] where a file cannot
    /// be used; [`Error::Mismatch`] where it has more tokens than the tower, puts
    /// no start and end around a text, or ends it with another token than
    /// config.json says (2 is what old files say for all, and is not believed), or
    /// is of another kind than `cleaning` needs.
    pub(super) fn open(files: &Files, config: &TextConfig, cleaning: Cleaning) -> Result<Self> {
        let (inner, path) = match files {
            Files::Whole(path) => {
                let text = input::read(path, limits::SMALL_FILE)?;
                let inner = tokenization::read(&text).map_err(refused(path))?;
                (inner, path)
            }
            Files::Parts(vocab, merges) => (legacy::build(vocab, merges)?, vocab),
            Files::Packed(path) => {
                let packed = Mmap::open(path)?;
                (vocabulary::build(path, packed.as_ref(), config.vocab_size)?, path)
            }
            Files::Embedded => {
                let path = PathBuf::from(EMBEDDED);
                let inner = vocabulary::build(&path, MERGES, config.vocab_size)?;
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
        // A file may ask for both; the cut is done here, padding never.
        inner.with_truncation(None).map_err(refused(path))?.with_padding(None);
        let tokens = inner.get_vocab_size(true);
        if tokens > config.vocab_size {
            let expected = format!("at most {}", config.vocab_size);
            return Err(Error::mismatch(path, "tokens", expected, tokens));
        }
        let around = guarded(|| inner.encode_fast("", true)).map_err(refused(path))?;
        let &[start, end_of_text] = around.get_ids() else {
            let found = format!("{} tokens", around.len());
            return Err(Error::mismatch(path, "empty text", "a start and an end token", found));
        };
        if start == end_of_text {
            return Err(Error::mismatch(path, "start token", "another than the end's", start));
        }
        if let Some(said) = config.eos_token_id.filter(|&said| said != 2 && said != end_of_text) {
            let expected = format!("{said} as in config.json");
            return Err(Error::mismatch(path, "end-of-text token", expected, end_of_text));
        }
        let words = Words::new(cleaning, &inner, path, (start, end_of_text))?;
        let (path, context_length) = (path.to_owned(), config.max_position_embeddings);
        Ok(Tokenizer { inner, words, path, context_length, start, end_of_text })
    }

    /// Tokens in a sequence at most, start and end included.
    pub(super) fn context_length(&self) -> usize {
        self.context_length
    }

    /// The token that ends every sequence.
    pub(super) fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// The sequences of `texts`, in their order. A text that spells the
    /// end-of-text token itself ends there, which is where the tower would be
    /// read anyway.
    pub(super) fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        let sequences: Vec<Vec<u32>> =
            texts.par_iter().map(|text| self.sequence(text)).collect::<Result<_>>()?;
        let mut tokens = Tokens::new();
        sequences.iter().for_each(|ids| tokens.push(ids));
        Ok(tokens)
    }

    fn sequence(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.ended(self.content(text)?.0))
    }

    /// The start token and those of `text`, uncut, up to where it spells the
    /// end-of-text token itself, and whether it does.
    pub(super) fn content(&self, text: &str) -> Result<(Vec<u32>, bool)> {
        let mut ids = self.uncut(text)?;
        let end = ids.iter().position(|&id| id == self.end_of_text).unwrap_or(ids.len());
        let spelt = end + 1 < ids.len();
        ids.truncate(end);
        Ok((ids, spelt))
    }

    /// The start token, those of `text`, and the end-of-text token.
    pub(super) fn uncut(&self, text: &str) -> Result<Vec<u32>> {
        let Some(words) = &self.words else {
            return tokenization::encode(&self.path, &self.inner, text);
        };
        tokenization::check_length(&self.path, text)?;
        let ids = guarded(|| words.tokens(&self.inner, text)).map_err(refused(&self.path))?;
        Ok([&[self.start], &ids[..], &[self.end_of_text]].concat())
    }

    /// Whether the tokens of `text`, cut behind any white space and joined with other
    /// texts of which this is true, are those of the whole. The tokenizer splits at white
    /// space and never joins across it, but a repair looks at all of a line, and a
    /// character reference may end in what follows.
    pub(super) fn is_local(&self, text: &str) -> bool {
        self.words.is_none() || cleaning::is_plain(text)
    }

    /// `content` cut to the context length and ended.
    pub(super) fn ended(&self, mut content: Vec<u32>) -> Vec<u32> {
        content.truncate(self.context_length - 1); // validated: 2 at least
        content.push(self.end_of_text);
        content
    }
}

impl Counter for Tokenizer {
    fn count(&self, text: &str) -> Result<usize> {
        Ok(self.content(text)?.0.len() + 1)
    }

    fn context_length(&self) -> usize {
        self.context_length
    }
}

/// The `tokenizers` library refused the file at `path`, or a text.
pub(super) fn refused(path: &Path) -> impl FnOnce(tokenizers::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Tokenizer { path, source }
}
