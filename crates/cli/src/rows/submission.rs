//! Kaggle's submission.csv: `imgId_eId,val`, a line a value.

use std::fmt::Write;

use super::target::Target;
use super::{Error, Prompt, Sink};

pub(super) struct Submission {
    target: Target,
    rows: usize,
}

impl Submission {
    pub(super) fn new(mut target: Target) -> Result<Self, Error> {
        target.write(b"imgId_eId,val\n")?;
        Ok(Submission { target, rows: 0 })
    }
}

impl Sink for Submission {
    fn row(&mut self, prompt: &Prompt, values: &[f32]) -> Result<(), Error> {
        let stem = prompt.stem.as_deref().ok_or(Error::Nameless { row: self.rows })?;
        let mut lines = String::with_capacity(values.len() * (stem.len() + 20));
        for (number, value) in values.iter().enumerate() {
            let id = quoted(&format!("{stem}_{number}"));
            // The shortest digits that read as the same f32.
            let _ = writeln!(lines, "{id},{value}"); // a String takes all that is written
        }
        self.rows += 1;
        self.target.write(lines.as_bytes())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        self.target.finish()
    }
}

/// A field by RFC 4180: in quotes where it holds what parts fields or lines.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_part_a_line_are_quoted() {
        assert_eq!(quoted("f27825b2c_0"), "f27825b2c_0");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
