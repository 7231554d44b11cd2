//! Rendering of records as rows.

use serde::Serialize;

use super::cell::{self, Cell};
use super::csv;
use super::error::Result;
use super::record::Record;
use super::sink::{Row, RowData};
use crate::args::Form;
use crate::image_name::Name;
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
pub(crate) struct Failed<'a> {
    pub(crate) image: &'a str,
    pub(crate) error: &'a str,
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
    pub(crate) fn push<R: Record>(&mut self, name: &Name, record: &R) -> Result<()> {
        let data = match self.layout.form {
            Form::Text => {
                RowData::Bytes((crate::escape::text(&record.text(self.alone)) + "\n").into_bytes())
            }
            Form::Jsonl => RowData::Bytes(json_line(record)?),
            Form::Csv => RowData::Bytes(csv::row(record.image(), &cell::cells(record)?, "")),
            Form::Parquet | Form::Npy => {
                RowData::Cells(table_row(name, cell::cells(record)?, Cell::None))
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
    pub(crate) fn push_error(&mut self, name: &Name, error: &interrogate::Error) -> Result<()> {
        let data = self.layout.failed(name, logger::with_causes(error))?;
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
    pub(super) fn failed(self, name: &Name, error: String) -> Result<RowData> {
        let image = name.text.as_str();
        let cells = vec![Cell::None; self.columns];
        Ok(match self.form {
            Form::Text => RowData::Bytes(Vec::new()),
            Form::Jsonl => RowData::Bytes(json_line(&Failed { image, error: &error })?),
            Form::Csv => RowData::Bytes(csv::row(image, &cells, &error)),
            Form::Parquet | Form::Npy => RowData::Cells(table_row(name, cells, Cell::Text(error))),
        })
    }
}

/// Returns `row` as a line of JSON.
///
/// # Errors
/// Where it cannot be represented as JSON.
pub(crate) fn json_line(row: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    Ok(line)
}

/// The values that pass through follow the error.
fn table_row(name: &Name, cells: Vec<Cell>, error: Cell) -> Vec<Cell> {
    let mut row = vec![Cell::Text(name.text.clone())];
    row.extend(cells);
    row.push(error);
    row.extend(name.fields.iter().cloned().map(Cell::Field));
    row
}

#[cfg(test)]
mod tests {
    use super::super::record::{Column, Kind};
    use super::*;

    #[derive(Serialize)]
    struct Caption {
        image: &'static str,
        caption: &'static str,
    }

    impl Record for Caption {
        const COLUMNS: &'static [Column] =
            &[Column { name: "caption", kind: Kind::Text, at: "caption" }];
        const KEYS: &'static [&'static str] = &["caption"];

        fn image(&self) -> &str {
            self.image
        }

        fn text(&self, alone: bool) -> String {
            if alone { self.caption.into() } else { format!("{}: {}", self.image, self.caption) }
        }

        fn sidecar(&self) -> String {
            self.caption.to_owned()
        }
    }

    /// Renders a record and a failure.
    fn rows(form: Form, alone: bool, sidecars: bool) -> Vec<Row> {
        let mut renderer = Renderer::new::<Caption>(form, alone, sidecars);
        let name = Name::new("a.jpg".into(), Some("a.jpg".into()));
        renderer.push(&name, &Caption { image: "a.jpg", caption: "a cat\u{1b}" }).unwrap();
        let error = interrogate::Error::mismatch("a.jpg", "size", "1", "0");
        renderer.push_error(&name, &error).unwrap();
        let rows = renderer.take();
        assert!(renderer.take().is_empty());
        rows
    }

    fn text(form: Form, alone: bool) -> String {
        let bytes = rows(form, alone, false).into_iter().flat_map(|row| match row.data {
            RowData::Bytes(bytes) => bytes,
            RowData::Cells(_) => panic!("cells in {form:?}"),
        });
        String::from_utf8(bytes.collect()).unwrap()
    }

    #[test]
    fn text_is_escaped_and_has_no_row_for_a_failure() {
        assert_eq!(text(Form::Text, true), "a cat\\u{1b}\n");
        assert_eq!(text(Form::Text, false), "a.jpg: a cat\\u{1b}\n");
    }

    #[test]
    fn jsonl_and_csv_have_a_row_for_a_failure() {
        let error = "a.jpg: size: expected 1, found 0";
        let expected = format!(
            "{{\"image\":\"a.jpg\",\"caption\":\"a cat\\u001b\"}}\n{{\"image\":\"a.jpg\",\"error\":\"{error}\"}}\n"
        );
        assert_eq!(text(Form::Jsonl, true), expected);
        let expected = format!("a.jpg,a cat\u{1b},\r\na.jpg,,\"{error}\"\r\n");
        assert_eq!(text(Form::Csv, true), expected);
    }

    #[test]
    fn parquet_rows_have_a_cell_for_each_column() {
        for row in rows(Form::Parquet, true, false) {
            assert!(matches!(row.data, RowData::Cells(cells) if cells.len() == 3));
        }
    }

    #[test]
    fn sidecar_has_the_text_of_a_record_and_failures_have_none() {
        let sidecars = rows(Form::Csv, true, true).into_iter().map(|row| row.sidecar);
        let expected = [Some(("a.jpg".into(), "a cat\u{1b}".to_owned())), None];
        assert_eq!(sidecars.collect::<Vec<_>>(), expected);
    }
}
