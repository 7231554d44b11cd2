//! Kaggle's submission.csv: `imgId_eId,val`, a line per value.

use std::fmt::Write;

pub(super) const HEADER: &[u8] = b"imgId_eId,val\n";

/// Returns the lines of the image `stem`. A value has the fewest digits that parse as the same
/// f32.
pub(super) fn lines(stem: &str, values: &[f32]) -> String {
    let mut lines = String::with_capacity(values.len() * (stem.len() + 20));
    for (number, value) in values.iter().enumerate() {
        let id = quoted(&format!("{stem}_{number}"));
        let _ = writeln!(lines, "{id},{value}"); // cannot fail: a String
    }
    lines
}

/// Quotes a field as RFC 4180 has it, where it holds a comma, a quote or a line break.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_separators_are_quoted() {
        assert_eq!(quoted("f27825b2c_0"), "f27825b2c_0");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
