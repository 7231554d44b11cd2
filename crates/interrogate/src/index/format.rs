//! The format of an index: file names, and the constants that reader and builder share.
//!
//! The fields of the manifest are in `manifest`, the tensors of a shard in `shard`, the
//! layout of a label file in `labels`.
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
//! The last part of a name is the start of the file's SHA-256, so that files of different
//! content have different names. A rebuild therefore never modifies a file of the existing
//! index. Renaming the new manifest over the old one switches to the new index in one step:
//! a reader sees either the old index or the new one.

use half::f16;

use super::Digest;

/// The version of the format that the builder writes. Older versions can be read:
///
/// 1. codes without a [`SPREAD`];
/// 2. codes may have one. A reader of version 1 would misread such codes and must not open
///    them.
pub const FORMAT: u32 = 2;

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";

/// The type of a row's values in the manifest.
pub const DTYPE: &str = "f16";

/// The tensor of rows, f16 (rows, dim).
pub const EMBEDS: &str = "embeds";

/// The tensor of quantized codes, i8 (rows, dim): see [`crate::rank::codes`]. A shard has
/// this tensor and the three that follow, or none of them.
pub const CODES: &str = "codes";

/// The tensor of the codes' scale, f32 (rows).
pub const SCALES: &str = "scales";

/// The tensor of error bounds, f32 (rows): the largest difference between a row's score and
/// that of its codes.
pub const SLACK: &str = "slack";

/// The tensor of the mean, f32 (dim), which is subtracted from a row before quantization.
pub const MEAN: &str = "mean";

/// The tensor of a factor for the codes of each dimension, f32 (dim), above 0 and at most 1.
/// Optional beside codes; without it, all factors are 1.
pub const SPREAD: &str = "spread";

/// Alignment of a shard's rows in the file: a cache line.
pub const ALIGNMENT: usize = 64;

/// Largest size of a shard's header in bytes; the builder writes a few hundred.
pub const MAX_HEADER: usize = 1 << 16;

/// Largest size of a manifest in bytes; the builder writes a few thousand.
pub const MAX_MANIFEST: u64 = 1 << 24;

/// Largest number of values in a row. The widest CLIP has 1,280.
pub const MAX_DIM: usize = 1 << 16;

/// Largest number of shards of a table: file names number them with five digits.
pub const MAX_SHARDS: usize = 99_999;

/// Largest length of a table's name in bytes, so that file names stay below the 255 bytes
/// that file systems allow.
pub const MAX_NAME: usize = 128;

/// Hexadecimal digits of the checksum in a file's name: 48 bits.
const STAMP: usize = 12;

/// Largest difference between a row's squared length and 1.
///
/// Rounding to f16 changes a value by at most 2^-11 of itself, or by 2^-25 if it is
/// subnormal. The length of a unit row therefore changes by at most
/// 2^-11 + 2^-25 sqrt(dim), which is below 2^-10.9 for every dim that the format allows,
/// and its square by slightly more than twice that.
const UNIT_TOLERANCE: f64 = 1.0 / 512.0;

/// Returns the file name of shard `number` of `count` of a table.
pub fn shard_name(table: &str, number: usize, count: usize, checksum: &Digest) -> String {
    format!("{table}-{number:05}-of-{count:05}-{}.safetensors", stamp(checksum))
}

/// Returns the file name of a table's labels.
pub fn labels_name(table: &str, checksum: &Digest) -> String {
    format!("{table}-{}.labels", stamp(checksum))
}

/// Whether a file of this name belongs to an index. A builder deletes such a file once no
/// manifest names it.
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

/// Whether this is a valid name of a table or of an index's folder: letters and digits of
/// any script, and `-`, `_`, `.` and spaces between them. Such a name is one component of
/// a path and not a hidden file on any system.
pub fn is_table_name(name: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    name.len() <= MAX_NAME
        && name.chars().all(inner)
        && outer(name.chars().next())
        && outer(name.chars().next_back())
}

/// Whether this is the squared length of a unit row in f16. False for NaN and infinity.
pub fn is_unit(square: f64) -> bool {
    (1.0 - UNIT_TOLERANCE..=1.0 + UNIT_TOLERANCE).contains(&square)
}

/// Returns the squared length of a row.
pub fn square(row: &[f16]) -> f64 {
    row.iter().map(|value| value.to_f64() * value.to_f64()).sum()
}

/// Whether some reader treats this character as a line break (Unicode's mandatory breaks,
/// UAX #14). A label contains none, since lists, tables and terminals show a label a line.
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
    fn other_file_names_are_not_index_files() {
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
