//! The sink of features.

use std::path::{Path, PathBuf};

use interrogate::index::Hasher;

use super::super::cell::Cell;
use super::super::error::Result;
use super::super::npy;
use super::super::sink::{RowData, Sink};
use super::Description;

/// Writes the features of images and their description. Images that failed have no row. Without
/// a row, no file is written.
pub(in super::super) struct FeaturesWriter {
    path: PathBuf,
    /// `None` before the first row, which has the number of values.
    writer: Option<npy::Writer>,
    hasher: Hasher,
    description: Description,
}

impl FeaturesWriter {
    /// Creates a writer for the features at `path`. The `description` has no images yet.
    pub(in super::super) fn new(path: &Path, description: Description) -> Self {
        let hasher = Hasher::default();
        FeaturesWriter { path: path.to_owned(), writer: None, hasher, description }
    }
}

/// A row is the name of the image, the values and an error.
impl Sink for FeaturesWriter {
    fn write(&mut self, row: RowData) -> Result<()> {
        let RowData::Cells(cells) = row else { return Ok(()) };
        let [Cell::Text(image), Cell::Numbers(values), ..] = &cells[..] else { return Ok(()) };
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(npy::Writer::growing(&self.path, values.len())?),
        };
        writer.write(values)?;
        self.hasher.update(&npy::bytes(values));
        self.description.images.push(image.clone());
        Ok(())
    }

    /// Does nothing: the files appear when they are finished.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let FeaturesWriter { path, writer, hasher, mut description } = *self;
        let Some(writer) = writer else { return Ok(()) };
        description.sha256 = Some(hasher.finish());
        description.write(&path)?;
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(image: &str, values: Cell) -> RowData {
        RowData::Cells(vec![Cell::Text(image.into()), values, Cell::None])
    }

    #[test]
    fn failed_images_have_no_row_and_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let description = Description { model: "m".into(), ..Description::default() };
        let mut writer = Box::new(FeaturesWriter::new(&path, description));
        writer.write(row("a", Cell::Numbers(vec![1.0, 0.0]))).unwrap();
        writer.write(row("b", Cell::None)).unwrap();
        writer.write(row("c", Cell::Numbers(vec![0.0, 1.0]))).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "one draft");
        writer.finish().unwrap();
        let found = Description::read(&path).unwrap();
        assert_eq!((found.images, found.model), (vec!["a".into(), "c".into()], "m".into()));
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(found.sha256, Some(interrogate::index::Digest::of(&bytes[128..])));
        assert_eq!(npy::Reader::open(&path).unwrap().rows, 2);
    }

    #[test]
    fn without_a_row_no_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = Box::new(FeaturesWriter::new(&path, Description::default()));
        writer.write(row("b", Cell::None)).unwrap();
        writer.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
