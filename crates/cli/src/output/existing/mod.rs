//! What a file of answers holds already, so that a run can go on with it.
//!
//! A run that was killed may have left half of a row at the end, and a loss of power zeros
//! behind it: they are not counted, and what is written next takes their place. How rows are
//! told apart is [`jsonl`]'s and [`csv`]'s.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use build_index::durable::Draft;
use interrogate::{Error, input, limits};

use super::OutputError;
use crate::error::CliError;

mod csv;
mod jsonl;

pub(super) use csv::read as csv;
pub(super) use jsonl::read as jsonl;

/// Characters of a foreign row that are shown.
const SHOWN: usize = 80;

/// The answers in a file.
#[derive(Debug, Default)]
pub(crate) struct ExistingRows {
    /// The images that have an answer, and those that have an error alone.
    done: HashSet<String>,
    failed: HashSet<String>,
    /// Where the last whole row ends, in bytes.
    pub(super) end: u64,
    /// The rows of errors, in bytes.
    errors: Vec<Range<u64>>,
    /// The same, where their images are tried again.
    pub(super) retried: Vec<Range<u64>>,
}

impl ExistingRows {
    /// Whether the image is not looked at any more.
    pub(crate) fn contains(&self, image: &str) -> bool {
        self.done.contains(image) || self.failed.contains(image)
    }

    /// Images that have an answer.
    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    /// Images that have an error alone, and are not tried again.
    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Images with an error are tried again.
    pub(super) fn retry_failed(&mut self) {
        self.failed.clear();
        self.retried = std::mem::take(&mut self.errors);
    }

    /// One row more, of `bytes`.
    fn row(&mut self, image: String, failed: bool, bytes: u64) {
        let begins = self.end;
        self.end += bytes;
        if failed {
            self.errors.push(begins..self.end);
        }
        match failed {
            true if self.done.contains(&image) => {}
            true => drop(self.failed.insert(image)),
            false => {
                self.failed.remove(&image);
                self.done.insert(image);
            }
        }
    }
}

/// Writes the file at `path` anew without the rows that are tried again, and gives its new
/// length. It is there whole, before or after: killed meanwhile, nothing is lost.
///
/// # Errors
/// Where it cannot be read or written.
pub(super) fn without_retried(path: &Path, standing: &ExistingRows) -> Result<u64, CliError> {
    // The file that a link leads to, not the link.
    let path = &path.canonicalize().map_err(Error::io("open", path))?;
    let mut file = input::open(path)?;
    let mode = file.metadata().map_err(Error::io("read", path))?.permissions();
    let mut draft = Draft::beside(path)?;
    let (mut from, mut written) = (0, 0);
    let end = std::iter::once(standing.end..standing.end);
    for row in standing.retried.iter().cloned().chain(end) {
        let copied = file.seek(SeekFrom::Start(from)).and_then(|_| {
            io::copy(&mut (&mut file).take(row.start.saturating_sub(from)), &mut draft)
        });
        written += copied.map_err(Error::io("write", path))?;
        from = row.end;
    }
    draft.persist(path)?;
    fs::set_permissions(path, mode).map_err(Error::io("write", path))?;
    Ok(written)
}

/// To compare with: as fast as memory is read.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Whether nothing but zeros follows. Memory: a buffer.
///
/// # Errors
/// The system's, and more than [`limits::ANSWER_ZEROS`].
fn zeros_alone(path: &Path, file: &mut impl BufRead) -> Result<bool, CliError> {
    let mut zeros = 0;
    loop {
        let bytes = file.fill_buf().map_err(Error::io("read", path))?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.chunks(ZEROS.len()).any(|bytes| *bytes != ZEROS[..bytes.len()]) {
            return Ok(false);
        }
        let read = bytes.len();
        file.consume(read);
        zeros += read as u64;
        if zeros > limits::ANSWER_ZEROS {
            let expected = format!("at most {} bytes", limits::ANSWER_ZEROS);
            return Err(Error::mismatch(path, "zeros at the end", expected, "more").into());
        }
    }
}

fn foreign(path: &Path, line: usize, expected: String, found: &[u8]) -> CliError {
    let found = &found[..found.len().min(4 * SHOWN)];
    let mut text: String = String::from_utf8_lossy(found).trim_end().chars().take(SHOWN).collect();
    if text.is_empty() {
        text = "nothing".into();
    }
    OutputError::UnexpectedRow { path: path.to_owned(), line, expected, found: text }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ExistingRows {
        fn images(&self) -> usize {
            self.done() + self.failed()
        }
    }

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
            assert_eq!((standing.images(), standing.end), (whole, ends as u64), "{end}");
            assert_eq!(standing.failed(), usize::from(whole > 1));
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
        assert!(error.contains(": line 2: expected a quote that ends"), "{error}");
        let error = refused("\"a.jpg,\r\n\"b, c.jpg\",\r\n");
        assert!(error.contains(": line 2: expected cells quoted as in RFC 4180"), "{error}");
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
            assert_eq!((standing.images(), standing.end), (images, ends as u64), "{end}");
            assert_eq!(standing.failed(), usize::from(images > 1));
        }
    }

    /// A ranking of many labels is one row of megabytes.
    #[test]
    fn a_row_of_csv_may_have_any_length() {
        let header = b"image,labels,error\r\n";
        let long = format!("\"[{}]\"", "\"\"a, b\"\",".repeat(400_000));
        let rows = format!("image,labels,error\r\na.jpg,{long},\r\nb.jpg,{long},gone\r\n");
        let standing = csv(file(rows.as_bytes()).path(), header).unwrap();
        assert_eq!((standing.done(), standing.failed(), standing.end), (1, 1, rows.len() as u64));
        let cut = &rows[..rows.len() - 9];
        let standing = csv(file(cut.as_bytes()).path(), header).unwrap();
        assert_eq!((standing.done(), standing.failed()), (1, 0));
    }

    /// Sparse, so that only the reader could take room for them.
    #[test]
    fn gigabytes_of_zeros_are_cut_off_or_refused() {
        let header = b"image,error\r\n";
        for begun in ["", "b.jp", "\"b,"] {
            let rows = format!("image,error\r\na.jpg,\r\n{begun}");
            let file = file(rows.as_bytes());
            file.as_file().set_len(1 << 26).unwrap();
            assert_eq!(csv(file.path(), header).unwrap().end, 13 + 8);
        }
        let file = file(b"{\"image\":\"a\",\"error\":\"\"}\n{\"image\":\"b");
        file.as_file().set_len(1 << 26).unwrap();
        assert_eq!(jsonl(file.path(), &["caption"]).unwrap().end, 25);
        file.as_file().set_len(limits::ANSWER_ZEROS + (1 << 24)).unwrap();
        let error = jsonl(file.path(), &["caption"]).unwrap_err().to_string();
        assert!(error.contains("zeros at the end: expected at most 1073741824 "), "{error}");
    }

    #[test]
    fn a_line_longer_than_any_answer_is_refused() {
        let file = file(b"{\"image\":\"a\",\"caption\":\"");
        std::io::copy(&mut std::io::repeat(b'x').take(300 << 20), &mut file.as_file()).unwrap();
        let error = jsonl(file.path(), &["caption"]).unwrap_err().to_string();
        assert!(error.contains("line 1: expected a line of at most 268435456 bytes"), "{error}");
    }

    #[test]
    fn an_image_with_a_name_longer_than_any_is_refused() {
        let rows = format!("image,error\r\n{},\r\n", "x".repeat(limits::ANSWER_NAME + 1));
        let error = csv(file(rows.as_bytes()).path(), b"image,error\r\n").unwrap_err().to_string();
        assert!(error.contains("line 2: expected an image's name of at most 8388608"), "{error}");
    }

    #[test]
    fn rows_that_are_tried_again_leave_the_file() {
        let rows = "image,error\r\na.jpg,gone\r\nb.jpg,\r\nc.jpg,\"x, y\"\r\nd.jpg,\r\ne";
        let file = file(rows.as_bytes());
        let mut standing = csv(file.path(), b"image,error\r\n").unwrap();
        assert_eq!((standing.done(), standing.failed()), (2, 2));
        standing.retry_failed();
        assert!(
            standing.contains("b.jpg")
                && !standing.contains("a.jpg")
                && !standing.contains("c.jpg")
        );
        let end = without_retried(file.path(), &standing).unwrap();
        let left = "image,error\r\nb.jpg,\r\nd.jpg,\r\n";
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), left);
        assert_eq!(end, left.len() as u64);
    }

    #[test]
    fn an_answer_counts_whatever_error_came_before_or_after() {
        let lines = "{\"image\":\"a\",\"error\":\"\"}\n{\"image\":\"a\",\"caption\":\"\"}\n";
        let standing = jsonl(file(lines.as_bytes()).path(), &["caption"]).unwrap();
        assert_eq!((standing.done(), standing.failed()), (1, 0));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]

        /// What is kept of any file reads as the same again.
        #[test]
        fn any_bytes_are_read_or_refused(
            picks in proptest::collection::vec(0..9usize, 0..48),
            is_json in proptest::prelude::any::<bool>(),
        ) {
            let csv_pieces = [&b"\""[..], b",", b"\r\n", b"\0", b"a", b"\r", b"\n", b"\"\"", b"b,,\r\n"];
            let json_pieces = [
                &b"{\"image\":"[..], b"\"a\"", b",\"error\":\"\"}\n", b"\0", b"}", b"\n", b"[", b"1,",
                b"{\"image\":\"b\",\"caption\":[[1]]}\n",
            ];
            let header = &b"image,caption,error\r\n"[..];
            let read = |bytes: &[u8]| match is_json {
                true => jsonl(file(bytes).path(), &["caption"]),
                false => csv(file(bytes).path(), header),
            };
            let pieces = if is_json { json_pieces } else { csv_pieces };
            let mut bytes = if is_json { Vec::new() } else { header.to_vec() };
            picks.iter().for_each(|&pick| bytes.extend(pieces[pick]));
            if let Ok(standing) = read(&bytes) {
                let again = read(&bytes[..standing.end as usize]).unwrap();
                assert_eq!((again.end, again.done, again.failed), (standing.end, standing.done, standing.failed));
            }
        }
    }
}
