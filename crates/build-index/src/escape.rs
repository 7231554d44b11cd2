//! Text for people: control characters, bidirectional marks and line separators are
//! spelled out.
//!
//! Labels, names of files, tables and models, and what other programs say of them may
//! hold anything. All of it goes through here before a person sees it; data (JSON lines,
//! CSV, Parquet) has escapes of its own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::PanicHookInfo;

/// `text` with control characters and bidirectional marks spelled out (`\u{1b}`); line
/// ends (LF and CRLF) and tabs stay.
pub fn shown(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.strip_suffix('\r') {
        Some(line) => in_columns(line) + "\r",
        None => in_columns(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The same on one line, line ends and tabs spelled out too: no name can begin a line.
pub fn on_one_line(text: &str) -> String {
    spelled(text, is_hidden)
}

/// The same on one line, with its tabs: for columns that tabs part.
pub fn in_columns(text: &str) -> String {
    spelled(text, |c| is_hidden(c) && c != '\t')
}

/// C0 with DEL and C1 (category Cc), the characters that embed, override or isolate a
/// direction of writing (UAX #9), and the line and paragraph separators.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn spelled(text: &str, which: impl Fn(char) -> bool) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars() {
        match which(c) {
            true => spelled.extend(c.escape_default()),
            false => spelled.push(c),
        }
    }
    spelled
}

/// What a binary says of a panic, which may quote what was read; with a backtrace where
/// one is asked for.
pub fn of_panic(info: &PanicHookInfo<'_>) -> String {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => shown(&format!("{info}\n{trace}")),
        _ => shown(&info.to_string()),
    }
}

/// A writer whose text is [`shown`]. Each write must end between two characters, as those
/// of `write!` do; bytes that are not UTF-8 become U+FFFD.
#[derive(Debug)]
pub struct Shown<W>(pub W);

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(shown(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(shown("a\u{1b}[31m\rb\n\té\u{9b}\u{7f}"), "a\\u{1b}[31m\\rb\n\té\\u{9b}\\u{7f}");
        assert_eq!(shown("a,b\r\nc\r\n"), "a,b\r\nc\r\n");
        assert_eq!(on_one_line("a\nerror: b\t"), "a\\nerror: b\\t");
        assert_eq!(in_columns("a\n\tb"), "a\\n\tb");
    }

    #[test]
    fn every_character_that_reorders_or_ends_a_line_is_spelled_out() {
        let separators = ['\u{85}', '\u{2028}', '\u{2029}'];
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain(separators) {
            assert_eq!(shown(&format!("a{c}b")), format!("a\\u{{{:x}}}b", c as u32));
        }
        // Text of any script stays as it is.
        for text in ["ελληνικά", "שלום", "日本", "👩‍🎨", "a\u{a0}b\u{200d}c"] {
            assert_eq!(on_one_line(text), text);
        }
    }

    #[test]
    fn a_writer_spells_out_what_is_written() {
        let (name, mut out) = ("a\u{1b}b", Vec::new());
        writeln!(Shown(&mut out), "{name}: é").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\\u{1b}b: é\n");
    }
}
