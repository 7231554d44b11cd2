//! Escapes text for people: control characters, bidirectional marks and line separators.
//!
//! Labels, names of files, tables and models, and messages of other programs may hold
//! any character. All of it is escaped before it is printed; data (JSON lines, CSV,
//! Parquet) has escapes of its own.

use std::io::{self, Write};

/// Escapes control characters and bidirectional marks (`\u{1b}`) in `text`. Line ends
/// (LF and CRLF) and tabs stay.
pub fn text(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.strip_suffix('\r') {
        Some(line) => columns(line) + "\r",
        None => columns(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Like [`text`], with line ends and tabs escaped too, so that no name starts a line.
pub fn line(text: &str) -> String {
    escape(text, is_hidden)
}

/// Like [`line()`], but tabs stay: for columns that are separated by tabs.
pub fn columns(text: &str) -> String {
    escape(text, |c| is_hidden(c) && c != '\t')
}

/// C0 with DEL and C1 (category Cc), the characters that embed, override or isolate a
/// direction of writing (UAX #9), and the line and paragraph separators.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn escape(text: &str, which: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if which(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// A writer that escapes what is written by [`text`]. Each write must end between two
/// characters, as those of `write!` do; bytes that are not UTF-8 become U+FFFD.
#[derive(Debug)]
pub struct Writer<W>(pub W);

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(text(&String::from_utf8_lossy(bytes)).as_bytes())?;
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
    fn control_characters_are_escaped() {
        assert_eq!(text("a\u{1b}[31m\rb\n\té\u{9b}\u{7f}"), "a\\u{1b}[31m\\rb\n\té\\u{9b}\\u{7f}");
        assert_eq!(text("a,b\r\nc\r\n"), "a,b\r\nc\r\n");
        assert_eq!(line("a\nerror: b\t"), "a\\nerror: b\\t");
        assert_eq!(columns("a\n\tb"), "a\\n\tb");
    }

    #[test]
    fn bidirectional_marks_and_separators_are_escaped_and_scripts_are_not() {
        let separators = ['\u{85}', '\u{2028}', '\u{2029}'];
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain(separators) {
            assert_eq!(text(&format!("a{c}b")), format!("a\\u{{{:x}}}b", c as u32));
        }
        for script in ["ελληνικά", "שלום", "日本", "👩‍🎨", "a\u{a0}b\u{200d}c"]
        {
            assert_eq!(line(script), script);
        }
    }

    #[test]
    fn writer_escapes_what_is_written() {
        let (name, mut out) = ("a\u{1b}b", Vec::new());
        writeln!(Writer(&mut out), "{name}: é").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\\u{1b}b: é\n");
    }
}
