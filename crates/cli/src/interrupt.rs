//! Ctrl-C: the first asks the run to stop after what is in hand, the second ends
//! the process. Answers that were written stand either way.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The exit code of a run that was stopped: 128 and the number of SIGINT, as
/// shells have it.
pub(crate) const CODE: u8 = 130;

/// Listens for Ctrl-C, SIGTERM and SIGHUP from now on.
pub(crate) fn listen() {
    // Where no handler can be set, or one is set already, the signal does what
    // it did: what was written stands all the same.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "asked twice; files are whole up to the last line")]
            std::process::exit(CODE.into());
        }
        let _ =
            writeln!(io::stderr(), "stopping after the images in hand; once more to stop at once");
    });
}

/// Whether the run is asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
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
