//! How many labels of which table a prompt takes.

/// So many labels of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table's name, as in the index.
    pub table: String,
    /// How many of its best labels.
    pub count: usize,
}

/// What a prompt is made of, in the order in which it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The tables and how many labels of each.
    pub tables: Vec<TableCount>,
    /// Labels that score lower stay out of the text; the picks keep them.
    pub min_score: Option<f32>,
}

impl Recipe {
    /// One medium, one movement and `max_flavors` flavors, behind the caption:
    /// the form `"{caption}, {medium}, {movement}, {flavors}"`.
    ///
    /// `tables` are the tables there are, each with the count that its
    /// dictionary's name asks for (`name.topN.txt`), if it does. Such a count
    /// overrides the form's, and takes a table in that the form leaves out:
    /// those stand between movement and flavors, sorted by name. Of the form's
    /// own three, the ones that are not there are left out.
    ///
    /// ```
    /// use interrogate::prompt::Recipe;
    ///
    /// let tables = [("animals", Some(2)), ("artists", None), ("flavors", None), ("mediums", None)];
    /// let recipe = Recipe::seed(tables, 3);
    /// let counts: Vec<_> = recipe.tables.iter().map(|t| (t.table.as_str(), t.count)).collect();
    /// assert_eq!(counts, [("mediums", 1), ("animals", 2), ("flavors", 3)]);
    /// ```
    pub fn seed<'a>(
        tables: impl IntoIterator<Item = (&'a str, Option<usize>)>,
        max_flavors: usize,
    ) -> Self {
        let mut tables: Vec<_> = tables.into_iter().collect();
        tables.sort_unstable();
        let place = |table: &str| match table {
            "mediums" => (0, Some(1)),
            "movements" => (1, Some(1)),
            "flavors" => (3, Some(max_flavors)),
            _ => (2, None),
        };
        tables.sort_by_key(|(table, _)| place(table).0); // stable: names stay sorted
        let counts = tables
            .into_iter()
            .filter_map(|(table, asked)| {
                let count = asked.or(place(table).1)?;
                (count > 0).then(|| TableCount { table: table.to_owned(), count })
            })
            .collect();
        Recipe { tables: counts, min_score: None }
    }

    /// The same, with a lower limit for what the text says.
    #[must_use]
    pub fn with_min_score(self, min_score: Option<f32>) -> Self {
        Recipe { min_score, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(recipe: &Recipe) -> Vec<(&str, usize)> {
        recipe.tables.iter().map(|t| (t.table.as_str(), t.count)).collect()
    }

    #[test]
    fn the_form_is_medium_movement_flavors_whatever_the_order_of_tables() {
        let recipe = Recipe::seed([("flavors", None), ("movements", None), ("mediums", None)], 3);
        assert_eq!(takes(&recipe), [("mediums", 1), ("movements", 1), ("flavors", 3)]);
    }

    #[test]
    fn a_count_in_the_name_overrides_the_form() {
        let tables =
            [("flavors", Some(7)), ("mediums", Some(0)), ("zoo", Some(1)), ("art", Some(2))];
        assert_eq!(takes(&Recipe::seed(tables, 3)), [("art", 2), ("zoo", 1), ("flavors", 7)]);
    }

    #[test]
    fn tables_beyond_the_form_wait_to_be_asked() {
        assert!(takes(&Recipe::seed([("artists", None), ("negative", None)], 3)).is_empty());
        assert!(takes(&Recipe::seed([("flavors", None)], 0)).is_empty());
    }
}
