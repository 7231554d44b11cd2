//! Folders of checkpoints and their tokenizers.

use std::path::PathBuf;

use super::Cause;

/// A checkpoint's folder is incomplete, or its tokenizer is unusable.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder lacks a file.
    #[error("{}: no {name} in this folder", folder.display())]
    FileMissing {
        /// The folder.
        folder: PathBuf,
        /// The file's name.
        name: &'static str,
    },
    /// An OpenCLIP state dict has no open_clip_config.json, and its weights do not tell
    /// the architecture.
    #[error("{}: an OpenCLIP state dict without its open_clip_config.json", path.display())]
    OpenClipConfig {
        /// The weights.
        path: PathBuf,
    },
    /// A state dict has a vocabulary that is not OpenAI's, and no tokenizer beside it.
    #[error("{}: no tokenizer of {vocab} tokens beside it", path.display())]
    TokenizerMissing {
        /// The weights.
        path: PathBuf,
        /// Tokens of the text tower's vocabulary.
        vocab: usize,
    },
    /// A tokenizer file is invalid. The cause says why.
    #[error("{}: not a usable tokenizer", path.display())]
    Tokenizer {
        /// The tokenizer's file.
        path: PathBuf,
        /// The tokenizer library's error.
        source: Cause,
    },
    /// The tokenizer has more tokens than the language model's vocabulary.
    #[error("{}: a tokenizer of {found} tokens for a language model of {expected}", path.display())]
    Vocabulary {
        /// tokenizer.json.
        path: PathBuf,
        /// Tokens of the language model's vocabulary.
        expected: usize,
        /// One more than the tokenizer's highest id.
        found: usize,
    },
    /// A token sequence is invalid for the model: another tokenizer made it.
    #[error("token sequence {row}: expected {expected}, found {found}")]
    TokenSequence {
        /// The sequence, from 0.
        row: usize,
        /// What is valid.
        expected: String,
        /// What the sequence has.
        found: String,
    },
}

impl CheckpointError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            CheckpointError::FileMissing { .. } => {
                "a checkpoint's folder holds config.json, preprocessor_config.json (or processor_config.json), model.safetensors (or its index and shards), and tokenizer.json (or vocab.json and merges.txt); or open_clip_model.safetensors and open_clip_config.json; download what is missing"
            }
            CheckpointError::OpenClipConfig { .. } => {
                "put the model's open_clip_config.json beside it; one of OpenAI's own sizes with quick_gelu needs {\"model_cfg\": {\"quick_gelu\": true}} there"
            }
            CheckpointError::TokenizerMissing { .. } => {
                "put tokenizer.json, vocab.json and merges.txt, or bpe_simple_vocab_16e6.txt.gz into its folder"
            }
            CheckpointError::Tokenizer { .. } => {
                "download the checkpoint's tokenizer.json, or vocab.json and merges.txt, again"
            }
            CheckpointError::Vocabulary { .. } => {
                "take tokenizer.json from the folder that the weights are from"
            }
            CheckpointError::TokenSequence { .. } => "tokenize with the encoder that embeds",
        }
    }
}
