//! Numbers and names in the words of a message.

/// `1 weight`, `2 weights`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The first five names, and how many more there are.
pub(super) fn first_names(names: &[String]) -> String {
    match names.len() {
        0..=5 => names.join(", "),
        n => format!("{} and {} more", names[..5].join(", "), n - 5),
    }
}

/// Who forbids a download.
pub(super) fn forbids(variable: Option<&str>) -> String {
    match variable {
        Some(name) => format!("{name} forbids downloads"),
        None => "a name that was read from a file is not downloaded".to_owned(),
    }
}

/// Bytes as GiB with one decimal.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
