//! Parsing, rendering and recipes of templates.

use super::super::{Pick, Prompt};
use super::*;
use crate::index::Match;

fn pick(table: &'static str, labels: &[(&'static str, f32)]) -> Pick<'static> {
    let ranked = labels.iter().enumerate();
    let matches = ranked.map(|(row, &(label, score))| Match { table, label, score, row });
    Pick { table, matches: matches.collect() }
}

fn cat(caption: Option<&str>) -> Prompt<'static> {
    let picks = vec![
        pick("mediums", &[("a photo", 0.4)]),
        pick("movements", &[("egyptian art", 0.2)]),
        pick("flavors", &[("cat photo", 0.6), ("whiskers", 0.35)]),
    ];
    Prompt::new(caption, picks, &Recipe { tables: Vec::new(), min_score: None })
}

fn render(template: &str, caption: Option<&str>, min_score: Option<f32>) -> String {
    template.parse::<Template>().unwrap().render(&cat(caption), min_score)
}

#[test]
fn the_default_template_writes_the_plain_form() {
    let prompt = cat(Some("a cat\n"));
    assert_eq!(render(README_FORM, Some("a cat\n"), None), prompt.text);
    assert_eq!(
        render("{caption}, {medium}, {flavors}", Some("a cat"), None),
        "a cat, a photo, cat photo, whiskers"
    );
}

#[test]
fn empty_fields_leave_no_separator() {
    let template = "{caption}, {medium}, in {movement}: {flavors}";
    assert_eq!(render(template, None, None), "a photo, in egyptian art: cat photo, whiskers");
    assert_eq!(render(template, Some("a cat"), Some(0.3)), "a cat, a photo: cat photo, whiskers");
    assert_eq!(render(template, None, Some(0.5)), "cat photo");
    assert_eq!(render(template, None, Some(0.9)), "");
    assert_eq!(render("<{medium}> {movement}!", None, Some(0.3)), "<a photo!");
    assert_eq!(render("only {artist}.", None, None), "only .");
}

#[test]
fn a_plural_field_is_all_labels_and_a_singular_one_the_best() {
    assert_eq!(render("{flavor} | {flavors}", None, None), "cat photo | cat photo, whiskers");
    assert_eq!(render("{{{flavor}}}", None, None), "{cat photo}");
}

#[test]
fn a_recipe_has_the_tables_of_the_fields() {
    let tables = [("artists", Some(2)), ("flavors", None), ("cities", None), ("negative", None)];
    let counts = |template: &str| {
        let recipe = template.parse::<Template>().unwrap().recipe(tables, 5).unwrap();
        recipe.tables.into_iter().map(|t| (t.table, t.count)).collect::<Vec<_>>()
    };
    assert_eq!(counts("{artist} {caption}"), [("artists".to_owned(), 1)]);
    let several = [("artists".to_owned(), 2), ("flavors".to_owned(), 5), ("cities".to_owned(), 1)];
    assert_eq!(counts("{artist}{flavor}{artists}{flavors}{city}"), several);
    assert!(counts("no field").is_empty());
    assert_eq!(counts("{negative}"), [("negative".to_owned(), 1)]);
}

#[test]
fn an_unknown_field_is_reported_with_the_known_fields() {
    let template: Template = "{caption}, {mood}".parse().unwrap();
    let error = template.recipe([("flavors", None), ("mediums", None)], 3).unwrap_err();
    assert_eq!(error.to_string(), "a template has no field \"mood\"");
    let hint = error.hint().unwrap();
    assert_eq!(hint, "its fields are caption, flavor, flavors, medium, mediums");
}

#[test]
fn an_unmatched_brace_is_reported_with_its_position() {
    for (text, problem) in [
        ("a {b", "a { without its } at byte 2"),
        ("a } b", "a } without its { at byte 2"),
        ("é{}", "braces without a name at byte 2"),
        ("{a{b}", "braces without a name at byte 0"),
        ("{", "a { without its } at byte 0"),
    ] {
        let error = text.parse::<Template>().unwrap_err().to_string();
        assert_eq!(error, format!("template {text:?}: {problem}"));
    }
}

#[test]
fn display_round_trips() {
    for text in [README_FORM, "{{x}} {a}}}", "", "plain"] {
        let template: Template = text.parse().unwrap();
        assert_eq!(template.to_string().parse::<Template>().unwrap(), template);
    }
}
