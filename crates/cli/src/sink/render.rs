//! From an answer to the row that is written.

use std::path::Path;

use serde::Serialize;

use super::answer::{self, Answer, Cell, Column};
use super::{Content, Row};
use crate::args::Form;
use crate::fault::Fault;
use crate::image_name::Name;
use crate::logger;

/// Makes rows of one form out of answers, in order.
#[derive(Debug)]
pub(crate) struct Answers {
    form: Form,
    /// No other image is asked about.
    alone: bool,
    sidecars: bool,
    columns: usize,
    rows: Vec<Row>,
}

/// The line of an image that failed.
#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

impl Answers {
    pub(crate) fn new<A: Answer>(form: Form, alone: bool, sidecars: bool) -> Self {
        Answers { form, alone, sidecars, columns: A::COLUMNS.len(), rows: Vec::new() }
    }

    /// What the image `name` is answered with.
    ///
    /// # Errors
    /// Where it cannot be JSON.
    pub(crate) fn put<A: Answer>(&mut self, name: &Name, answer: &A) -> Result<(), Fault> {
        let content = match self.form {
            Form::Text => {
                Content::Line((logger::shown(&answer.text(self.alone)) + "\n").into_bytes())
            }
            Form::Jsonl => Content::Line(json(answer)?),
            Form::Csv => {
                let cells = answer::cells(answer).map_err(std::io::Error::from)?;
                Content::Line(record(answer.image(), &cells, ""))
            }
            Form::Parquet => Content::Cells {
                image: answer.image().to_owned(),
                cells: answer::cells(answer).map_err(std::io::Error::from)?,
                error: None,
            },
        };
        let file = name.file.as_deref().filter(|_| self.sidecars);
        let sidecar = file.map(|file: &Path| (file.to_owned(), answer.sidecar()));
        self.rows.push(Row { content, sidecar });
        Ok(())
    }

    /// The image `name` has failed. For people that is no line of its own: they
    /// are told on stderr.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn put_failed(
        &mut self,
        name: &Name,
        error: &interrogate::Error,
    ) -> Result<(), Fault> {
        let content = failed(self.form, self.columns, &name.text, logger::with_causes(error))?;
        self.rows.push(Row { content, sidecar: None });
        Ok(())
    }

    /// The rows so far.
    pub(crate) fn take(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }
}

/// The row of an image that failed, in a table of `columns` beside its name and `error`.
///
/// # Errors
/// None that is known.
pub(super) fn failed(
    form: Form,
    columns: usize,
    image: &str,
    error: String,
) -> Result<Content, Fault> {
    Ok(match form {
        Form::Text => Content::Line(Vec::new()),
        Form::Jsonl => Content::Line(json(&Failed { image, error: &error })?),
        Form::Csv => Content::Line(record(image, &vec![Cell::None; columns], &error)),
        Form::Parquet => Content::Cells {
            image: image.to_owned(),
            cells: vec![Cell::None; columns],
            error: Some(error),
        },
    })
}

fn json(row: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let mut line = serde_json::to_vec(row).map_err(std::io::Error::from)?;
    line.push(b'\n');
    Ok(line)
}

fn record(image: &str, cells: &[Cell], error: &str) -> Vec<u8> {
    let mut values = vec![image.to_owned()];
    values.extend(cells.iter().map(Cell::to_csv));
    values.push(error.to_owned());
    csv_line(&values)
}

/// The names of a table's columns as a line of CSV.
pub(super) fn header(columns: &[Column]) -> Vec<u8> {
    let names = columns.iter().map(|column| column.name.to_owned());
    csv_line(
        &std::iter::once("image".into()).chain(names).chain(["error".into()]).collect::<Vec<_>>(),
    )
}

fn csv_line(values: &[String]) -> Vec<u8> {
    let mut line = Vec::new();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut line);
    // Memory takes all bytes, and a row alone has no length to differ from.
    let _ = writer.write_record(values).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    line
}
