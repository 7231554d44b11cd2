//! Parquet files: tables that are written whole or not at all.

mod column;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interrogate::Error;
use interrogate::guard::guarded;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;

use super::cell::Cell;
use super::destination::Destination;
use super::error::{OutputError, Result};
use super::sink::{RowData, Sink};
pub(super) use table::Table;

/// Bytes of the values that pass through in a row group: they are in memory until it is written.
const GROUP_BYTES: usize = 64 << 20;

/// The key of the number of rows that failed, in the metadata of a file of records.
const FAILED: &str = "interrogate.failed";

/// Writes rows of cells to a Parquet file.
pub(super) struct Parquet {
    path: PathBuf,
    writer: SerializedFileWriter<Destination>,
    /// The rows of the next row group, and how many it gets.
    rows: Vec<Vec<Cell>>,
    group: usize,
    /// The bytes of the values that pass through in `rows`.
    bytes: usize,
    error: Option<usize>,
    failed: usize,
}

impl Parquet {
    /// Starts a file at `path`, or on standard output.
    ///
    /// # Errors
    /// Where its draft cannot be written.
    pub(super) fn create(path: Option<&Path>, table: &Table) -> Result<Self> {
        let destination = path.map_or_else(|| Ok(Destination::stdout()), Destination::draft)?;
        let path = path.unwrap_or(Path::new("-"));
        let writer = table.schema().and_then(|schema| {
            let properties = WriterProperties::builder().set_compression(table.compression).build();
            SerializedFileWriter::new(destination, Arc::new(schema), Arc::new(properties))
        });
        let writer = writer.map_err(failed(path))?;
        Ok(Parquet {
            path: path.to_owned(),
            writer,
            rows: Vec::new(),
            group: table.group,
            bytes: 0,
            error: table.error,
            failed: 0,
        })
    }

    /// Adds a text to the file's metadata.
    pub(super) fn describe(&mut self, key: &str, text: String) {
        self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), text));
    }

    /// Writes the buffered rows as a row group.
    fn write_group(&mut self) -> std::result::Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            let cells = rows.iter().map(|row| row.get(number).unwrap_or(&Cell::None));
            column::write(column.untyped(), cells)?;
            column.close()?;
            number += 1;
        }
        group.close().map(drop)
    }
}

impl Sink for Parquet {
    fn write(&mut self, row: RowData) -> Result<()> {
        if let RowData::Cells(cells) = row {
            let error = self.error.and_then(|error| cells.get(error));
            self.failed += usize::from(error.is_some_and(|error| *error != Cell::None));
            self.bytes += cells.iter().map(Cell::passed_bytes).sum::<usize>();
            self.rows.push(cells);
        }
        if self.rows.len() < self.group && self.bytes < GROUP_BYTES {
            Ok(())
        } else {
            self.write_group().map_err(failed(&self.path))
        }
    }

    /// Does nothing: a file without its footer cannot be read.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_group().map_err(failed(&self.path))?;
        if self.error.is_some() {
            let rows = self.failed.to_string();
            self.describe(FAILED, rows);
        }
        self.writer.into_inner().map_err(failed(&self.path))?.finish()
    }
}

/// Returns the numbers of rows and of those that failed in the file of records at `path`; `None`
/// if that is no whole one.
pub(crate) fn counts(path: &Path) -> Option<(usize, usize)> {
    let read = || {
        let file = interrogate::input::open(path).ok()?;
        let reader = SerializedFileReader::new(file).ok()?;
        let metadata = reader.metadata().file_metadata();
        let failed = metadata.key_value_metadata()?.iter().find(|pair| pair.key == FAILED)?;
        let failed = failed.value.as_ref()?.parse().ok()?;
        Some((usize::try_from(metadata.num_rows()).ok()?, failed))
    };
    guarded(|| (), || Ok(read())).ok().flatten()
}

fn failed(path: &Path) -> impl FnOnce(ParquetError) -> OutputError + use<> {
    let path = path.to_owned();
    move |error| Error::io("write", path)(io::Error::other(error)).into()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::record::Field;

    use super::super::record::{Column, Kind};
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "caption", kind: Kind::Text, at: "" },
        Column { name: "score", kind: Kind::Number, at: "" },
        Column { name: "labels", kind: Kind::Texts, at: "" },
        Column { name: "scores", kind: Kind::Numbers, at: "" },
        Column { name: "tokens", kind: Kind::Integers, at: "" },
        Column { name: "tables", kind: Kind::Json, at: "" },
    ];

    fn table(rows: Vec<Vec<Cell>>, table: &Table) -> SerializedFileReader<File> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let mut sink = Box::new(Parquet::create(Some(&path), table).unwrap());
        rows.into_iter().for_each(|row| sink.write(RowData::Cells(row)).unwrap());
        assert!(!path.exists(), "the file appears when it is finished");
        sink.finish().unwrap();
        SerializedFileReader::new(File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn records_have_their_columns_between_image_and_error() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let full = vec![
            text("a.jpg"),
            text("a cat"),
            Cell::Number(0.5),
            Cell::Texts(vec!["x".into(), "y, z".into()]),
            Cell::Numbers(vec![0.25]),
            Cell::Integers(vec![-1, 2]),
            text("{}"),
            Cell::None,
        ];
        let failed = [vec![text("b.jpg")], vec![Cell::None; COLUMNS.len()], vec![text("gone")]];
        let reader = table(vec![full, failed.concat()], &Table::records(COLUMNS));
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<_> = schema.get_fields().iter().map(|field| field.name()).collect();
        let expected = ["caption", "score", "labels", "scores", "tokens", "tables"];
        assert_eq!(names, [&["image"][..], &expected, &["error"]].concat());
        let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string());
        let expected = [
            "{image: \"a.jpg\", caption: \"a cat\", score: 0.5, labels: [\"x\", \"y, z\"], \
             scores: [0.25], tokens: [-1, 2], tables: \"{}\", error: null}",
            "{image: \"b.jpg\", caption: null, score: null, labels: [], scores: [], tokens: [], \
             tables: null, error: \"gone\"}",
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn embeddings_are_one_list_per_prompt() {
        let row = |id: usize| {
            let values = vec![id as f32, 0.5];
            vec![Cell::Text(id.to_string()), Cell::Text("a".into()), Cell::Numbers(values)]
        };
        let prompts = Table::embeddings();
        let reader = table((0..prompts.group + 1).map(row).collect(), &prompts);
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let last = reader.get_row_iter(None).unwrap().last().unwrap().unwrap();
        let fields: Vec<_> = last.get_column_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(fields, ["id", "prompt", "embedding"]);
        let (_, id) = last.get_column_iter().next().unwrap();
        assert_eq!(*id, Field::Str(prompts.group.to_string()));
    }

    #[test]
    fn unfinished_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let sink = Parquet::create(Some(&path), &Table::embeddings()).unwrap();
        drop(sink);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
