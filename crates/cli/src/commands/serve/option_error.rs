//! The error of an option of a request.

use std::fmt;

use super::problem::Problem;
use crate::nearest::nearest;

/// An unknown option, or a value that is not one of its option.
pub(super) struct OptionError {
    message: String,
    hint: String,
}

impl OptionError {
    /// `option` is the name of the option, or "." for the whole. `error` is serde's, which quotes
    /// the unknown name and the known ones.
    pub(super) fn new(option: &str, error: &impl fmt::Display) -> Self {
        let error = error.to_string().replace("usize", "a whole number");
        // serde_json appends the position in a text that the client did not send.
        let error = error.split(" at line ").next().unwrap_or_default();
        let quoted: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
        let hint = match &quoted[..] {
            [unknown, known @ ..] if error.starts_with("unknown") => nearest(unknown, known),
            _ => None,
        };
        let hint = hint.map_or("/openapi.json describes each request".to_owned(), |known| {
            format!("did you mean {known}?")
        });
        let is_whole = matches!(option, "." | "?") || error.starts_with("unknown field");
        let message = if is_whole { error.to_owned() } else { format!("{option}: {error}") };
        OptionError { message, hint }
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Problem::unprocessable(error.message).with_hint(error.hint)
    }
}
