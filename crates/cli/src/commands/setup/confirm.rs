//! The question before a download.

use std::io::{BufRead, IsTerminal, Read, Write, stderr, stdin};

use super::Download;
use crate::error::CliError;
use crate::folders;
use crate::logger::Logger;

/// The maximum length of an answer in bytes.
const ANSWER: u64 = 1 << 10;

/// Lists the downloads and asks for consent. `yes` is consent; no downloads need none.
///
/// # Errors
/// [`CliError::Arguments`] without consent, and without a terminal to ask on.
pub(super) fn confirm(downloads: &[Download], yes: bool, logger: &Logger) -> Result<(), CliError> {
    if downloads.is_empty() {
        return Ok(());
    }
    let can_ask = stdin().is_terminal() && stderr().is_terminal();
    if !yes && !can_ask {
        let names: Vec<String> = downloads.iter().map(ToString::to_string).collect();
        return Err(CliError::Arguments {
            message: format!("no terminal to ask on: {}", names.join("; ")),
            hint: "pass --yes to download without asking".to_owned(),
        });
    }
    // A question is not quiet.
    let list = if yes { logger } else { &Logger::new(false) };
    downloads.iter().for_each(|download| list.note(download));
    list.note(format_args!("cache: {}", folders::models().display()));
    list.note("Ctrl-C loses nothing: the same command continues where it stopped");
    if yes {
        return Ok(());
    }
    // Errors are ignored: the answer is read either way.
    let _ = write!(stderr(), "Download? [y/N] ").and_then(|()| stderr().flush());
    if is_yes(&answer()?) {
        return Ok(());
    }
    Err(CliError::Arguments {
        message: "nothing was downloaded".to_owned(),
        hint: "answer y, or pass --yes".to_owned(),
    })
}

/// Reads a line of the terminal.
fn answer() -> Result<String, CliError> {
    let mut answer = String::new();
    let read = stdin().lock().take(ANSWER).read_line(&mut answer);
    read.map_err(interrogate::Error::io("read", "standard input"))?;
    Ok(answer)
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_y_and_yes_consent() {
        for (answer, yes) in [
            ("y", true),
            (" YES ", true),
            ("", false),
            ("n", false),
            ("yy", false),
            ("yesno", false),
        ] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
