//! Errors of the configuration.

use std::path::PathBuf;

use interrogate::input::path_with_line;

use super::{FILE, KEYS};
use crate::folders::NoHome;
use crate::nearest::nearest;

/// The configuration cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read or written, is too large or not UTF-8.
    #[error(transparent)]
    File(#[from] interrogate::Error),
    /// The file has no place.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The file is not TOML.
    #[error("{}: invalid TOML: {message}", path_with_line(path, *line).display())]
    Syntax { path: PathBuf, line: usize, message: String },
    /// No option has this default.
    #[error("{}: unknown key {key:?}", path_with_line(path, *line).display())]
    UnknownKey { path: PathBuf, line: usize, key: String },
    /// A value is not a name.
    #[error("{}: {key}: expected {expected}, found {found}", path_with_line(path, *line).display())]
    Value {
        path: PathBuf,
        line: usize,
        key: &'static str,
        expected: &'static str,
        found: &'static str,
    },
}

impl ConfigError {
    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            ConfigError::File(interrogate::Error::Mismatch { path, .. }) => {
                format!("remove {}, and set the defaults again: interrogate setup", path.display())
            }
            ConfigError::File(error) => {
                return crate::folders::hint(error).or_else(|| error.hint());
            }
            ConfigError::NoHome(NoHome { variable }) => {
                format!("set HOME, or {variable}, or name the model with --model")
            }
            ConfigError::Syntax { .. } => {
                format!(
                    "write {FILE} as lines of KEY = \"VALUE\", or remove it and run: interrogate setup"
                )
            }
            ConfigError::UnknownKey { key, .. } => match nearest(key, &KEYS) {
                Some(known) => format!("did you mean {known}? the keys are {}", KEYS.join(", ")),
                None => format!("remove it; the keys are {}", KEYS.join(", ")),
            },
            ConfigError::Value { key, .. } => {
                format!("write a name in quotes, as --{key} takes it, or remove the line")
            }
        })
    }
}
