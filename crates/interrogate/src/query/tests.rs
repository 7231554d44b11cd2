use proptest::prelude::*;

use super::*;
use crate::error::QueryError;

fn image(weight: f64, name: &str) -> Term {
    Term { weight, operand: Operand::Image(name.into()) }
}

fn text(weight: f64, text: &str) -> Term {
    Term { weight, operand: Operand::Text(text.into()) }
}

fn terms(query: &str) -> Vec<Term> {
    query.parse::<Query>().unwrap().terms
}

#[test]
fn images_are_unquoted_and_texts_quoted() {
    assert_eq!(terms(r#"2*a.jpg - "a drawing""#), [image(2.0, "a.jpg"), text(-1.0, "a drawing")]);
    assert_eq!(terms("photos/a-b+c.jpg"), [image(1.0, "photos/a-b+c.jpg")]);
    assert_eq!(terms(r#"image:"a b.jpg" + text:"c""#), [image(1.0, "a b.jpg"), text(1.0, "c")]);
    assert_eq!(terms(r#""x"-"y"+.5*"z""#), [text(1.0, "x"), text(-1.0, "y"), text(0.5, "z")]);
    assert_eq!(terms(r#" - 1.5 * "say \"hi\" \\ é" "#), [text(-1.5, r#"say "hi" \ é"#)]);
}

#[test]
fn digits_are_a_factor_only_before_a_star() {
    assert_eq!(terms("2.jpg + 3*4.jpg"), [image(1.0, "2.jpg"), image(3.0, "4.jpg")]);
    assert_eq!(terms("2*2*x.jpg"), [image(2.0, "2*x.jpg")], "a name may hold a star");
    assert_eq!(terms("image:x.jpg"), [image(1.0, "image:x.jpg")], "and colons");
}

#[test]
fn syntax_errors_name_the_column() {
    for (query, column, expected, found) in [
        ("", 1, "an image or a text", "the end"),
        ("a.jpg +", 8, "an image or a text", "the end"),
        ("a.jpg + * b", 9, "an image or a text", "\"* b\""),
        ("- - a.jpg", 3, "an image or a text", "\"- a.jpg\""),
        ("a.jpg \"x\"", 7, "+ or - before the next term", "\"\\\"x\\\"\""),
        ("a.jpg-\"x\"", 7, "white space after the image's name", "\"\\\"x\\\"\""),
        ("\"é\" - \"x", 9, "a quote that ends the text", "the end"),
        ("\"a\\n\"", 3, "\\\" or \\\\", "\"\\\\n\\\"\""),
        ("1.2.3*a.jpg", 1, "a number before *", "\"1.2.3*a.jpg\""),
        ("image:\"\"", 9, "the name of an image in the quotes before", "the end"),
    ] {
        let error = query.parse::<Query>().unwrap_err();
        let message =
            format!("query {query:?}, column {column}: expected {expected}, found {found}");
        assert_eq!(error.to_string(), message);
        assert!(error.hint().unwrap().contains("2*a.jpg - \"a drawing\""));
    }
    assert!(format!("{}*a.jpg", "9".repeat(400)).parse::<Query>().is_err(), "not a finite number");
}

#[test]
fn features_are_the_weighted_sum_at_unit_length() {
    let query: Query = r#"3*a.jpg - 4*"b" "#.parse().unwrap();
    let rows = |operand: &Operand| match operand {
        Operand::Image(_) => Ok([1.0f32, 0.0]),
        Operand::Text(_) => Ok([0.0, 1.0]),
    };
    assert_eq!(query.features(rows).unwrap().as_slice(), [0.6, -0.8]);
    assert_eq!(query.images().collect::<Vec<_>>(), [Path::new("a.jpg")]);
    assert_eq!(query.texts().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn terms_that_cancel_out_are_an_error() {
    let row = |_: &Operand| Ok([0.6f32, 0.8]);
    for cancelled in ["a - a", "0.1*a + 0.2*a - 0.3*a", "0*a", "1000000*a - 1000000*a"] {
        let error = cancelled.parse::<Query>().unwrap().features(row).unwrap_err();
        assert!(matches!(error, Error::Query(QueryError::Zero { .. })), "{cancelled}: {error}");
        assert!(error.to_string().starts_with("the terms of "), "{error}");
        assert!(error.hint().is_some());
    }
    let huge: Query = format!("{}*a", "9".repeat(300)).parse().unwrap();
    assert_eq!(huge.features(row).unwrap().as_slice(), [0.6, 0.8], "however large the weights");
}

#[test]
fn rows_of_different_widths_are_an_error() {
    let query: Query = "a + \"b\"".parse().unwrap();
    let width = |operand: &Operand| if matches!(operand, Operand::Image(_)) { 2 } else { 3 };
    let rows = |operand: &Operand| Ok(vec![1.0f32; width(operand)]);
    let error = query.features(rows).unwrap_err();
    assert_eq!(error.to_string(), "a term of the query has 3 values a row, expected 2");
}

fn any_term() -> impl Strategy<Value = Term> {
    let operand = prop_oneof![
        "[^\0]{1,12}".prop_map(|name| Operand::Image(name.into())),
        any::<String>().prop_map(Operand::Text),
    ];
    let weight =
        prop_oneof![Just(1.0), Just(-1.0), (0u32..100_000).prop_map(|n| f64::from(n) / 64.0)];
    (weight, operand).prop_map(|(weight, operand)| Term { weight, operand })
}

proptest! {
    #[test]
    fn a_query_parses_from_its_display(terms in prop::collection::vec(any_term(), 1..6)) {
        let query = Query { terms };
        let text = query.to_string();
        prop_assert_eq!(text.parse::<Query>().unwrap(), query, "{}", text);
    }

    #[test]
    fn any_text_is_a_query_or_an_error_with_a_column(
        text in prop_oneof![any::<String>(), "[-+*0-9.\" a\\\\:]{0,16}", "(image:|text:|\"|\\\\|a| |-|2\\*){0,8}"],
    ) {
        match text.parse::<Query>() {
            Ok(query) => {
                prop_assert!(!query.terms().is_empty());
                prop_assert!(query.terms().iter().all(|term| term.weight.is_finite()));
                prop_assert_eq!(query.to_string().parse::<Query>().unwrap(), query);
            }
            Err(Error::Query(QueryError::Syntax { column, .. })) => {
                prop_assert!(column >= 1 && column <= text.chars().count() + 1);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn white_space_between_terms_is_ignored(terms in prop::collection::vec(any_term(), 1..4)) {
        let query = Query { terms };
        let text: String = query.terms.iter().enumerate().map(|(at, term)| {
            let one = Query { terms: vec![term.clone()] }.to_string();
            let plus = if at > 0 && term.weight.is_sign_positive() { "+" } else { "" };
            format!("{plus}{one}")
        }).collect();
        prop_assert_eq!(text.parse::<Query>().unwrap(), query, "{}", text);
    }
}
