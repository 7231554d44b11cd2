//! Interruption of a run by Ctrl-C or another signal ([`signals`](build_index::terminal::signals)):
//! the messages, and the command that continues the run. Results that were written stay.

use std::ops::ControlFlow;

use build_index::terminal::interrupt::Messages;

pub(crate) use build_index::terminal::interrupt::set_exit_message;
pub(crate) use build_index::terminal::signals::{Work, exit_code, interrupted};

/// What is printed when a signal comes.
pub(crate) const MESSAGES: Messages = Messages {
    stopping: "stopping after the current batch; interrupt again to stop now",
    exiting: "interrupted",
};

/// Tells a build to stop after an interrupt.
pub(crate) fn control_flow() -> ControlFlow<()> {
    if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Returns the command that was typed, quoted for a shell, with `option` appended unless
/// it is there.
pub(crate) fn command_with(option: &str) -> String {
    let words: Vec<String> =
        std::env::args_os().map(|word| quoted(&word.to_string_lossy())).collect();
    if words.iter().any(|word| word == option) {
        words.join(" ")
    } else {
        format!("{} {option}", words.join(" "))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("photos/a-1.jpg"), "photos/a-1.jpg");
        assert_eq!(quoted("it's *"), r"'it'\''s *'");
        assert_eq!(quoted(""), "''");
    }
}
