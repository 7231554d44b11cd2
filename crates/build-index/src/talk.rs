//! Errors, findings and sizes in words, for whoever has a terminal.
//!
//! Everything is written to a writer that the caller brings; what the words
//! are about is elsewhere. Text that was read is spelled out where it could move a
//! terminal or begin a line ([`escape`](crate::escape)).

use std::error::Error;
use std::io::{self, Write};

use crate::escape::on_one_line;
use crate::{Dictionary, Finding, Flaw};

/// Writes an error with its causes, and what to try next:
///
/// ```text
/// error: cannot read dicts
///   cause: No such file or directory (os error 2)
/// hint: check the spelling; relative paths start at the working folder
/// ```
///
/// # Errors
/// The writer's.
pub fn explain(error: &dyn Error, hint: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "error: {}", on_one_line(&error.to_string()))?;
    let mut cause = error.source();
    while let Some(error) = cause {
        writeln!(out, "  cause: {}", on_one_line(&error.to_string()))?;
        cause = error.source();
    }
    hint.map_or(Ok(()), |hint| writeln!(out, "hint: {}", on_one_line(hint)))
}

/// Writes what was noticed in a dictionary, a line each, `limit` at most; then
/// how many more there are.
///
/// # Errors
/// The writer's.
pub fn list_findings(dictionary: &Dictionary, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let path = on_one_line(&dictionary.path().to_string_lossy());
    let findings = dictionary.findings();
    for finding in findings.iter().take(limit) {
        writeln!(out, "{path}: {}", on_one_line(&finding.to_string()))?;
    }
    let count = |finding: &Finding| match finding.flaw {
        Flaw::More { count } => count,
        _ => 1,
    };
    match findings.iter().skip(limit).map(count).sum::<usize>() {
        0 => Ok(()),
        more if limit == 0 => writeln!(out, "{path}: {more} findings"),
        more => writeln!(out, "{path}: {more} more findings"),
    }
}

/// A size in decimal units: `512 B`, `103.4 MB`.
pub fn bytes(n: u64) -> String {
    let mut size = n as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            break;
        }
        (size, unit) = (size / 1000.0, larger);
    }
    if unit == "B" { format!("{n} B") } else { format!("{size:.1} {unit}") }
}

/// A time in the two largest units: `8 s`, `2 min 5 s`, `1 h 3 min`.
pub fn seconds(n: u64) -> String {
    match n {
        0..60 => format!("{n} s"),
        60..3600 => format!("{} min {} s", n / 60, n % 60),
        _ => format!("{} h {} min", n / 3600, n % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_comes_with_causes_and_hint() {
        let denied = io::Error::new(io::ErrorKind::PermissionDenied, "denied");
        let error = crate::Error::from(interrogate::Error::io("open", "x")(denied));
        let text = written(|out| explain(&error, error.hint().as_deref(), out));
        let hint = "you lack the permission; choose another folder or change its mode";
        assert_eq!(text, format!("error: cannot open x\n  cause: denied\nhint: {hint}\n"));
    }

    #[test]
    fn no_name_begins_a_line_or_moves_a_terminal() {
        let path = Path::new("a\nerror: \u{1b}[2J.txt");
        let missing = io::Error::new(io::ErrorKind::NotFound, "gone\nhint: run this");
        let error = interrogate::Error::io("open", path)(missing);
        let text = written(|out| explain(&error, Some("see \u{9b}2J"), out));
        assert_eq!(
            text,
            "error: cannot open a\\nerror: \\u{1b}[2J.txt\n  cause: gone\\nhint: run this\nhint: see \\u{9b}2J\n"
        );
        let path = path.join("x.txt"); // the file's own name is a table's, which is checked
        let dictionary = Dictionary::parse(&path, b"a\n\n").unwrap();
        let text = written(|out| list_findings(&dictionary, 9, out));
        assert_eq!(text, "a\\nerror: \\u{1b}[2J.txt/x.txt: line 2: blank, left out\n");
    }

    #[test]
    fn findings_are_listed_up_to_a_limit_and_then_counted() {
        let dictionary = Dictionary::parse(Path::new("x.txt"), b"a\n\n\n\n").unwrap();
        let listed = |limit| written(|out| list_findings(&dictionary, limit, out));
        assert_eq!(listed(9).lines().count(), 3);
        assert_eq!(listed(1), "x.txt: line 2: blank, left out\nx.txt: 2 more findings\n");
        assert_eq!(listed(0), "x.txt: 3 findings\n");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!([0, 999, 1000, 103_400_000].map(bytes), ["0 B", "999 B", "1.0 kB", "103.4 MB"]);
        assert_eq!([8, 125, 3780].map(seconds), ["8 s", "2 min 5 s", "1 h 3 min"]);
    }
}
