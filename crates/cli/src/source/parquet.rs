//! Images in Parquet files: a column of encoded images, as img2dataset and Hugging Face's
//! datasets write it, and the columns beside it.
//!
//! Row groups are read page by page, and the images of [`BATCH`] rows are in memory. The name of
//! an image is the file's path and the number of its row, from 0.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use interrogate::guard::guarded;
use interrogate::limits::{PARQUET_FOOTER, PASSED_TEXT, PICTURE_BYTES};
use interrogate::{Error, Result, input};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::parquet_columns::{BYTES, Column, Columns, PATH};
use super::{Body, Image};
use crate::fields::Value;
use crate::image_name::{self, Name};

/// The rows that are read at a time.
const BATCH: usize = 16;

/// Returns whether `path` has the ending of a Parquet file.
pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// An open Parquet file with images.
pub(super) struct Images<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    pub(super) columns: Columns,
}

impl<'a> Images<'a> {
    /// Opens the file at `path` and finds its columns.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] for another file, and where no column has images.
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        let file = input::open(path)?;
        check_footer(path, &file)?;
        guarded(
            || Error::mismatch(path, "Parquet", "a valid footer", "another"),
            || {
                let reader = SerializedFileReader::new(file).map_err(failed(path))?;
                let columns = Columns::find(path, reader.metadata().file_metadata().schema())?;
                check_compression(path, &reader, &columns)?;
                Ok(Images { path, reader, columns })
            },
        )
    }

    /// Passes the images to `visit` in the order of their rows, and counts them in `number`.
    fn walk(
        &self,
        number: &mut usize,
        wanted: &dyn Fn(&Name) -> bool,
        visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let schema = self.reader.metadata().file_metadata().schema();
        let chosen = schema.get_fields().iter().filter(|field| self.columns.has(field.name()));
        let chosen = Type::group_type_builder(schema.name()).with_fields(chosen.cloned().collect());
        let chosen = chosen.build().map_err(failed(self.path))?;
        let chosen = Arc::new(SchemaDescriptor::new(Arc::new(chosen)));
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(failed(self.path))?;
            let rows = TreeBuilder::new().with_batch_size(BATCH);
            let rows = rows.as_iter(chosen.clone(), group.as_ref()).map_err(failed(self.path))?;
            for values in rows {
                let values = values.map_err(failed(self.path))?;
                let text = format!("{}/{row}", image_name::text(self.path));
                let mut name = Name::new(text, None);
                if wanted(&name) {
                    let (body, fields) = self.values(values, &name);
                    name.fields = fields;
                    if visit(Image { number: *number, name, body }).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                *number += 1;
                row += 1;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns the image of a row and the values beside it.
    fn values(&self, row: Row, name: &Name) -> (Body, Vec<Value>) {
        let mut body = None;
        let mut fields = Vec::with_capacity(self.columns.fields.len());
        if self.columns.has_path {
            fields.push(Value::Missing);
        }
        for (column, field) in row.into_columns() {
            match self.columns.get(&column) {
                Some(Column::Image) => {
                    let (bytes, path) = image(field, name);
                    if let (Some(path), Some(place), true) =
                        (path, fields.first_mut(), self.columns.has_path)
                    {
                        *place = path;
                    }
                    body = Some(bytes);
                }
                Some(Column::Field) => fields.push(value(field)),
                None => {}
            }
        }
        (body.unwrap_or_else(|| no_bytes(name, "null")), fields)
    }
}

/// Passes the images of the file at `path` to `visit`, as [`super::Source::walk`] does. A file
/// that is damaged or has no images adds one more image, which fails.
pub(super) fn walk(
    path: &Path,
    number: &mut usize,
    wanted: &dyn Fn(&Name) -> bool,
    visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let read = Images::open(path).and_then(|images| {
        guarded(
            || Error::mismatch(path, "Parquet", "valid pages", "others"),
            || images.walk(number, wanted, visit),
        )
    });
    match read {
        Ok(flow) => flow,
        Err(error) => super::lost(path, error, number, wanted, visit),
    }
}

/// Checks that the columns that are read have a compression of this build.
fn check_compression(
    path: &Path,
    reader: &SerializedFileReader<File>,
    columns: &Columns,
) -> Result<()> {
    let chunks = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    for chunk in chunks {
        let is_read = chunk.column_path().parts().first().is_some_and(|name| columns.has(name));
        let known = matches!(
            chunk.compression(),
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        );
        if is_read && !known {
            let found = format!("{} in column {}", chunk.compression(), chunk.column_path());
            return Err(Error::mismatch(path, "compression", "none, snappy, gzip or zstd", found));
        }
    }
    Ok(())
}

/// Checks the length of the footer, which is read into memory.
fn check_footer(path: &Path, mut file: &File) -> Result<()> {
    let mut end = [0; 8];
    let read = file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end));
    if read.is_err() || end[4..] != *b"PAR1" {
        return Err(Error::mismatch(path, "Parquet", "PAR1 at the end", "other bytes"));
    }
    let [a, b, c, d, ..] = end;
    let length = u32::from_le_bytes([a, b, c, d]);
    if u64::from(length) > PARQUET_FOOTER {
        let expected = format!("at most {PARQUET_FOOTER} bytes");
        return Err(Error::mismatch(path, "Parquet footer", expected, length));
    }
    Ok(())
}

/// The image in a column: its bytes, or Hugging Face's group of bytes and path. Also returns the
/// path.
fn image(field: Field, name: &Name) -> (Body, Option<Value>) {
    match field {
        Field::Bytes(bytes) if bytes.len() as u64 > PICTURE_BYTES => {
            (no_bytes(name, &format!("{} of them", bytes.len())), None)
        }
        Field::Bytes(bytes) => (Body::Bytes(bytes.data().to_vec()), None),
        Field::Group(group) => {
            let (mut body, mut path) = (None, None);
            for (column, inner) in group.into_columns() {
                match (&*column, inner) {
                    (BYTES, bytes @ Field::Bytes(_)) => body = Some(image(bytes, name).0),
                    (PATH, text @ Field::Str(_)) => path = Some(value(text)),
                    _ => {}
                }
            }
            (body.unwrap_or_else(|| no_bytes(name, "null")), path)
        }
        _ => (no_bytes(name, "null"), None),
    }
}

fn no_bytes(name: &Name, found: &str) -> Body {
    let expected = format!("at most {PICTURE_BYTES} bytes");
    Body::Lost(Error::mismatch(&name.text, "encoded image", expected, found))
}

/// The value of a column that passes through. A text of more than
/// [`PASSED_TEXT`] bytes is left out.
fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Missing,
        Field::Bool(value) => Value::Bool(value),
        Field::Byte(value) => Value::Integer(value.into()),
        Field::Short(value) => Value::Integer(value.into()),
        Field::Int(value) => Value::Integer(value.into()),
        Field::Long(value) => Value::Integer(value),
        Field::UByte(value) => Value::Integer(value.into()),
        Field::UShort(value) => Value::Integer(value.into()),
        Field::UInt(value) => Value::Integer(value.into()),
        Field::ULong(value) => Value::Text(value.to_string()),
        Field::Float(value) => Value::Double(value.into()),
        Field::Double(value) => Value::Double(value),
        Field::Str(text) if text.len() as u64 > PASSED_TEXT => Value::Missing,
        Field::Str(text) => Value::Text(text),
        other => Value::Text(other.to_string()),
    }
}

fn failed(path: &Path) -> impl Fn(ParquetError) -> Error + use<'_> {
    move |error| match error {
        ParquetError::External(source) => Error::io("read", path)(io::Error::other(source)),
        error => Error::mismatch(path, "Parquet", "valid data", error),
    }
}
