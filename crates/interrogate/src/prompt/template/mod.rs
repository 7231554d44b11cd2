//! Templates: a prompt's form as the user writes it, `"{caption}, {medium}, {flavors}"`.
//!
//! Owns the fields of a template, the recipe they imply, and the separators around empty
//! fields. Ranking is not done here.

mod field;
mod parse;
mod render;
#[cfg(doc)]
use crate::error::PromptError;

#[cfg(test)]
mod tests;

use super::{Recipe, TableCount};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use field::Field;

/// The default template, with every field of the plain form.
pub const README_FORM: &str = "{caption}, {medium}, {movement}, {flavors}";

/// A prompt's form: text, and fields in braces.
///
/// `{caption}` is the caption. A table's name is all labels picked from it, joined by
/// `", "`; the name without its plural s is the best of them: `{flavors}`, `{medium}`,
/// `{artist}`. `{{` and `}}` are literal braces.
///
/// An empty field is left out together with the text between it and the field before it.
/// The first field that is not empty is written without such text. Text before the first
/// field and after the last is always written.
///
/// ```
/// use interrogate::prompt::Template;
///
/// let template: Template = "{caption}, {medium} by {artist}, {flavors}".parse()?;
/// let tables = [("artists", None), ("flavors", None), ("mediums", None)];
/// let recipe = template.recipe(tables, 3)?;
/// let counts: Vec<_> = recipe.tables.iter().map(|t| (t.table.as_str(), t.count)).collect();
/// assert_eq!(counts, [("mediums", 1), ("artists", 1), ("flavors", 3)]);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text before the first field.
    lead: String,
    /// Each field, and the text after it.
    fields: Vec<(String, String)>,
}

impl Template {
    /// Returns the tables that the template needs, and the number of labels of each.
    ///
    /// `tables` are the available tables, each with the count in its dictionary's file
    /// name, if there is one. A field for the best label needs one label. A field for all
    /// labels needs that count, or else `max_flavors` for the table `flavors` and one for
    /// any other.
    ///
    /// # Errors
    /// [`PromptError::TemplateField`] for a field that matches no table.
    pub fn recipe<'a>(
        &self,
        tables: impl IntoIterator<Item = (&'a str, Option<usize>)>,
        max_flavors: usize,
    ) -> Result<Recipe> {
        let tables: Vec<_> = tables.into_iter().collect();
        let mut counts: Vec<TableCount> = Vec::new();
        for (name, _) in &self.fields {
            let field = Field::find(name, tables.iter().map(|(table, _)| *table));
            let field = field.ok_or_else(|| field::unknown(name, &tables))?;
            let (table, count) = match field {
                Field::Caption => continue,
                Field::Best(table) => (table, 1),
                Field::All(table) => {
                    let entry = tables.iter().find(|(name, _)| *name == table);
                    let default = if table == "flavors" { max_flavors } else { 1 };
                    (table, entry.and_then(|(_, top)| *top).unwrap_or(default))
                }
            };
            match counts.iter_mut().find(|known| known.table == table) {
                Some(known) => known.count = known.count.max(count),
                None => counts.push(TableCount { table: table.to_owned(), count }),
            }
        }
        counts.retain(|table| table.count > 0);
        Ok(Recipe { tables: counts, min_score: None })
    }
}
