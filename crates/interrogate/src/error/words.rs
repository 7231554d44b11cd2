//! Numbers and names as messages print them.

/// Prints `1 weight`, `2 weights`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Lists the first five names and counts the rest.
pub(super) fn first_names(names: &[String]) -> String {
    match names.len() {
        0..=5 => names.join(", "),
        n => format!("{} and {} more", names[..5].join(", "), n - 5),
    }
}

/// Says why a download is forbidden.
pub(super) fn download_forbidden(variable: Option<&str>) -> String {
    match variable {
        Some(name) => format!("{name} forbids downloads"),
        None => "a name that was read from a file is not downloaded".to_owned(),
    }
}

/// Prints bytes as GiB with one decimal.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
