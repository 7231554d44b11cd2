//! Writing of .npy files.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::cell::Cell;
use super::super::destination::{Destination, refuse_folder};
use super::super::error::{OutputError, Result};
use super::super::sink::{RowData, Sink};
use super::header;

/// Writes a .npy file of f32, row by row.
pub(crate) struct Writer {
    path: PathBuf,
    destination: Destination,
    /// The number of rows, if the header was written with it.
    rows: Option<usize>,
    dim: usize,
    /// The number of rows so far.
    count: usize,
}

impl Writer {
    /// Starts a file of `rows` rows of `dim` values at `path`, or on standard output.
    ///
    /// # Errors
    /// [`OutputError::Folder`], and where the output cannot be written.
    pub(crate) fn create(path: Option<&Path>, (rows, dim): (usize, usize)) -> Result<Self> {
        match path {
            Some(path) => {
                refuse_folder(path, "embeddings.npy")?;
                Self::start(path, Destination::draft(path)?, Some(rows), dim)
            }
            // The caller has refused a terminal.
            None => Self::start(Path::new("-"), Destination::stdout(), Some(rows), dim),
        }
    }

    /// Starts a file of rows of `dim` values at `path`, whose number is written when it is
    /// finished.
    ///
    /// # Errors
    /// Where the draft cannot be written.
    pub(crate) fn growing(path: &Path, dim: usize) -> Result<Self> {
        Self::start(path, Destination::draft(path)?, None, dim)
    }

    fn start(
        path: &Path,
        destination: Destination,
        rows: Option<usize>,
        dim: usize,
    ) -> Result<Self> {
        let mut writer = Writer { path: path.to_owned(), destination, rows, dim, count: 0 };
        writer.append(&header::encode(rows.unwrap_or_default(), dim))?;
        Ok(writer)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`OutputError::Npy`] for a row too many or of another length, and where the draft cannot be
    /// written.
    pub(crate) fn write(&mut self, values: &[f32]) -> Result<()> {
        if values.len() != self.dim || self.rows == Some(self.count) {
            return self.wrong_shape(format!("row {} of {} values", self.count, values.len()));
        }
        self.count += 1;
        self.append(&bytes(values))
    }

    /// Syncs a file and renames it to its path.
    ///
    /// # Errors
    /// [`OutputError::Npy`] where rows are missing, and where the file cannot be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        match self.rows {
            Some(rows) if rows != self.count => self.wrong_shape(format!("{} rows", self.count)),
            Some(_) => self.destination.finish(),
            None => {
                let header = header::encode(self.count, self.dim);
                self.destination.overwrite_start(&header)?;
                self.destination.finish()
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.destination.write_all(bytes).map_err(|error| self.destination.error(error))
    }

    fn wrong_shape(&self, found: String) -> Result<()> {
        let rows = self.rows.map_or_else(String::new, |rows| format!("{rows} "));
        let expected = format!("{rows}rows of {} values", self.dim);
        Err(OutputError::npy(&self.path, "shape", expected, found))
    }
}

/// Returns the bytes of `values`, little-endian.
pub(in super::super) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Rows are one cell of numbers.
impl Sink for Writer {
    fn write(&mut self, row: RowData) -> Result<()> {
        match row {
            RowData::Cells(cells) => cells.iter().try_for_each(|cell| match cell {
                Cell::Numbers(values) => Writer::write(self, values),
                _ => Ok(()),
            }),
            RowData::Bytes(_) => Ok(()),
        }
    }

    /// Does nothing: the file appears when it is finished.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Writer::finish(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    #[test]
    fn written_rows_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = Writer::create(Some(&path), (2, 3)).unwrap();
        writer.write(&[1.0, -0.5, 0.25]).unwrap();
        writer.write(&[2.0, 0.0, f32::MIN_POSITIVE]).unwrap();
        writer.finish().unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!((reader.rows, reader.dim), (2, 3));
        assert_eq!(reader.row().unwrap(), [1.0, -0.5, 0.25]);
        assert_eq!(reader.row().unwrap(), [2.0, 0.0, f64::from(f32::MIN_POSITIVE)]);
        assert!(reader.row().is_err());
    }

    #[test]
    fn rows_that_do_not_fit_the_header_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = Writer::create(Some(&path), (1, 2)).unwrap();
        let error = writer.write(&[1.0]).unwrap_err().to_string();
        assert!(error.ends_with("shape: expected 1 rows of 2 values, found row 0 of 1 values"));
        writer.write(&[1.0, 2.0]).unwrap();
        assert!(writer.write(&[1.0, 2.0]).is_err());
        let error = Writer::create(Some(&path), (1, 2)).unwrap().finish().unwrap_err().to_string();
        assert!(error.ends_with("a.npy: shape: expected 1 rows of 2 values, found 0 rows"));
        assert!(!path.exists());
    }

    #[test]
    fn number_of_rows_is_written_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for rows in [0, 1, 1000] {
            let mut writer = Writer::growing(&path, 2).unwrap();
            for row in 0..rows {
                writer.write(&[row as f32, 0.5]).unwrap();
            }
            assert!(writer.write(&[1.0]).unwrap_err().to_string().contains("expected rows of 2"));
            writer.finish().unwrap();
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!((reader.rows, reader.dim), (rows, 2));
            for row in 0..rows {
                assert_eq!(reader.row().unwrap(), [row as f64, 0.5]);
            }
        }
    }

    #[test]
    fn folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Writer::create(Some(folder.path()), (1, 2)).err().unwrap();
        assert!(matches!(error, OutputError::Folder { .. }), "{error}");
    }

    #[test]
    fn sparse_file_of_a_huge_row_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, header::encode(1, 1 << 30)).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(128 + (4 << 30)).unwrap();
        let error = Reader::open(&path).err().unwrap().to_string();
        assert!(error.ends_with("row: expected at most 65536 values, found 1073741824"), "{error}");
    }

    #[test]
    fn truncated_file_is_refused_by_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = Writer::create(Some(&path), (1, 2)).unwrap();
        writer.write(&[1.0, 2.0]).unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert!(Reader::open(&path).is_err(), "{end}");
        }
    }
}
