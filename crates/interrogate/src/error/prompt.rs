//! Prompts, their templates, and deny lists.

use std::path::PathBuf;

use super::Cause;

/// A prompt, a template or a deny list is invalid.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A line of a deny list is not a valid word or pattern.
    #[error("{}:{line}: invalid pattern", path.display())]
    Pattern {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The regular expression library's error.
        source: Cause,
    },
    /// The mandatory part of a prompt exceeds the token limit.
    #[error("{what:?} takes {tokens} tokens, expected at most {limit}")]
    TooLong {
        /// The mandatory text.
        what: String,
        /// Its number of tokens.
        tokens: usize,
        /// The token limit of a prompt.
        limit: usize,
    },
    /// A mode that scores texts was called without a scorer.
    #[error("this mode scores texts and needs a scorer")]
    ScorerMissing,
    /// A template does not parse: see [`crate::prompt::Template`].
    #[error("template {template:?}: {problem} at byte {at}")]
    Template {
        /// The template.
        template: String,
        /// The byte where parsing failed.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A template names a field that does not exist.
    #[error("a template has no field {name:?}")]
    TemplateField {
        /// The name between the braces.
        name: String,
        /// The valid names.
        fields: Vec<String>,
    },
}

impl PromptError {
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            PromptError::Pattern { .. } => {
                "a line is a word, or a regular expression between slashes, such as /^by .*ski$/"
            }
            PromptError::TooLong { .. } => {
                "shorten the prefix and the suffix, or allow more tokens"
            }
            PromptError::ScorerMissing => return None,
            PromptError::Template { .. } => {
                "fields stand in braces: {caption}, {flavors}; {{ and }} are braces"
            }
            PromptError::TemplateField { fields, .. } => {
                return Some(format!("its fields are {}", fields.join(", ")));
            }
        };
        Some(hint.to_owned())
    }
}
