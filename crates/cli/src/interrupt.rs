//! What becomes of a run that is asked to end, by Ctrl-C or another signal
//! ([`signals`](build_index::signals)): what is said, and how it is gone on with.
//! Records that were written stand either way.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use build_index::escape::shown;
use build_index::signals::Moment;

pub(crate) use build_index::signals::{asked, code, hold, listen, saving, writing};

/// What is said of a run that is cut off.
static FAREWELL: Mutex<String> = Mutex::new(String::new());

/// Sets what is said where the run does not come to its end in time.
pub(crate) fn farewell(words: String) {
    *FAREWELL.lock().unwrap_or_else(PoisonError::into_inner) = words;
}

/// Says what becomes of the run.
pub(crate) fn say(moment: Moment) {
    let words = match moment {
        Moment::Asked => "stopping after the images in hand; once more to stop at once".to_owned(),
        Moment::Cut => {
            let words = FAREWELL.lock().unwrap_or_else(PoisonError::into_inner);
            if words.is_empty() { "interrupted".to_owned() } else { shown(&words) }
        }
    };
    let _ = writeln!(io::stderr(), "{words}");
}

/// The command that was typed, with `more` at its end unless it is there, as a
/// shell takes it.
pub(crate) fn command(more: &str) -> String {
    let typed: Vec<String> =
        std::env::args_os().map(|word| quoted(&word.to_string_lossy())).collect();
    match typed.iter().any(|word| word == more) {
        true => typed.join(" "),
        false => format!("{} {more}", typed.join(" ")),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_takes_them() {
        assert_eq!(quoted("photos/a-1.jpg"), "photos/a-1.jpg");
        assert_eq!(quoted("it's *"), r"'it'\''s *'");
        assert_eq!(quoted(""), "''");
    }
}
