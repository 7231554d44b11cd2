//! A file of JSON lines. Of a line the name of its image is kept, and which keys it has.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use interrogate::{Error, input, limits};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::{ExistingRows, foreign, zeros_alone};
use crate::error::CliError;

/// How every line of JSON begins.
const BEGINNING: &[u8] = br#"{"image":"#;

/// Reads a file of JSON lines, which have all of `keys` or an error. Memory: a line, of at
/// most [`limits::ANSWER_LINE`], and the names of the images.
///
/// # Errors
/// [`OutputError::UnexpectedRow`](super::OutputError::UnexpectedRow) for a line of another kind, and where it
/// cannot be read.
pub(crate) fn read(path: &Path, keys: &[&str]) -> Result<ExistingRows, CliError> {
    let mut file = BufReader::with_capacity(1 << 20, input::open(path)?);
    let mut standing = ExistingRows::default();
    let mut line = Vec::new();
    for number in 1.. {
        let end = line_of(path, &mut file, &mut line)?;
        let begun = &line[..line.len().min(BEGINNING.len())];
        let known = match end {
            End::Line => parsed(&line, keys),
            // The last line was cut short, or nothing of it came to the disk.
            End::File if BEGINNING.starts_with(begun) => break,
            End::Zero if BEGINNING.starts_with(begun) && zeros_alone(path, &mut file)? => break,
            _ => None,
        };
        let Some((image, failed)) = known else {
            let expected = match end {
                End::Limit => format!("a line of at most {} bytes", limits::ANSWER_LINE),
                _ => format!("an image with {} as JSON", keys.join(", ")),
            };
            return Err(foreign(path, number, expected, &line));
        };
        standing.row(image, failed, line.len() as u64);
    }
    Ok(standing)
}

/// What ends a line.
enum End {
    Line,
    /// A zero, which JSON never holds.
    Zero,
    File,
    /// It is too long.
    Limit,
}

/// Reads the next line, its end included.
fn line_of(path: &Path, file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<End, CliError> {
    line.clear();
    loop {
        let bytes = file.fill_buf().map_err(Error::io("read", path))?;
        if bytes.is_empty() {
            return Ok(End::File);
        }
        let end = bytes.iter().position(|&byte| byte == b'\n' || byte == 0);
        if line.len() + end.unwrap_or(bytes.len()) > limits::ANSWER_LINE {
            return Ok(End::Limit);
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
            return Ok(End::Zero);
        }
        line.extend_from_slice(&bytes[..=end]);
        file.consume(end + 1);
        return Ok(End::Line);
    }
}

/// The image of a line and whether it failed, where it is an answer.
fn parsed(line: &[u8], keys: &[&str]) -> Option<(String, bool)> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let (image, failed) = Keys(keys).deserialize(&mut json).ok()??;
    json.end().ok()?;
    Some((image, failed))
}

/// Looks for an image, and for these keys or an error; all values but the image's name are
/// passed over.
struct Keys<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Option<(String, bool)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Option<(String, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut image, mut failed, mut found) = (None, false, vec![false; self.0.len()]);
        while let Some(key) = map.next_key::<String>()? {
            if key == "image" {
                image = Some(map.next_value::<String>()?);
                continue;
            }
            failed |= key == "error";
            if let Some(at) = self.0.iter().position(|known| *known == key) {
                found[at] = true;
            }
            map.next_value::<IgnoredAny>()?;
        }
        let whole = failed || found.into_iter().all(|found| found);
        Ok(image.filter(|_| whole).map(|image| (image, failed)))
    }
}
