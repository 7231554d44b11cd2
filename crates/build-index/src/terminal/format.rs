//! Sizes and times in short words.

/// Formats a size in decimal units: `512 B`, `103.4 MB`.
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

/// Formats a time in its two largest units: `8 s`, `2 min 5 s`, `1 h 3 min`.
pub fn seconds(n: u64) -> String {
    match n {
        0..60 => format!("{n} s"),
        60..3600 => format!("{} min {} s", n / 60, n % 60),
        _ => format!("{} h {} min", n / 3600, n % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_uses_decimal_units() {
        assert_eq!([0, 999, 1000, 103_400_000].map(bytes), ["0 B", "999 B", "1.0 kB", "103.4 MB"]);
    }

    #[test]
    fn seconds_uses_the_two_largest_units() {
        assert_eq!([8, 125, 3780].map(seconds), ["8 s", "2 min 5 s", "1 h 3 min"]);
    }
}
