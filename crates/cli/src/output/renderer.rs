//! Rendering of records as rows.

use serde::Serialize;

use super::cell::{self, Cell};
use super::csv;
use super::error::Result;
use super::record::Record;
use super::sink::{Row, RowData};
use crate::args::Form;
use crate::image_name::ImageName;
use crate::logger;

/// Renders records as rows of one format, in order.
#[derive(Debug)]
pub(crate) struct Renderer {
    layout: Layout,
    /// Whether the run has a single image.
    alone: bool,
    sidecars: bool,
    rows: Vec<Row>,
}

/// The format of the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) form: Form,
    /// The number of columns between `image` and `error`.
    pub(super) columns: usize,
}

/// The JSON object of an image that failed.
#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

impl Renderer {
    /// `alone`: the run has a single image. `sidecars`: rows carry the text of their sidecar.
    pub(crate) fn new<R: Record>(form: Form, alone: bool, sidecars: bool) -> Self {
        let layout = Layout { form, columns: R::COLUMNS.len() };
        Renderer { layout, alone, sidecars, rows: Vec::new() }
    }

    /// Renders the record of the image `name`.
    ///
    /// # Errors
    /// Where the record cannot be represented as JSON.
    pub(crate) fn push<R: Record>(&mut self, name: &ImageName, record: &R) -> Result<()> {
        let data = match self.layout.form {
            Form::Text => {
                RowData::Bytes((logger::shown(&record.text(self.alone)) + "\n").into_bytes())
            }
            Form::Jsonl => RowData::Bytes(json_line(record)?),
            Form::Csv => RowData::Bytes(csv::row(record.image(), &cell::cells(record)?, "")),
            Form::Parquet => {
                RowData::Cells(table_row(record.image(), cell::cells(record)?, Cell::None))
            }
        };
        let file = name.file.as_deref().filter(|_| self.sidecars);
        let sidecar = file.map(|file| (file.to_owned(), record.sidecar()));
        self.rows.push(Row { data, sidecar });
        Ok(())
    }

    /// Renders the failure of the image `name`. Text has no row for it: stderr shows the error.
    ///
    /// # Errors
    /// Where the row cannot be represented as JSON.
    pub(crate) fn push_error(
        &mut self,
        name: &ImageName,
        error: &interrogate::Error,
    ) -> Result<()> {
        let data = self.layout.failed(&name.text, logger::with_causes(error))?;
        self.rows.push(Row { data, sidecar: None });
        Ok(())
    }

    /// Returns the rows since the last call.
    pub(crate) fn take(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }
}

impl Layout {
    /// Returns the row of an image that failed.
    ///
    /// # Errors
    /// Where the row cannot be represented as JSON.
    pub(super) fn failed(self, image: &str, error: String) -> Result<RowData> {
        let cells = vec![Cell::None; self.columns];
        Ok(match self.form {
            Form::Text => RowData::Bytes(Vec::new()),
            Form::Jsonl => RowData::Bytes(json_line(&Failed { image, error: &error })?),
            Form::Csv => RowData::Bytes(csv::row(image, &cells, &error)),
            Form::Parquet => RowData::Cells(table_row(image, cells, Cell::Text(error))),
        })
    }
}

/// Returns `row` as a line of JSON.
///
/// # Errors
/// Where it cannot be represented as JSON.
pub(super) fn json_line(row: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    Ok(line)
}

fn table_row(image: &str, cells: Vec<Cell>, error: Cell) -> Vec<Cell> {
    let mut row = vec![Cell::Text(image.to_owned())];
    row.extend(cells);
    row.push(error);
    row
}
