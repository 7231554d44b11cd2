//! The files of a checkpoint's tokenizer.

use std::path::PathBuf;

use super::openai::MERGES;
use crate::Result;
use crate::mmap::FileBytes;

/// The files that hold a checkpoint's tokenizer.
#[derive(Clone, Debug)]
pub(in crate::clip) enum TokenizerFiles {
    /// tokenizer.json.
    Json(PathBuf),
    /// vocab.json and merges.txt.
    VocabMerges(PathBuf, PathBuf),
    /// bpe_simple_vocab_16e6.txt.gz, OpenAI's file of merges.
    Gzip(PathBuf),
    /// OpenAI's merges, compiled in.
    Embedded,
}

impl TokenizerFiles {
    /// Returns the bytes of each file, in order.
    pub(in crate::clip) fn bytes(&self) -> Result<Vec<FileBytes>> {
        let paths = match self {
            TokenizerFiles::Json(path) | TokenizerFiles::Gzip(path) => vec![path],
            TokenizerFiles::VocabMerges(vocab, merges) => vec![vocab, merges],
            TokenizerFiles::Embedded => return Ok(vec![FileBytes::Embedded(MERGES)]),
        };
        paths.into_iter().map(|path| FileBytes::map(path)).collect()
    }
}
