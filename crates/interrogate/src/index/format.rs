//! What the files of an index are called, and the constants both sides share.
//!
//! The builder writes by these and the reader checks by these; neither has a
//! number of its own. What the manifest says is in `manifest`, what a shard
//! holds in `shard`, how labels lie in `labels`.
//!
//! An index is a folder:
//!
//! ```text
//! manifest.json
//! flavors-00000-of-00004-1b2c3d4e5f60.safetensors
//! ...
//! flavors-9a8b7c6d5e4f.labels
//! ```
//!
//! The last part of a name is the start of the file's SHA-256, so that a file of
//! other content has another name. A rebuild therefore never touches a file of
//! the index that stands, and the manifest, renamed over the old one, is the
//! only thing that changes: a reader sees the old index or the new one, whole.

use half::f16;

use super::Digest;

/// The version of the format that is written, as the manifest states it. Older ones
/// are read as well:
///
/// 1. as it is described here, and codes without a [`SPREAD`];
/// 2. codes with one. A reader of version 1 would take such codes for others, and so
///    must not open it.
pub const FORMAT: u32 = 2;

/// The manifest's name.
pub const MANIFEST: &str = "manifest.json";

/// The type of a row's values, as the manifest states it.
pub const DTYPE: &str = "f16";

/// The tensor of rows, f16 (rows, dim).
pub const EMBEDS: &str = "embeds";

/// The tensor of codes, i8 (rows, dim): see [`crate::rank::codes`]. It stands with
/// the three that follow it, or none of them does.
pub const CODES: &str = "codes";

/// The tensor of what a row's codes are multiplied by, f32 (rows).
pub const SCALES: &str = "scales";

/// The tensor of how far a row's score may be from that of its codes, f32 (rows).
pub const SLACK: &str = "slack";

/// The tensor of what was taken off every row before it was coded, f32 (dim).
pub const MEAN: &str = "mean";

/// The tensor of what the codes of each dimension are multiplied by besides, f32
/// (dim): from above 0 to 1. It stands with codes or not at all; without it, all are 1.
pub const SPREAD: &str = "spread";

/// Where a shard's rows begin is a multiple of this: a cache line.
pub const ALIGNMENT: usize = 64;

/// A shard's header takes less than this; the real ones take a few hundred bytes.
pub const MAX_HEADER: usize = 1 << 16;

/// A manifest takes less than this; the real ones take a few thousand bytes.
pub const MAX_MANIFEST: u64 = 1 << 24;

/// Values in a row, at most. The widest CLIP has 1,280.
pub const MAX_DIM: usize = 1 << 16;

/// Shards of a table, at most: their numbers have five digits.
pub const MAX_SHARDS: usize = 99_999;

/// Bytes of a table's name, at most, so that a file's name stays below the 255
/// that file systems grant.
pub const MAX_NAME: usize = 128;

/// Hexadecimal digits of a checksum in a file's name: 48 bits.
const STAMP: usize = 12;

/// How far a row's squared length may be from 1.
///
/// Rounding to f16 moves a value by at most 2^-11 of itself, or by 2^-25 where
/// it is subnormal; so the length of a unit row moves by at most
/// 2^-11 + 2^-25 sqrt(dim), which for every dim that the format allows is below
/// 2^-10.9, and its square by at most twice that and a little.
const UNIT_TOLERANCE: f64 = 1.0 / 512.0;

/// The name of shard `number` of `count` of a table.
pub fn shard_name(table: &str, number: usize, count: usize, checksum: &Digest) -> String {
    format!("{table}-{number:05}-of-{count:05}-{}.safetensors", stamp(checksum))
}

/// The name of a table's label file.
pub fn labels_name(table: &str, checksum: &Digest) -> String {
    format!("{table}-{}.labels", stamp(checksum))
}

/// Whether a file of this name may be one of an index: what a builder may sweep
/// away once no manifest names it.
pub fn is_index_file(name: &str) -> bool {
    if let Some(rest) = name.strip_suffix(".labels") {
        return strip_stamp(rest).is_some_and(is_table_name);
    }
    let Some(rest) = name.strip_suffix(".safetensors").and_then(strip_stamp) else { return false };
    let number = |part: &str| part.len() == 5 && part.bytes().all(|b| b.is_ascii_digit());
    rest.rsplit_once("-of-")
        .filter(|(_, count)| number(count))
        .and_then(|(rest, _)| rest.rsplit_once('-'))
        .is_some_and(|(table, shard)| number(shard) && is_table_name(table))
}

/// Whether a table, or an index's folder, may bear this name: letters and
/// digits of any script, and `-`, `_`, `.` and spaces between them. Such a name
/// is one component of a path and no hidden file on any system.
pub fn is_table_name(name: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    name.len() <= MAX_NAME
        && name.chars().all(inner)
        && outer(name.chars().next())
        && outer(name.chars().next_back())
}

/// Whether this is the squared length of a unit row in f16; NaN and infinity are not.
pub fn is_unit(square: f64) -> bool {
    (1.0 - UNIT_TOLERANCE..=1.0 + UNIT_TOLERANCE).contains(&square)
}

/// The squared length of a row.
pub fn square(row: &[f16]) -> f64 {
    row.iter().map(|value| value.to_f64() * value.to_f64()).sum()
}

/// Whether a character ends a line for some reader: a label holds none, since lists,
/// tables and terminals have a label a line (Unicode's mandatory breaks, UAX #14).
pub fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn stamp(checksum: &Digest) -> String {
    let mut hex = checksum.to_string();
    hex.truncate(STAMP); // a digest is ASCII
    hex
}

fn strip_stamp(name: &str) -> Option<&str> {
    let (rest, stamp) = name.rsplit_once('-')?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (stamp.len() == STAMP && stamp.bytes().all(hex)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_carry_table_number_and_checksum() {
        let digest = Digest::of(b"");
        let shard = shard_name("flavors", 0, 3, &digest);
        assert_eq!(shard, "flavors-00000-of-00003-e3b0c44298fc.safetensors");
        assert_eq!(labels_name("flavors", &digest), "flavors-e3b0c44298fc.labels");
        assert!(is_index_file(&shard) && is_index_file(&labels_name("a b", &digest)));
    }

    #[test]
    fn files_of_other_people_are_not_taken_for_the_index_s() {
        for name in [
            "model.safetensors",
            "flavors.labels",
            "flavors-00000-of-00003.safetensors",
            "flavors-0000-of-00003-e3b0c44298fc.safetensors",
            "flavors-00000-of-00003-E3B0C44298FC.safetensors",
            "-e3b0c44298fc.labels",
            "manifest.json",
            "",
        ] {
            assert!(!is_index_file(name), "{name}");
        }
    }

    #[test]
    fn table_names_stay_inside_the_folder() {
        for good in ["flavors", "my list", "2.5d", "künstler", "_x", "ViT-B-32"] {
            assert!(is_table_name(good), "{good}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a\0", ".x", "x.", " x", "a:b", &long] {
            assert!(!is_table_name(bad), "{bad}");
        }
    }
}
