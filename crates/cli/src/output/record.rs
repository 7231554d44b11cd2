//! What an answer looks like, once for all forms that it can be written in.

use serde::Serialize;
use serde_json::Value;

/// One image's answer. As JSON it is itself; as a table it is [`COLUMNS`], each
/// a place in that JSON.
///
/// [`COLUMNS`]: Self::COLUMNS
pub(crate) trait Record: Serialize {
    /// The columns between `image` and `error`, which every table has.
    const COLUMNS: &'static [Column];

    /// What the JSON of every answer has, so that a file of other answers is
    /// told apart.
    const KEYS: &'static [&'static str];

    /// The image's name.
    fn image(&self) -> &str;

    /// For people; `alone` where no other image is asked about.
    fn text(&self, alone: bool) -> String;

    /// What a sidecar holds.
    fn sidecar(&self) -> String;
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Where its value stands in the JSON: keys, apart by dots. A list on the
    /// way gives a list of what stands behind it.
    pub(crate) at: &'static str,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, or nothing.
    Text,
    /// An f32, or nothing.
    Number,
    /// A list of texts.
    Texts,
    /// A list of f32.
    Numbers,
    /// A list of whole numbers.
    Integers,
    /// Any JSON, as text.
    Json,
}

/// The value of a column in one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    None,
    Text(String),
    Number(f32),
    Texts(Vec<String>),
    Numbers(Vec<f32>),
    Integers(Vec<i64>),
}

/// The cells of `answer`, one a column.
///
/// # Errors
/// Where it cannot be JSON.
pub(crate) fn cells<A: Record>(answer: &A) -> serde_json::Result<Vec<Cell>> {
    let json = serde_json::to_value(answer)?;
    Ok(A::COLUMNS.iter().map(|column| column.cell(&json)).collect())
}

impl Column {
    fn cell(&self, json: &Value) -> Cell {
        let mut found = Vec::new();
        stand(json, self.at.split('.'), &mut found);
        let numbers = || found.iter().filter_map(|value| value.as_f64()).map(|v| v as f32);
        match (self.kind, found.first()) {
            (Kind::Texts, _) => {
                Cell::Texts(found.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect())
            }
            (Kind::Numbers, _) => Cell::Numbers(numbers().collect()),
            (Kind::Integers, _) => {
                Cell::Integers(found.iter().filter_map(|value| value.as_i64()).collect())
            }
            (_, None | Some(Value::Null)) => Cell::None,
            (Kind::Text, Some(Value::String(text))) => Cell::Text(text.clone()),
            (Kind::Number, _) => numbers().next().map_or(Cell::None, Cell::Number),
            (Kind::Text | Kind::Json, Some(value)) => Cell::Text(value.to_string()),
        }
    }
}

/// What stands at the place that `keys` lead to, lists entered on the way.
fn stand<'a>(json: &'a Value, mut keys: std::str::Split<'_, char>, found: &mut Vec<&'a Value>) {
    match json {
        Value::Array(values) => {
            values.iter().for_each(|value| stand(value, keys.clone(), found));
        }
        json => match keys.next() {
            None => found.push(json),
            Some(key) => {
                if let Some(json) = json.get(key) {
                    stand(json, keys, found);
                }
            }
        },
    }
}

impl Cell {
    /// As a cell of a CSV: nothing is empty, a list is JSON.
    pub(crate) fn to_csv(&self) -> String {
        let json = |list: serde_json::Result<String>| list.unwrap_or_default();
        match self {
            Cell::None => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Texts(list) => json(serde_json::to_string(list)),
            Cell::Numbers(list) => json(serde_json::to_string(list)),
            Cell::Integers(list) => json(serde_json::to_string(list)),
        }
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
        Column { name: "", kind, at }.cell(&json)
    }

    #[test]
    fn a_column_is_a_place_in_the_json() {
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
    fn what_is_not_there_is_nothing_or_an_empty_list() {
        for at in ["movement", "movement.label", "gone", "prompt.label"] {
            assert_eq!(cell(Kind::Text, at), Cell::None, "{at}");
            assert_eq!(cell(Kind::Number, at), Cell::None, "{at}");
        }
        assert_eq!(cell(Kind::Texts, "gone.label"), Cell::Texts(vec![]));
    }

    #[test]
    fn in_a_csv_a_list_is_json_and_a_score_has_the_digits_of_f32() {
        assert_eq!(cell(Kind::Texts, "flavors.label").to_csv(), r#"["x","y, z"]"#);
        assert_eq!(cell(Kind::Number, "medium.score").to_csv(), "0.1");
        assert_eq!(Cell::Numbers(vec![0.1, 2.0]).to_csv(), "[0.1,2.0]");
        assert_eq!(Cell::None.to_csv(), "");
    }
}
