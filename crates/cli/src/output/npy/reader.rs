//! Reading of .npy files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use interrogate::{Error, input};

use super::super::error::{OutputError, Result};
use super::header::{self, Header, MAGIC};

/// The size of a header at most, in bytes; NumPy writes 128.
const MAX_HEADER: usize = 4096;

/// The number of values in a row at most, as in an index.
const MAX_DIM: usize = 1 << 16;

/// Reads the rows of a .npy file one by one.
pub(crate) struct Reader {
    pub(crate) path: PathBuf,
    file: BufReader<File>,
    double: bool,
    /// The bytes of the last row.
    bytes: Vec<u8>,
    /// The number of rows.
    pub(crate) rows: usize,
    /// The number of values in a row.
    pub(crate) dim: usize,
}

impl Reader {
    /// Opens the file at `path`, and checks its header and its length.
    ///
    /// # Errors
    /// [`OutputError::Npy`] for a file that is not a .npy of (rows, values) in f32 or f64.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let read = || Error::io("read", path);
        let invalid = |what, expected: String, found: String| {
            Err(OutputError::npy(path, what, expected, found))
        };
        let file = input::open(path)?;
        let bytes = file.metadata().map_err(read())?.len();
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut start = Vec::new();
        (&mut file).take(8).read_to_end(&mut start).map_err(read())?;
        if !start.starts_with(MAGIC) || start.len() < 8 {
            return invalid("magic", "that of a .npy".into(), "another".into());
        }
        let width = if start[6] == 1 { 2 } else { 4 };
        let mut length = [0; 4];
        file.read_exact(&mut length[..width]).map_err(read())?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            let expected = format!("at most {MAX_HEADER} bytes");
            return invalid("header", expected, length.to_string());
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text).map_err(read())?;
        let text = String::from_utf8_lossy(&text);
        let Some(Header { double, rows, dim }) = header::parse(&text) else {
            let expected = "'<f4' or '<f8', row by row, of two dimensions".into();
            return invalid("header", expected, text.trim_end().to_owned());
        };
        if dim > MAX_DIM {
            return invalid("row", format!("at most {MAX_DIM} values"), dim.to_string());
        }
        let size = rows.checked_mul(dim).and_then(|n| n.checked_mul(if double { 8 } else { 4 }));
        let expected = size.map(|size| size as u64 + (8 + width + length) as u64);
        if expected != Some(bytes) {
            let expected = format!("{rows} rows of {dim} values");
            return invalid("length", expected, format!("{bytes} bytes"));
        }
        Ok(Reader { path: path.to_owned(), file, double, bytes: Vec::new(), rows, dim })
    }

    /// Reads the next row as f64.
    ///
    /// # Errors
    /// [`Error::Io`], also past the last row.
    pub(crate) fn row(&mut self) -> Result<Vec<f64>> {
        let width = if self.double { 8 } else { 4 };
        self.bytes.resize(self.dim * width, 0); // at most the file's length
        self.file.read_exact(&mut self.bytes).map_err(Error::io("read", &self.path))?;
        let value = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => f64::NAN, // unreachable: chunks have 4 or 8 bytes
        };
        Ok(self.bytes.chunks_exact(width).map(value).collect())
    }

    /// The bytes of the last row that was read.
    pub(crate) fn row_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
