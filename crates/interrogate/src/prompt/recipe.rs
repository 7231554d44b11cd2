//! The tables of a prompt, and the number of labels of each.

/// A table and a number of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table's name, as in the index.
    pub table: String,
    /// The number of its best labels.
    pub count: usize,
}

/// The tables of a prompt, in the order in which their labels are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The tables and the number of labels of each.
    pub tables: Vec<TableCount>,
    /// The lowest score of a label in the text. The picks keep labels below it.
    pub min_score: Option<f32>,
}

impl Recipe {
    /// Returns the recipe of `"{caption}, {medium}, {movement}, {flavors}"`: one medium,
    /// one movement and `max_flavors` flavors.
    ///
    /// `tables` are the available tables, each with the count in its dictionary's file
    /// name (`name.topN.txt`), if there is one. Such a count overrides the form's. It also
    /// adds a table that is not in the form, between movement and flavors, sorted by name.
    /// Tables of the form that are not available are left out.
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
            .filter_map(|(table, top)| {
                let count = top.or(place(table).1)?;
                (count > 0).then(|| TableCount { table: table.to_owned(), count })
            })
            .collect();
        Recipe { tables: counts, min_score: None }
    }

    /// Sets the lowest score of a label in the text.
    #[must_use]
    pub fn with_min_score(self, min_score: Option<f32>) -> Self {
        Recipe { min_score, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(recipe: &Recipe) -> Vec<(&str, usize)> {
        recipe.tables.iter().map(|t| (t.table.as_str(), t.count)).collect()
    }

    #[test]
    fn the_form_is_medium_movement_flavors_in_any_order_of_tables() {
        let recipe = Recipe::seed([("flavors", None), ("movements", None), ("mediums", None)], 3);
        assert_eq!(counts(&recipe), [("mediums", 1), ("movements", 1), ("flavors", 3)]);
    }

    #[test]
    fn a_count_in_the_name_overrides_the_form() {
        let tables =
            [("flavors", Some(7)), ("mediums", Some(0)), ("zoo", Some(1)), ("art", Some(2))];
        assert_eq!(counts(&Recipe::seed(tables, 3)), [("art", 2), ("zoo", 1), ("flavors", 7)]);
    }

    #[test]
    fn other_tables_need_a_count_in_their_name() {
        assert!(counts(&Recipe::seed([("artists", None), ("negative", None)], 3)).is_empty());
        assert!(counts(&Recipe::seed([("flavors", None)], 0)).is_empty());
    }
}
