//! What a file of answers holds already, so that a run can go on with it.
//!
//! A run that was killed may have left half of a line at the end: it is not
//! counted, and what is written next takes its place.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

use interrogate::{Error, input};
use serde_json::{Map, Value};

use super::Refused;
use crate::fault::Fault;

/// The answers in a file.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The images that have one.
    pub(crate) images: HashSet<String>,
    /// How many of them failed.
    pub(crate) failed: usize,
    /// Where the last whole answer ends, in bytes.
    pub(crate) end: u64,
}

/// Bytes of a row of CSV at most: what stands behind a quote that never ends is no
/// row that was cut short.
const LONGEST: usize = 1 << 20;

/// How every line of JSON begins.
const BEGINNING: &[u8] = br#"{"image":"#;

/// Reads a file of JSON lines, which have all of `keys` or an error.
///
/// # Errors
/// [`Refused::Foreign`] for a line of another kind, and where it cannot be read.
pub(super) fn jsonl(path: &Path, keys: &[&str]) -> Result<Standing, Fault> {
    let file = input::open(path)?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut standing = Standing::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(Error::io("read", path))?;
        if read == 0 {
            break;
        }
        let answer = match line.last() {
            Some(b'\n') => serde_json::from_slice::<Map<String, Value>>(&line).ok(),
            _ => None,
        };
        let known = answer.and_then(|answer| match answer.get("image") {
            Some(Value::String(image)) => {
                let failed = answer.contains_key("error");
                let whole = failed || keys.iter().all(|key| answer.contains_key(*key));
                whole.then(|| (image.clone(), failed))
            }
            _ => None,
        });
        let Some((image, failed)) = known else {
            // A line that was cut short is the last; behind a loss of power the
            // rest of it may be zeros.
            let begun = &line[..line.len().min(BEGINNING.len())];
            let cut = line.last() != Some(&b'\n') && BEGINNING.starts_with(begun);
            if cut || line.iter().all(|&byte| byte == 0) && line.last() != Some(&b'\n') {
                break;
            }
            let expected = format!("an image with {} as JSON", keys.join(", "));
            return Err(foreign(path, number, expected, &line));
        };
        standing.failed += usize::from(failed);
        standing.images.insert(image);
        standing.end += read as u64;
    }
    Ok(standing)
}

/// Reads a file of CSV that begins with the row `header`, its end included. Memory:
/// a row, and the names of the images.
///
/// # Errors
/// [`Refused::Foreign`] for another header or a row of another width, and where it
/// cannot be read.
pub(super) fn csv(path: &Path, header: &[u8]) -> Result<Standing, Fault> {
    let file = input::open(path)?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let columns = fields(header).map_or(0, |row| row.len());
    let mut standing = Standing::default();
    let (mut row, mut rows, mut quoted) = (Vec::new(), 0, false);
    loop {
        let before = row.len();
        if file.read_until(b'\n', &mut row).map_err(Error::io("read", path))? == 0 {
            break;
        }
        // Line ends within quotes end no row (RFC 4180).
        let quotes = row[before..].iter().filter(|&&byte| byte == b'"').count();
        quoted ^= quotes % 2 == 1;
        if row.len() > LONGEST {
            let expected = format!("a row of {LONGEST} bytes at most");
            return Err(foreign(path, rows + 1, expected, &row));
        }
        if quoted || row.last() != Some(&b'\n') {
            continue;
        }
        rows += 1;
        if rows == 1 && row != header {
            return Err(not_the_header(path, header, &row));
        }
        if rows > 1 {
            let found = fields(&row).filter(|row| row.len() == columns);
            let Some(found) = found else {
                return Err(foreign(path, rows, format!("{columns} columns"), &row));
            };
            let (image, error) = (&found[0], &found[columns - 1]);
            standing.failed += usize::from(!error.is_empty());
            standing.images.insert(String::from_utf8_lossy(image).into_owned());
        }
        standing.end += row.len() as u64;
        row.clear();
    }
    // What is left was cut short; so may the header have been.
    match rows == 0 && !header.starts_with(&row) {
        true => Err(not_the_header(path, header, &row)),
        false => Ok(standing),
    }
}

/// The cells of one row.
fn fields(row: &[u8]) -> Option<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).buffer_capacity(row.len()).from_reader(row);
    let record = reader.byte_records().next()?.ok()?;
    (!record.is_empty()).then_some(record)
}

fn not_the_header(path: &Path, header: &[u8], row: &[u8]) -> Fault {
    let expected = String::from_utf8_lossy(header).trim_end().to_owned();
    foreign(path, 1, expected, row)
}

fn foreign(path: &Path, line: usize, expected: String, found: &[u8]) -> Fault {
    let mut text: String = String::from_utf8_lossy(found).trim_end().chars().take(80).collect();
    if text.is_empty() {
        text = "nothing".into();
    }
    Refused::Foreign { path: path.to_owned(), line, expected, found: text }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn wherever_json_lines_are_cut_the_whole_ones_stand() {
        let lines: [&[u8]; 3] = [
            b"{\"image\":\"a.jpg\",\"caption\":\"x\\ny\",\"tokens\":[1]}\n",
            b"{\"image\":\"b.jpg\",\"error\":\"gone\"}\n",
            b"{\"image\":\"\xc3\xa9.jpg\",\"caption\":\"\",\"tokens\":[]}\n",
        ];
        let all = lines.concat();
        for end in 0..=all.len() {
            let standing = jsonl(file(&all[..end]).path(), &["caption", "tokens"]).unwrap();
            let (mut whole, mut ends) = (0, 0);
            for line in lines {
                if ends + line.len() > end {
                    break;
                }
                (whole, ends) = (whole + 1, ends + line.len());
            }
            assert_eq!((standing.images.len(), standing.end), (whole, ends as u64), "{end}");
            assert_eq!(standing.failed, usize::from(whole > 1));
        }
    }

    #[test]
    fn zeros_behind_a_loss_of_power_are_cut_off() {
        let bytes = b"{\"image\":\"a\",\"error\":\"\"}\n\0\0\0\0";
        assert_eq!(jsonl(file(bytes).path(), &["caption"]).unwrap().end, 25);
    }

    #[test]
    fn other_files_are_not_gone_on_with() {
        let refused = |bytes: &[u8]| jsonl(file(bytes).path(), &["caption"]).unwrap_err();
        for bytes in [
            &b"{\"image\":\"a\",\"prompt\":\"\"}\n"[..],
            b"notes without an end",
            b"{\"image\":\"a\"}\n{\"image\":\"b\",\"caption\":\"\"}\n",
            b"\0\0\n",
            b"\n",
        ] {
            let error = refused(bytes).to_string();
            assert!(error.contains(": line 1: expected an image with caption as JSON"), "{error}");
        }
        let error = csv(file(b"a,b\r\n").path(), b"image,error\r\n").unwrap_err().to_string();
        assert!(error.ends_with(": line 1: expected image,error, found a,b"), "{error}");
    }

    #[test]
    fn a_csv_that_somebody_has_changed_is_not_cut_short() {
        let refused = |rows: &str| {
            let bytes = format!("image,error\r\n{rows}");
            csv(file(bytes.as_bytes()).path(), b"image,error\r\n").unwrap_err().to_string()
        };
        let error = refused("a.jpg,\r\nb.jpg\r\n");
        assert!(error.ends_with(": line 3: expected 2 columns, found b.jpg"), "{error}");
        let error = refused(&format!("\"a.jpg,\r\n{}", "b.jpg,\r\n".repeat(150_000)));
        assert!(error.contains(": line 2: expected a row of 1048576 bytes at most"), "{error}");
    }

    #[test]
    fn wherever_a_csv_is_cut_the_whole_rows_stand() {
        let rows: [&[u8]; 4] = [
            b"image,caption,error\r\n",
            b"a.jpg,\"one, \"\"two\"\"\r\nthree\",\r\n",
            b"b.jpg,,gone\r\n",
            b"c.jpg,\"\"\"\",\r\n",
        ];
        let all = rows.concat();
        for end in 0..=all.len() {
            let standing = csv(file(&all[..end]).path(), rows[0]).unwrap();
            let (mut whole, mut ends) = (0, 0);
            for row in rows {
                if ends + row.len() > end {
                    break;
                }
                (whole, ends) = (whole + 1, ends + row.len());
            }
            let images = usize::saturating_sub(whole, 1);
            assert_eq!((standing.images.len(), standing.end), (images, ends as u64), "{end}");
            assert_eq!(standing.failed, usize::from(images > 1));
        }
    }
}
