//! Cells of a table: values picked from a record's JSON.

use std::str::Split;

use serde_json::Value;

use super::record::{Column, Kind, Record};
use crate::fields;

/// The value of a column in one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    None,
    Text(String),
    Number(f32),
    Texts(Vec<String>),
    Numbers(Vec<f32>),
    Integers(Vec<i64>),
    /// A value that passes through.
    Field(fields::Value),
}

/// Returns the cells of `record`, one per column.
///
/// # Errors
/// Where the record cannot be represented as JSON.
pub(super) fn cells<R: Record>(record: &R) -> serde_json::Result<Vec<Cell>> {
    let json = serde_json::to_value(record)?;
    Ok(R::COLUMNS.iter().map(|column| Cell::of(column, &json)).collect())
}

impl Cell {
    /// Returns the bytes of a value that passes through; 0 for another cell.
    pub(super) fn passed_bytes(&self) -> usize {
        if let Cell::Field(value) = self { value.len() } else { 0 }
    }

    /// Returns the value that `column` picks from `json`.
    fn of(column: &Column, json: &Value) -> Self {
        let mut values = Vec::new();
        collect(json, column.at.split('.'), &mut values);
        let numbers = || values.iter().filter_map(|value| value.as_f64()).map(|v| v as f32);
        match (column.kind, values.first()) {
            (Kind::Texts, _) => {
                Cell::Texts(values.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect())
            }
            (Kind::Numbers, _) => Cell::Numbers(numbers().collect()),
            (Kind::Integers, _) => {
                Cell::Integers(values.iter().filter_map(|value| value.as_i64()).collect())
            }
            (_, None | Some(Value::Null)) => Cell::None,
            (Kind::Text, Some(Value::String(text))) => Cell::Text(text.clone()),
            (Kind::Number, _) => numbers().next().map_or(Cell::None, Cell::Number),
            (Kind::Text | Kind::Json, Some(value)) => Cell::Text(value.to_string()),
        }
    }

    /// Returns the cell as a CSV field: `None` is empty, a list is JSON.
    pub(super) fn to_csv(&self) -> String {
        let json = |list: serde_json::Result<String>| list.unwrap_or_default();
        match self {
            Cell::None => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Texts(list) => json(serde_json::to_string(list)),
            Cell::Numbers(list) => json(serde_json::to_string(list)),
            Cell::Integers(list) => json(serde_json::to_string(list)),
            Cell::Field(_) => String::new(), // of shards, which are Parquet
        }
    }
}

/// Collects the values at the path `keys`; a list on the way contributes each of its items.
fn collect<'a>(json: &'a Value, mut keys: Split<'_, char>, values: &mut Vec<&'a Value>) {
    match json {
        Value::Array(items) => {
            items.iter().for_each(|item| collect(item, keys.clone(), values));
        }
        json => match keys.next() {
            None => values.push(json),
            Some(key) => {
                if let Some(json) = json.get(key) {
                    collect(json, keys, values);
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(kind: Kind, at: &'static str) -> Cell {
        let json = json!({
            "prompt": "a cat, \"8 k\"", "medium": {"label": "photo", "score": 0.1f32},
            "movement": null, "flavors": [{"label": "x", "score": 1.0}, {"label": "y, z"}],
            "tokens": [3, 4], "tables": {"animals": []},
        });
        Cell::of(&Column { name: "", kind, at }, &json)
    }

    #[test]
    fn cell_is_picked_by_json_path() {
        assert_eq!(cell(Kind::Text, "prompt"), Cell::Text("a cat, \"8 k\"".into()));
        assert_eq!(cell(Kind::Number, "medium.score"), Cell::Number(0.1));
        assert_eq!(
            cell(Kind::Texts, "flavors.label"),
            Cell::Texts(vec!["x".into(), "y, z".into()])
        );
        assert_eq!(cell(Kind::Numbers, "flavors.score"), Cell::Numbers(vec![1.0]));
        assert_eq!(cell(Kind::Integers, "tokens"), Cell::Integers(vec![3, 4]));
        assert_eq!(cell(Kind::Json, "tables"), Cell::Text(r#"{"animals":[]}"#.into()));
    }

    #[test]
    fn missing_value_is_none_or_an_empty_list() {
        for at in ["movement", "movement.label", "gone", "prompt.label"] {
            assert_eq!(cell(Kind::Text, at), Cell::None, "{at}");
            assert_eq!(cell(Kind::Number, at), Cell::None, "{at}");
        }
        assert_eq!(cell(Kind::Texts, "gone.label"), Cell::Texts(vec![]));
    }

    #[test]
    fn csv_field_of_a_list_is_json_and_of_a_score_has_the_digits_of_f32() {
        assert_eq!(cell(Kind::Texts, "flavors.label").to_csv(), r#"["x","y, z"]"#);
        assert_eq!(cell(Kind::Number, "medium.score").to_csv(), "0.1");
        assert_eq!(Cell::Numbers(vec![0.1, 2.0]).to_csv(), "[0.1,2.0]");
        assert_eq!(Cell::None.to_csv(), "");
    }
}
