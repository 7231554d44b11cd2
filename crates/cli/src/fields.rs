//! Values of an input that pass through to the results of its images: the key of a WebDataset's
//! sample and its other members, the columns of a Parquet file.

/// A column of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: FieldKind,
}

/// The type of a column; all values are optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    Bool,
    Integer,
    Double,
}

/// The value of a column for one image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Missing,
    Text(String),
    Bool(bool),
    Integer(i64),
    Double(f64),
}

impl Value {
    /// Returns the bytes that the value takes, about.
    pub(crate) fn len(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            _ => size_of::<Value>(),
        }
    }
}

impl Field {
    /// A column of texts.
    pub(crate) fn text(name: &str) -> Self {
        Field { name: name.to_owned(), kind: FieldKind::Text }
    }
}

/// Splits a path at the first dot of its last part, as WebDataset does: `a/0` and `seg.png` for
/// `a/0.seg.png`. Without a dot the second part is empty.
pub(crate) fn key(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].find('.') {
        Some(dot) => (&path[..name + dot], &path[name + dot + 1..]),
        None => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ends_at_the_first_dot_of_the_last_part() {
        assert_eq!(key("000000012.jpg"), ("000000012", "jpg"));
        assert_eq!(key("a.b/0.seg.png"), ("a.b/0", "seg.png"));
        assert_eq!(key("a.b/0"), ("a.b/0", ""));
        assert_eq!(key(""), ("", ""));
    }
}
