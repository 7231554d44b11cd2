//! The columns of a Parquet file with images: which has the images, and which pass through.

use std::path::Path;

use interrogate::{Error, Result};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::Type;

use crate::fields::{Field, FieldKind};

/// The names of a column of images; the first that the file has is used.
const IMAGES: [&str; 8] = ["image", "jpg", "jpeg", "png", "webp", "img", "image_bytes", "bytes"];

/// The columns in a group of Hugging Face's datasets.
pub(super) const BYTES: &str = "bytes";
pub(super) const PATH: &str = "path";

/// The name of the column of paths in such a group, where it passes through.
const IMAGE_PATH: &str = "image_path";

/// The columns of an error that are listed.
const LISTED: usize = 20;

/// What a column is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Image,
    /// Passes through.
    Field,
}

/// The columns that are read.
#[derive(Debug)]
pub(super) struct Columns {
    image: String,
    /// Whether the first field is the path in the group of the image.
    pub(super) has_path: bool,
    /// In the order of the file.
    pub(super) fields: Vec<Field>,
    /// The names of the others: lists, maps, groups, bytes.
    pub(super) left_out: Vec<String>,
}

impl Columns {
    /// Finds the columns of `schema`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where none has images: it names the columns.
    pub(super) fn find(path: &Path, schema: &Type) -> Result<Self> {
        let columns = schema.get_fields();
        let find = |name: &&&str| columns.iter().any(|it| it.name() == **name && has_images(it));
        let Some(image) = IMAGES.iter().find(find) else {
            let expected = format!("bytes in one of {}", IMAGES.join(", "));
            return Err(Error::mismatch(path, "column of images", expected, listed(schema)));
        };
        let group = columns.iter().find(|column| column.name() == *image && !column.is_primitive());
        let inner = group.map_or(&[][..], |group| group.get_fields());
        let has_path =
            inner.iter().any(|it| it.name() == PATH && kind(it) == Some(FieldKind::Text));
        let others = columns.iter().filter(|column| column.name() != *image);
        let (mut fields, mut left_out) = (Vec::new(), Vec::new());
        if has_path {
            fields.push(Field::text(IMAGE_PATH));
        }
        for column in others {
            let name = column.name().to_owned();
            match kind(column) {
                Some(kind) => fields.push(Field { name, kind }),
                None => left_out.push(name),
            }
        }
        Ok(Columns { image: (*image).to_owned(), has_path, fields, left_out })
    }

    /// Whether the column is read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns what the column `name` is used for.
    pub(super) fn get(&self, name: &str) -> Option<Column> {
        if name == self.image {
            return Some(Column::Image);
        }
        let mut own = self.fields.iter().skip(self.has_path.into());
        own.any(|field| field.name == name).then_some(Column::Field)
    }
}

/// Whether a column has bytes, or is a group with some, as Hugging Face's datasets write.
fn has_images(column: &Type) -> bool {
    if column.is_primitive() {
        return is_single(column) && is_bytes(column);
    }
    is_single(column)
        && column.get_fields().iter().any(|it| it.name() == BYTES && has_images(it))
        && column.get_fields().iter().all(|it| it.is_primitive() && kind_or_bytes(it))
}

fn kind_or_bytes(column: &Type) -> bool {
    is_bytes(column) || kind(column).is_some()
}

fn is_single(column: &Type) -> bool {
    column.get_basic_info().repetition() != Repetition::REPEATED
}

fn is_bytes(column: &Type) -> bool {
    column.is_primitive()
        && column.get_physical_type() == Physical::BYTE_ARRAY
        && column.get_basic_info().converted_type() == ConvertedType::NONE
        && column.get_basic_info().logical_type_ref().is_none()
}

/// The type of the values of a column that passes through; `None` for one that does not.
fn kind(column: &Type) -> Option<FieldKind> {
    if !column.is_primitive() || !is_single(column) {
        return None;
    }
    let info = column.get_basic_info();
    let is_date = matches!(
        info.converted_type(),
        ConvertedType::DATE | ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS
    );
    let is_integer = matches!(info.logical_type_ref(), None | Some(LogicalType::Integer { .. }));
    match (column.get_physical_type(), info.converted_type()) {
        (Physical::BOOLEAN, _) => Some(FieldKind::Bool),
        (Physical::FLOAT | Physical::DOUBLE, _) => Some(FieldKind::Double),
        (Physical::INT32 | Physical::INT64, _) if is_date => Some(FieldKind::Text),
        (Physical::INT64, ConvertedType::UINT_64) => Some(FieldKind::Text),
        (Physical::INT32 | Physical::INT64, converted) => {
            (is_integer && converted != ConvertedType::DECIMAL).then_some(FieldKind::Integer)
        }
        (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => {
            Some(FieldKind::Text)
        }
        _ => None,
    }
}

/// The names of the columns, for an error.
fn listed(schema: &Type) -> String {
    let columns = schema.get_fields();
    let mut names: Vec<_> = columns.iter().take(LISTED).map(|column| column.name()).collect();
    let more = format!("{} more", columns.len().saturating_sub(LISTED));
    if columns.len() > LISTED {
        names.push(&more);
    }
    if names.is_empty() { "no column".to_owned() } else { names.join(", ") }
}
