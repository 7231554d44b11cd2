//! The columns of a row group: values with definition and repetition levels.

use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};

use super::super::cell::Cell;
use crate::fields::Value;

/// Writes `cells`, one per row. A cell of another type than the column's counts as missing.
pub(super) fn write<'a>(
    column: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = &'a Cell>,
) -> Result<()> {
    match column {
        ColumnWriter::ByteArrayColumnWriter(column) => {
            write_typed(column, cells, |cell| match cell {
                Cell::Text(text) | Cell::Field(Value::Text(text)) => {
                    vec![ByteArray::from(text.as_str())]
                }
                Cell::Texts(texts) => texts.iter().map(|text| text.as_str().into()).collect(),
                _ => Vec::new(),
            })
        }
        ColumnWriter::FloatColumnWriter(column) => write_typed(column, cells, |cell| match cell {
            Cell::Number(number) => vec![*number],
            Cell::Numbers(numbers) => numbers.clone(),
            _ => Vec::new(),
        }),
        ColumnWriter::Int64ColumnWriter(column) => write_typed(column, cells, |cell| match cell {
            Cell::Integers(integers) => integers.clone(),
            Cell::Field(Value::Integer(integer)) => vec![*integer],
            _ => Vec::new(),
        }),
        ColumnWriter::DoubleColumnWriter(column) => write_typed(column, cells, |cell| match cell {
            Cell::Field(Value::Double(double)) => vec![*double],
            _ => Vec::new(),
        }),
        ColumnWriter::BoolColumnWriter(column) => write_typed(column, cells, |cell| match cell {
            Cell::Field(Value::Bool(bool)) => vec![*bool],
            _ => Vec::new(),
        }),
        _ => Err(ParquetError::General("a column of an unsupported type".into())),
    }
}

/// Writes the values that `values` returns for each cell: at most one for a scalar column.
///
/// Definition level 0 is a missing value or an empty list. Repetition level 0 is the first value
/// of a row. A required scalar column has no levels.
fn write_typed<'a, T: DataType>(
    column: &mut ColumnWriterImpl<'_, T>,
    cells: impl Iterator<Item = &'a Cell>,
    values: impl Fn(&Cell) -> Vec<T::T>,
) -> Result<()> {
    let (mut all, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        let values = values(cell);
        if values.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
        for (number, value) in values.into_iter().enumerate() {
            defined.push(1);
            repeated.push((number > 0).into());
            all.push(value);
        }
    }
    let descriptor = column.get_descriptor();
    let defined = (descriptor.max_def_level() > 0).then_some(&*defined);
    let repeated = (descriptor.max_rep_level() > 0).then_some(&*repeated);
    column.write_batch(&all, defined, repeated).map(drop)
}
