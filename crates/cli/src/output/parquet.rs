//! Parquet: a table of columns, there whole or not at all.
//!
//! Lists have the three levels of the format's specification
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>),
//! as pyarrow and pandas write and read them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use build_index::durable::Draft;
use interrogate::Error;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{Cell, Column, Content, Kind, Sink};
use crate::error::CliError;

/// Rows that are in memory before they are written as a group.
const GROUP: usize = 4096;

/// A table in the making; gone again when dropped before it is finished.
pub(super) struct Parquet {
    path: PathBuf,
    writer: SerializedFileWriter<Draft>,
    columns: &'static [Column],
    rows: Vec<Held>,
}

/// A row that waits for its group.
struct Held {
    image: String,
    cells: Vec<Cell>,
    error: Option<String>,
}

impl Parquet {
    /// Begins the table at `path`.
    ///
    /// # Errors
    /// Where its draft cannot be written.
    pub(super) fn create(path: &Path, columns: &'static [Column]) -> Result<Self, CliError> {
        let draft = Draft::beside(path)?;
        let writer = parse_message_type(&schema(columns)).and_then(|schema| {
            let properties = Arc::new(WriterProperties::builder().build());
            SerializedFileWriter::new(draft, Arc::new(schema), properties)
        });
        let writer = writer.map_err(failed(path))?;
        Ok(Parquet { path: path.to_owned(), writer, columns, rows: Vec::new() })
    }

    fn group(&mut self) -> Result<(), CliError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let mut write = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            let images = rows.iter().map(|row| Some(row.image.as_str().into()));
            required(&mut group, images.flatten().collect())?;
            for (column, &Column { kind, .. }) in self.columns.iter().enumerate() {
                let cells = rows.iter().map(|row| row.cells.get(column).unwrap_or(&Cell::None));
                write_column(&mut group, kind, cells)?;
            }
            let errors = rows.iter().map(|row| row.error.as_deref().map(ByteArray::from));
            optional::<ByteArrayType>(&mut group, errors.collect())?;
            group.close().map(drop)
        };
        write().map_err(failed(&self.path))
    }
}

impl Sink for Parquet {
    fn write(&mut self, content: Content) -> Result<(), CliError> {
        if let Content::Cells { image, cells, error } = content {
            self.rows.push(Held { image, cells, error });
        }
        if self.rows.len() < GROUP { Ok(()) } else { self.group() }
    }

    /// A table without its end is none: nobody reads along.
    fn flush(&mut self) -> Result<(), CliError> {
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), CliError> {
        self.group()?;
        let draft = self.writer.into_inner().map_err(failed(&self.path))?;
        Ok(draft.persist(&self.path)?)
    }
}

fn failed(path: &Path) -> impl FnOnce(ParquetError) -> CliError {
    let path = path.to_owned();
    move |error| Error::io("write", path)(io::Error::other(error)).into()
}

/// The table's type in the format's own words.
fn schema(columns: &[Column]) -> String {
    let mut schema = "message answers { required binary image (STRING); ".to_owned();
    for Column { name, kind, .. } in columns {
        let list = |element: &str| {
            format!("required group {name} (LIST) {{ repeated group list {{ {element} }} }} ")
        };
        schema += &match kind {
            Kind::Text | Kind::Json => format!("optional binary {name} (STRING); "),
            Kind::Number => format!("optional float {name}; "),
            Kind::Texts => list("required binary element (STRING);"),
            Kind::Numbers => list("required float element;"),
            Kind::Integers => list("required int64 element;"),
        };
    }
    schema + "optional binary error (STRING); }"
}

type Group<'a> = SerializedRowGroupWriter<'a, Draft>;

fn write_column<'a>(
    group: &mut Group<'_>,
    kind: Kind,
    cells: impl Iterator<Item = &'a Cell>,
) -> Result<(), ParquetError> {
    match kind {
        Kind::Text | Kind::Json => {
            optional::<ByteArrayType>(
                group,
                cells
                    .map(|cell| {
                        if let Cell::Text(text) = cell { Some(text.as_str().into()) } else { None }
                    })
                    .collect(),
            )
        }
        Kind::Number => optional::<FloatType>(
            group,
            cells
                .map(|cell| if let Cell::Number(number) = cell { Some(*number) } else { None })
                .collect(),
        ),
        Kind::Texts => lists::<ByteArrayType>(
            group,
            cells.map(|cell| match cell {
                Cell::Texts(texts) => texts.iter().map(|text| text.as_str().into()).collect(),
                _ => Vec::new(),
            }),
        ),
        Kind::Numbers => lists::<FloatType>(
            group,
            cells
                .map(|cell| if let Cell::Numbers(list) = cell { list.clone() } else { Vec::new() }),
        ),
        Kind::Integers => lists::<Int64Type>(
            group,
            cells.map(
                |cell| if let Cell::Integers(list) = cell { list.clone() } else { Vec::new() },
            ),
        ),
    }
}

fn required(group: &mut Group<'_>, values: Vec<ByteArray>) -> Result<(), ParquetError> {
    column::<ByteArrayType>(group, |column| column.write_batch(&values, None, None))
}

/// Values that may be missing: definition level 1 where there is one.
fn optional<T: DataType>(
    group: &mut Group<'_>,
    values: Vec<Option<T::T>>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    column::<T>(group, |column| column.write_batch(&values, Some(&levels), None))
}

/// Lists, none of them missing: definition level 0 stands for an empty one, and
/// repetition level 0 for the first value of each.
fn lists<T: DataType>(
    group: &mut Group<'_>,
    lists: impl Iterator<Item = Vec<T::T>>,
) -> Result<(), ParquetError> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        if list.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
        for (place, value) in list.into_iter().enumerate() {
            defined.push(1);
            repeated.push((place > 0).into());
            values.push(value);
        }
    }
    column::<T>(group, |column| column.write_batch(&values, Some(&defined), Some(&repeated)))
}

fn column<T: DataType>(
    group: &mut Group<'_>,
    write: impl FnOnce(&mut ColumnWriterImpl<'_, T>) -> Result<usize, ParquetError>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("a column more than the schema has".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    write(column.typed::<T>())?;
    column.close()
}
