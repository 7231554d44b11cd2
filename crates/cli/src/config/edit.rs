//! Changes values in the text of the file and keeps the rest.

use toml_writer::{ToTomlValue, TomlStringBuilder};

use super::Entry;

/// The beginning of a new file.
const HEADER: &str = "# Defaults of interrogate's options; `interrogate setup` changes them.\n";

/// Returns `text`, whose values are `entries`, with the `values` of their keys.
pub(super) fn with_values<'a>(
    text: &str,
    entries: &[Entry],
    values: impl IntoIterator<Item = (&'static str, &'a str)>,
) -> String {
    let mut edited = text.to_owned();
    let (mut replaced, mut added) = (Vec::new(), String::new());
    for (key, value) in values {
        // One line, whatever the value has.
        let value = TomlStringBuilder::new(value).as_basic().to_toml_value();
        match entries.iter().find(|entry| entry.key == key) {
            Some(entry) => replaced.push((entry.span.clone(), value)),
            None => added += &format!("{key} = {value}\n"),
        }
    }
    // From the end, so that the ranges before stay valid.
    replaced.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, value) in replaced {
        edited.replace_range(span, &value);
    }
    if edited.is_empty() {
        edited += HEADER;
    } else if !edited.ends_with('\n') && !added.is_empty() {
        edited.push('\n');
    }
    edited + &added
}
