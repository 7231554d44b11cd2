//! Rows of a JSON lines file: the name of each image, and the keys of its object.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use interrogate::{Error, input, limits};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::super::error::Result;
use super::zeros::only_zeros_follow;
use super::{ExistingRows, unexpected};

/// The first bytes of each line.
const START: &[u8] = br#"{"image":"#;

/// Reads the file at `path`, whose lines have all of `keys`, or an error. Memory: a line, of at
/// most [`limits::ANSWER_LINE`] bytes, and the names of the images.
///
/// # Errors
/// [`OutputError::UnexpectedRow`](super::OutputError::UnexpectedRow) for a line of another kind,
/// and where the file cannot be read.
pub(crate) fn read(path: &Path, keys: &[&str]) -> Result<ExistingRows> {
    let mut file = BufReader::with_capacity(1 << 20, input::open(path)?);
    let mut existing = ExistingRows::default();
    let mut line = Vec::new();
    for number in 1.. {
        let end = read_line(path, &mut file, &mut line)?;
        let start = &line[..line.len().min(START.len())];
        let row = match end {
            LineEnd::Newline => parse(&line, keys),
            // The last line is cut short, or not on the disk.
            LineEnd::File if START.starts_with(start) => break,
            LineEnd::Zero if START.starts_with(start) && only_zeros_follow(path, &mut file)? => {
                break;
            }
            _ => None,
        };
        let Some((image, failed)) = row else {
            let expected = match end {
                LineEnd::Limit => format!("a line of at most {} bytes", limits::ANSWER_LINE),
                _ => format!("a JSON object with image, {}", keys.join(", ")),
            };
            return Err(unexpected(path, number, expected, &line));
        };
        existing.add(image, failed, line.len() as u64);
    }
    Ok(existing)
}

/// What ends a line.
enum LineEnd {
    Newline,
    /// A zero byte, which JSON does not contain.
    Zero,
    /// The end of the file.
    File,
    /// The line is too long.
    Limit,
}

/// Reads the next line into `line`, its newline included.
fn read_line(path: &Path, file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<LineEnd> {
    line.clear();
    loop {
        let bytes = file.fill_buf().map_err(Error::io("read", path))?;
        if bytes.is_empty() {
            return Ok(LineEnd::File);
        }
        let end = bytes.iter().position(|&byte| byte == b'\n' || byte == 0);
        if line.len() + end.unwrap_or(bytes.len()) > limits::ANSWER_LINE {
            return Ok(LineEnd::Limit);
        }
        let Some(end) = end else {
            line.extend_from_slice(bytes);
            let read = bytes.len();
            file.consume(read);
            continue;
        };
        if bytes[end] == 0 {
            line.extend_from_slice(&bytes[..end]);
            file.consume(end);
            return Ok(LineEnd::Zero);
        }
        line.extend_from_slice(&bytes[..=end]);
        file.consume(end + 1);
        return Ok(LineEnd::Newline);
    }
}

/// Returns the image of a line and whether it failed. `None` where the line is not such an
/// object.
fn parse(line: &[u8], keys: &[&str]) -> Option<(String, bool)> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let (image, failed) = Keys(keys).deserialize(&mut json).ok()??;
    json.end().ok()?;
    Some((image, failed))
}

/// Reads an object with an image and with these keys or an error. Values other than the image's
/// name are skipped.
struct Keys<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Option<(String, bool)>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        json: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Option<(String, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<M: MapAccess<'de>>(
        self,
        mut map: M,
    ) -> std::result::Result<Self::Value, M::Error> {
        let (mut image, mut failed, mut found) = (None, false, vec![false; self.0.len()]);
        while let Some(key) = map.next_key::<String>()? {
            if key == "image" {
                image = Some(map.next_value::<String>()?);
                continue;
            }
            failed |= key == "error";
            if let Some(number) = self.0.iter().position(|expected| *expected == key) {
                found[number] = true;
            }
            map.next_value::<IgnoredAny>()?;
        }
        let complete = failed || found.into_iter().all(|found| found);
        Ok(image.filter(|_| complete).map(|image| (image, failed)))
    }
}
