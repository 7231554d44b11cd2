//! NumPy's .npy: a header and the rows, f32, little-endian, row by row.
//!
//! The format is NumPy's (numpy/lib/_format_impl.py, version 1.0). The header is
//! a Python dict of three known keys, read as such and as nothing else; crates
//! for it bring a parser generator along.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::target::Target;
use super::{Error, Prompt, Sink};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes of a header at most; NumPy's own have 128.
const MAX_HEADER: usize = 4096;

/// A file of rows that is being written.
pub(crate) struct Writer {
    target: Target,
    /// Rows that are still to come.
    left: usize,
    dim: usize,
}

impl Writer {
    /// Writes the header of `count` rows of `dim` values.
    pub(super) fn new(mut target: Target, count: usize, dim: usize) -> Result<Self, Error> {
        target.write(&header(count, dim))?;
        Ok(Writer { target, left: count, dim })
    }

    /// The same at `path`.
    pub(crate) fn create(path: &Path, count: usize, dim: usize) -> Result<Self, Error> {
        Self::new(Target::file(path)?, count, dim)
    }

    /// One row.
    pub(crate) fn values(&mut self, values: &[f32]) -> Result<(), Error> {
        let wrong = values.len() != self.dim || self.left == 0;
        if wrong {
            let found = format!("{} values, {} rows to come", values.len(), self.left);
            let expected = format!("rows of {}", self.dim);
            let path = self.target.path();
            return Err(Error::Npy { path, what: "shape", expected, found });
        }
        self.left -= 1;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.target.write(&bytes)
    }

    /// The file takes its place.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.left {
            0 => self.target.finish(),
            left => Err(Error::Npy {
                path: self.target.path(),
                what: "shape",
                expected: "all rows".into(),
                found: format!("{left} fewer"),
            }),
        }
    }
}

impl Sink for Writer {
    fn row(&mut self, _: &Prompt, values: &[f32]) -> Result<(), Error> {
        self.values(values)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Writer::finish(*self)
    }
}

/// The header, padded so that the values begin at a multiple of 64.
fn header(count: usize, dim: usize) -> Vec<u8> {
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {dim}), }}");
    let length = (MAGIC.len() + 4 + dict.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    let mut header = [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), dict.as_bytes()].concat();
    header.resize(MAGIC.len() + 4 + length - 1, b' ');
    header.push(b'\n');
    header
}

/// A file of rows that is being read.
pub(crate) struct Reader {
    pub(crate) path: PathBuf,
    file: BufReader<File>,
    double: bool,
    /// Rows in the file.
    pub(crate) count: usize,
    /// Values in a row.
    pub(crate) dim: usize,
}

impl Reader {
    /// Opens the file at `path` and holds its header against its length.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let refuse = |what, expected: String, found: String| {
            Err(Error::Npy { path: path.to_owned(), what, expected, found })
        };
        let file = interrogate::input::open(path)?;
        let bytes = file.metadata().map_err(read)?.len();
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut start = Vec::new();
        (&mut file).take(8).read_to_end(&mut start).map_err(read)?;
        if !start.starts_with(MAGIC) || start.len() < 8 {
            return refuse("magic", "that of a .npy".into(), "another".into());
        }
        let width = if start[6] == 1 { 2 } else { 4 };
        let mut length = [0; 4];
        file.read_exact(&mut length[..width]).map_err(read)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            let expected = format!("at most {MAX_HEADER} bytes");
            return refuse("header", expected, length.to_string());
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text).map_err(read)?;
        let text = String::from_utf8_lossy(&text);
        let Some((double, count, dim)) = parsed(&text) else {
            let expected = "'<f4' or '<f8', row by row, of two dimensions".into();
            return refuse("header", expected, text.trim_end().to_owned());
        };
        let size = count.checked_mul(dim).and_then(|n| n.checked_mul(if double { 8 } else { 4 }));
        let expected = size.map(|size| size as u64 + (8 + width + length) as u64);
        if expected != Some(bytes) {
            let expected = format!("{count} rows of {dim} values");
            return refuse("length", expected, format!("{bytes} bytes"));
        }
        Ok(Reader { path: path.to_owned(), file, double, count, dim })
    }

    /// The next row, in f64.
    pub(crate) fn row(&mut self) -> Result<Vec<f64>, Error> {
        let width = if self.double { 8 } else { 4 };
        let mut bytes = vec![0; self.dim * width]; // within the file's length
        let read = |source| Error::Read { path: self.path.clone(), source };
        self.file.read_exact(&mut bytes).map_err(read)?;
        let value = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => f64::NAN, // chunks have one of the two lengths
        };
        Ok(bytes.chunks_exact(width).map(value).collect())
    }
}

/// Whether the values are f64, and the shape: of a header as NumPy writes it.
fn parsed(text: &str) -> Option<(bool, usize, usize)> {
    let dict = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let after = |key: &str| dict.split_once(key).map(|(_, value)| value.trim_start());
    let double = match after("'descr':")? {
        value if value.starts_with("'<f4'") => false,
        value if value.starts_with("'<f8'") => true,
        _ => return None,
    };
    after("'fortran_order':")?.starts_with("False").then_some(())?;
    let shape = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
    let mut sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let (count, dim) = (sizes.next()?.parse().ok()?, sizes.next()?.parse().ok()?);
    (sizes.next().is_none() && dim > 0).then_some((double, count, dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_numpys() {
        let header = header(7, 384);
        assert_eq!(header.len(), 128);
        let text = std::str::from_utf8(&header[10..]).unwrap();
        assert!(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (7, 384), }"));
        assert_eq!((parsed(text), header.last()), (Some((false, 7, 384)), Some(&b'\n')));
    }

    #[test]
    fn other_headers_are_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (7, 384), }",
            "{'descr': '<f4', 'fortran_order': True, 'shape': (7, 384), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 3, 8), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 0), }",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
