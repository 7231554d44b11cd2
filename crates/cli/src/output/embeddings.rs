//! Embeddings of prompts and texts as JSON lines, .npy, Parquet, or Kaggle's submission.csv.
//!
//! A file appears whole, when it is finished.

use std::path::Path;

use serde::Serialize;

use super::cell::Cell;
use super::destination::{Destination, refuse_binary_stdout, refuse_folder};
use super::error::{OutputError, Result};
use super::npy;
use super::parquet::{Parquet, Table};
use super::renderer::json_line;
use super::sink::{RowData, Sink};
use super::submission;
use crate::args::{self, RowFormat};

/// A prompt and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// The image's path as it was given, or the row's number.
    pub(crate) id: String,
    /// The image's file name without its extension.
    pub(crate) stem: Option<String>,
    pub(crate) text: String,
}

/// Writes the embeddings of prompts, in order.
pub(crate) struct EmbeddingWriter {
    format: RowFormat,
    sink: Box<dyn Sink>,
    /// The number of rows so far.
    count: usize,
}

/// The JSON object of an embedding.
#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    prompt: &'a str,
    embedding: &'a [f32],
}

impl EmbeddingWriter {
    /// Opens `output` for `shape` = (rows, values): a file, or standard output, which is also
    /// `-`.
    ///
    /// # Errors
    /// [`OutputError::Folder`], [`OutputError::BinaryOnStdout`] for .npy and Parquet without an
    /// `output` or on a terminal, and where the draft cannot be written.
    pub(crate) fn open(
        format: RowFormat,
        output: Option<&Path>,
        shape: (usize, usize),
    ) -> Result<Self> {
        let path = args::file(output);
        match path {
            Some(path) => refuse_folder(path, example(format))?,
            None if matches!(format, RowFormat::Npy | RowFormat::Parquet) => {
                refuse_binary_stdout(output.is_some(), format.name(), "jsonl")?;
            }
            None => {}
        }
        let mut sink: Box<dyn Sink> = match (format, path) {
            (RowFormat::Npy, path) => Box::new(npy::Writer::create(path, shape)?),
            (RowFormat::Parquet, path) => Box::new(Parquet::create(path, &Table::embeddings())?),
            (_, Some(path)) => Box::new(Destination::draft(path)?),
            (_, None) => Box::new(Destination::stdout()),
        };
        if format == RowFormat::Submission {
            sink.write(RowData::Bytes(submission::HEADER.to_vec()))?;
        }
        Ok(EmbeddingWriter { format, sink, count: 0 })
    }

    /// Appends the embedding of `prompt`.
    ///
    /// # Errors
    /// [`OutputError::NoImageName`] for a submission's prompt without a stem,
    /// [`OutputError::Npy`] for a row that `shape` has no place for, and where the output cannot
    /// be written.
    pub(crate) fn write(&mut self, prompt: &Prompt, values: &[f32]) -> Result<()> {
        self.sink.write(render(self.format, self.count, prompt, values)?)?;
        self.count += 1;
        Ok(())
    }

    /// Appends a line of another kind, in the format jsonl.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub(crate) fn write_line(&mut self, line: Vec<u8>) -> Result<()> {
        self.count += 1;
        self.sink.write(RowData::Bytes(line))
    }

    /// Completes the output and syncs it to the disk.
    ///
    /// # Errors
    /// [`OutputError::Npy`] where rows are missing, and where the output cannot be written.
    pub(crate) fn finish(self) -> Result<()> {
        self.sink.finish()
    }
}

fn render(format: RowFormat, row: usize, prompt: &Prompt, values: &[f32]) -> Result<RowData> {
    let Prompt { id, text, stem } = prompt;
    Ok(match format {
        RowFormat::Submission => {
            let stem = stem.as_deref().ok_or(OutputError::NoImageName { row })?;
            RowData::Bytes(submission::lines(stem, values).into_bytes())
        }
        RowFormat::Parquet => RowData::Cells(vec![
            Cell::Text(id.clone()),
            Cell::Text(text.clone()),
            Cell::Numbers(values.to_vec()),
        ]),
        RowFormat::Npy => RowData::Cells(vec![Cell::Numbers(values.to_vec())]),
        RowFormat::Jsonl => {
            RowData::Bytes(json_line(&Object { id, prompt: text, embedding: values })?)
        }
    })
}

/// Returns an example of a file name, for hints.
fn example(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Jsonl => "embeddings.jsonl",
        RowFormat::Npy => "embeddings.npy",
        RowFormat::Parquet => "embeddings.parquet",
        RowFormat::Submission => "submission.csv",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(stem: Option<&str>) -> Prompt {
        Prompt { id: "b/a.jpg".into(), stem: stem.map(str::to_owned), text: "a \"cat\"".into() }
    }

    fn written(format: RowFormat, prompt: &Prompt) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut writer = EmbeddingWriter::open(format, Some(&path), (1, 2)).unwrap();
        writer.write(prompt, &[0.1, -2.0]).unwrap();
        assert!(!path.exists(), "the file appears when it is finished");
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn jsonl_row_has_id_prompt_and_embedding() {
        let expected =
            b"{\"id\":\"b/a.jpg\",\"prompt\":\"a \\\"cat\\\"\",\"embedding\":[0.1,-2.0]}\n";
        assert_eq!(written(RowFormat::Jsonl, &prompt(None)), expected);
    }

    #[test]
    fn submission_has_a_line_per_value() {
        let expected = b"imgId_eId,val\na_0,0.1\na_1,-2\n";
        assert_eq!(written(RowFormat::Submission, &prompt(Some("a"))), expected);
    }

    #[test]
    fn submission_without_an_image_is_refused_by_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let mut writer = EmbeddingWriter::open(RowFormat::Submission, Some(&path), (2, 1)).unwrap();
        writer.write(&prompt(Some("a")), &[0.0]).unwrap();
        let error = writer.write(&prompt(None), &[0.0]).unwrap_err();
        assert!(matches!(error, OutputError::NoImageName { row: 1 }), "{error}");
    }

    #[test]
    fn binary_formats_need_a_file() {
        for format in [RowFormat::Npy, RowFormat::Parquet] {
            let error = EmbeddingWriter::open(format, None, (1, 1)).err().unwrap();
            assert!(matches!(error, OutputError::BinaryOnStdout { .. }), "{error}");
        }
    }

    #[test]
    fn folder_is_refused_with_an_example() {
        let folder = tempfile::tempdir().unwrap();
        for (format, name) in
            [(RowFormat::Npy, "embeddings.npy"), (RowFormat::Jsonl, "embeddings.jsonl")]
        {
            let error = EmbeddingWriter::open(format, Some(folder.path()), (1, 1)).err().unwrap();
            assert!(error.hint().unwrap().ends_with(name), "{error}");
        }
    }
}
