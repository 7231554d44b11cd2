//! The special tokens that a configuration names.

use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// One or several end-of-sequence tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum EosTokens {
    One(u32),
    Several(Vec<u32>),
}

impl EosTokens {
    pub(super) fn tokens(&self) -> Vec<u32> {
        match self {
            EosTokens::One(token) => vec![*token],
            EosTokens::Several(tokens) => tokens.clone(),
        }
    }

    /// Checks that the tokens are in the language model's vocabulary.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for the first one that is not.
    pub(super) fn check(&self, path: &Path, what: &'static str, vocab: usize) -> Result<()> {
        self.tokens().into_iter().try_for_each(|token| check_token(path, what, token, vocab))
    }
}

/// Checks that a token is in the language model's vocabulary.
///
/// # Errors
/// [`Error::Mismatch`] if it is not.
pub(super) fn check_token(path: &Path, what: &'static str, token: u32, vocab: usize) -> Result<()> {
    if (token as usize) < vocab {
        Ok(())
    } else {
        Err(Error::mismatch(path, what, format!("below {vocab}"), token))
    }
}
