//! Parquet: `id` and `prompt` as strings, `embedding` as a list of f32.

use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;

use super::target::Target;
use super::{Error, Prompt, Sink};

/// Rows that are kept until they are written together: 12 MB of 384 values.
const GROUP: usize = 8192;

const SCHEMA: &str = "message prompts {
    required binary id (UTF8);
    required binary prompt (UTF8);
    required group embedding (LIST) { repeated group list { required float element; } }
}";

pub(super) struct Parquet {
    path: PathBuf,
    writer: SerializedFileWriter<Target>,
    dim: usize,
    prompts: Vec<Prompt>,
    values: Vec<f32>,
}

impl Parquet {
    pub(super) fn new(target: Target, dim: usize) -> Result<Self, Error> {
        let path = target.path();
        let refused = |source| Error::Parquet { path: path.clone(), source };
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(refused)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer =
            SerializedFileWriter::new(target, schema, Arc::new(properties)).map_err(refused)?;
        Ok(Parquet { path, writer, dim, prompts: Vec::new(), values: Vec::new() })
    }

    /// Writes what is kept as one group of rows.
    fn group(&mut self) -> Result<(), ParquetError> {
        if self.prompts.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        texts(&mut group, self.prompts.iter().map(|prompt| bytes(&prompt.id)).collect())?;
        texts(&mut group, self.prompts.iter().map(|prompt| bytes(&prompt.text)).collect())?;
        if let Some(mut column) = group.next_column()? {
            // A list of values none of which is absent: each is defined at level
            // 1, and the first of each row begins it.
            let defined = vec![1; self.values.len()];
            let begins = |at: usize| i16::from(!at.is_multiple_of(self.dim));
            let repeated: Vec<i16> = (0..self.values.len()).map(begins).collect();
            let column_writer = column.typed::<FloatType>();
            column_writer.write_batch(&self.values, Some(&defined), Some(&repeated))?;
            column.close()?;
        }
        group.close()?;
        self.prompts.clear();
        self.values.clear();
        Ok(())
    }
}

/// The next column, of strings.
fn texts(
    group: &mut SerializedRowGroupWriter<'_, Target>,
    texts: Vec<ByteArray>,
) -> Result<(), ParquetError> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
        column.close()?;
    }
    Ok(())
}

impl Sink for Parquet {
    fn row(&mut self, prompt: &Prompt, values: &[f32]) -> Result<(), Error> {
        self.prompts.push(prompt.clone());
        self.values.extend_from_slice(values);
        match self.prompts.len() {
            GROUP => {
                let path = self.path.clone();
                self.group().map_err(|source| Error::Parquet { path, source })
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        let path = self.path.clone();
        let refused = |source| Error::Parquet { path: path.clone(), source };
        self.group().map_err(refused)?;
        self.writer.into_inner().map_err(refused)?.finish()
    }
}
