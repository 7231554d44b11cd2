//! The schemas of the tables.
//!
//! Lists have the three levels of the format's specification
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>), as pyarrow and
//! pandas read and write them.

use std::borrow::Cow;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::errors::Result;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use super::super::record::{Column, Kind};
use crate::fields::{Field, FieldKind};

/// The schema of a table and how it is stored.
pub(in super::super) struct Table {
    /// In the format's message type syntax.
    schema: Cow<'static, str>,
    /// The columns after those of the schema.
    fields: Vec<Field>,
    pub(super) compression: Compression,
    /// The number of rows in a row group. They are in memory until the group is written.
    pub(super) group: usize,
    /// The position of the column of errors, and those of its rows that failed are counted.
    pub(super) error: Option<usize>,
}

/// The columns of a record beside its own.
const IMAGE: &str = "image";
const ERROR: &str = "error";

/// The schema of embeddings.
const EMBEDDINGS: &str = "message prompts {
    required binary id (UTF8);
    required binary prompt (UTF8);
    required group embedding (LIST) { repeated group list { required float element; } }
}";

impl Table {
    /// The table of records: `image`, `columns`, `error`.
    pub(in super::super) fn records(columns: &[Column]) -> Self {
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
        schema += "optional binary error (STRING); }";
        Table {
            schema: schema.into(),
            fields: Vec::new(),
            compression: Compression::UNCOMPRESSED,
            group: 4096,
            error: Some(columns.len() + 1),
        }
    }

    /// The table of embeddings: `id`, `prompt`, `embedding`. A row group of 384 values per row
    /// takes 12 MB.
    pub(in super::super) fn embeddings() -> Self {
        Table {
            schema: EMBEDDINGS.into(),
            fields: Vec::new(),
            compression: Compression::SNAPPY,
            group: 8192,
            error: None,
        }
    }

    /// The table of a shard: that of records, and `fields`, which pass through. A field with the
    /// name of another column is called `input_NAME`; case is ignored, as Spark does.
    pub(in super::super) fn shard(columns: &[Column], fields: &[Field]) -> Self {
        let mut taken = vec![IMAGE.to_owned(), ERROR.to_owned()];
        taken.extend(columns.iter().map(|column| column.name.to_owned()));
        let mut named = Vec::with_capacity(fields.len());
        for Field { name, kind } in fields {
            let mut name = name.clone();
            while taken.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
                name = format!("input_{name}");
            }
            taken.push(name.clone());
            named.push(Field { name, kind: *kind });
        }
        let records = Self::records(columns);
        Table { fields: named, compression: Compression::SNAPPY, ..records }
    }

    /// Returns the schema with all columns.
    ///
    /// # Errors
    /// For a schema that is not valid.
    pub(super) fn schema(&self) -> Result<Type> {
        let message = parse_message_type(&self.schema)?;
        let mut columns = message.get_fields().to_vec();
        for field in &self.fields {
            columns.push(Arc::new(column(field)?));
        }
        Type::group_type_builder(message.name()).with_fields(columns).build()
    }
}

/// Returns the column of `field`.
fn column(Field { name, kind }: &Field) -> Result<Type> {
    let (physical, logical) = match kind {
        FieldKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        FieldKind::Bool => (Physical::BOOLEAN, None),
        FieldKind::Integer => (Physical::INT64, None),
        FieldKind::Double => (Physical::DOUBLE, None),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}
