//! The fields of a template.

use crate::Error;
use crate::error::PromptError;

/// The meaning of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Caption,
    /// All labels picked from a table.
    All(&'a str),
    /// The best label of a table.
    Best(&'a str),
}

impl<'a> Field<'a> {
    /// Returns the meaning of the field `name` over `tables`; `None` if it matches none.
    pub(super) fn find(name: &str, tables: impl Iterator<Item = &'a str>) -> Option<Self> {
        if name == "caption" {
            return Some(Field::Caption);
        }
        let singular = |table: &str| match table.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => table.strip_suffix('s').unwrap_or(table).to_owned(),
        };
        let mut best = None;
        for table in tables {
            if table == name {
                return Some(Field::All(table));
            }
            if singular(table) == name {
                best = Some(Field::Best(table));
            }
        }
        best
    }
}

/// Returns the error for the field `name`, with all fields of `tables`.
pub(super) fn unknown(name: &str, tables: &[(&str, Option<usize>)]) -> Error {
    let mut fields = vec!["caption".to_owned()];
    for (table, _) in tables {
        let best = table.strip_suffix("ies").map(|stem| format!("{stem}y"));
        let best = best.or_else(|| table.strip_suffix('s').map(str::to_owned));
        fields.extend(best);
        fields.push((*table).to_owned());
    }
    Error::Prompt(PromptError::TemplateField { name: name.to_owned(), fields })
}
