//! The schemas of the tables.
//!
//! Lists have the three levels of the format's specification
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>), as pyarrow and
//! pandas read and write them.

use std::borrow::Cow;

use parquet::basic::Compression;

use super::super::record::{Column, Kind};

/// The schema of a table and how it is stored.
pub(in super::super) struct Table {
    /// In the format's message type syntax.
    pub(super) schema: Cow<'static, str>,
    pub(super) compression: Compression,
    /// The number of rows in a row group. They are in memory until the group is written.
    pub(super) group: usize,
}

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
        Table { schema: schema.into(), compression: Compression::UNCOMPRESSED, group: 4096 }
    }

    /// The table of embeddings: `id`, `prompt`, `embedding`. A row group of 384 values per row
    /// takes 12 MB.
    pub(in super::super) fn embeddings() -> Self {
        Table { schema: EMBEDDINGS.into(), compression: Compression::SNAPPY, group: 8192 }
    }
}
