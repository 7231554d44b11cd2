//! A prompt's form, as a person writes it: `"{caption}, {medium}, {flavors}"`.
//!
//! Owns the fields, what they take from an index, and how empty parts leave no
//! comma. What an image's best labels are is for [`Recipe`] and [`Prompt`].

use std::fmt;
use std::str::FromStr;

use super::fit::{first_words, most_that_holds};
use super::part::{Part, SEPARATOR, join};
use super::{Prompt, Recipe, TableCount, TokenBudget};
use crate::{Error, Result};

/// The form of the README: all that a prompt has.
pub const README_FORM: &str = "{caption}, {medium}, {movement}, {flavors}";

/// A prompt's form: text, and fields in braces.
///
/// `{caption}` is the caption. A table's name is all labels picked of it, joined
/// by `", "`; the name without its plural s is the best of them: `{flavors}`,
/// `{medium}`, `{artist}`. `{{` and `}}` are braces.
///
/// The text between two fields is written where both are: a field that is empty
/// takes what stands before it along, and the first that is written stands at
/// the front. Text before the first field and behind the last always stays.
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
    /// Each field, and the text behind it.
    fields: Vec<(String, String)>,
}

/// What a field stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field<'a> {
    Caption,
    /// All labels picked of a table.
    All(&'a str),
    /// The best label of a table.
    Best(&'a str),
}

impl FromStr for Template {
    type Err = Error;

    /// # Errors
    /// [`Error::Template`] where a brace stands alone or holds no name.
    fn from_str(text: &str) -> Result<Self> {
        let refuse =
            |at: usize, problem| Err(Error::Template { template: text.to_owned(), at, problem });
        let mut template = Template { lead: String::new(), fields: Vec::new() };
        let mut rest = text;
        while let Some(found) = rest.find(['{', '}']) {
            let at = text.len() - rest.len() + found;
            let (before, brace) = rest.split_at(found);
            template.literal(before);
            rest = match brace.get(..2) {
                Some(double @ ("{{" | "}}")) => {
                    template.literal(&double[1..]);
                    &brace[2..]
                }
                _ if brace.starts_with('}') => return refuse(at, "a } without its {"),
                _ => match brace[1..].split_once('}') {
                    None => return refuse(at, "a { without its }"),
                    Some((name, behind)) => {
                        let name = name.trim();
                        if name.is_empty() || name.contains('{') {
                            return refuse(at, "braces without a name");
                        }
                        template.fields.push((name.to_owned(), String::new()));
                        behind
                    }
                },
            };
        }
        template.literal(rest);
        Ok(template)
    }
}

impl Template {
    fn literal(&mut self, text: &str) {
        self.fields.last_mut().map_or(&mut self.lead, |(_, behind)| behind).push_str(text);
    }

    /// What a prompt of this form takes from `tables`, each with the count that
    /// its dictionary's name asks for, if it does: of a table whose best label
    /// alone is named one, else that count, else `max_flavors` flavors, else one.
    ///
    /// # Errors
    /// [`Error::TemplateField`] for a field that is none of these tables'.
    pub fn recipe<'a>(
        &self,
        tables: impl IntoIterator<Item = (&'a str, Option<usize>)>,
        max_flavors: usize,
    ) -> Result<Recipe> {
        let tables: Vec<_> = tables.into_iter().collect();
        let mut counts: Vec<TableCount> = Vec::new();
        for (name, _) in &self.fields {
            let field = field(name, tables.iter().map(|(table, _)| *table));
            let field = field.ok_or_else(|| unknown(name, &tables))?;
            let (table, count) = match field {
                Field::Caption => continue,
                Field::Best(table) => (table, 1),
                Field::All(table) => {
                    let asked = tables.iter().find(|(name, _)| *name == table);
                    let usual = if table == "flavors" { max_flavors } else { 1 };
                    (table, asked.and_then(|(_, top)| *top).unwrap_or(usual))
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

    /// The text of `prompt` in this form. Labels that score below `min_score`
    /// stay out; a field of which the prompt has no pick is empty.
    pub fn render(&self, prompt: &Prompt<'_>, min_score: Option<f32>) -> String {
        self.shortened(prompt, min_score, usize::MAX, prompt.caption.as_deref()).0
    }

    /// The same between `before` and `after`, within `budget`: as many labels as fit
    /// are written, those of the last fields left out first; where none fits, the
    /// caption loses its last words. The form's own text stays.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] where that does not fit, [`Error::Tokenizer`].
    pub fn render_within(
        &self,
        prompt: &Prompt<'_>,
        min_score: Option<f32>,
        [before, after]: [&[Part]; 2],
        budget: Option<TokenBudget<'_>>,
    ) -> Result<String> {
        let caption = prompt.caption.as_deref().unwrap_or_default();
        let whole = |labels: usize, caption: &str| {
            let (text, written) = self.shortened(prompt, min_score, labels, Some(caption));
            (join(&[before, &[Part::words(&text)], after].concat()), written)
        };
        let (text, labels) = whole(usize::MAX, caption);
        let Some(budget) = budget else { return Ok(text) };
        if budget.fits(&text)? {
            return Ok(text);
        }
        let labels = most_that_holds(labels, |labels| budget.fits(&whole(labels, caption).0))?;
        let (mut text, _) = whole(labels, caption);
        if !budget.fits(&text)? {
            let caption = first_words(caption, |caption| budget.fits(&whole(0, caption).0))?;
            text = whole(0, caption).0;
        }
        budget.check(&text)?;
        Ok(text)
    }

    /// The text with `caption` and the first `most` labels, and how many were written.
    fn shortened(
        &self,
        prompt: &Prompt<'_>,
        min_score: Option<f32>,
        most: usize,
        caption: Option<&str>,
    ) -> (String, usize) {
        let (mut text, mut labels) = (self.lead.clone(), 0);
        let mut written = false;
        let mut separator = "";
        for (name, behind) in &self.fields {
            let mut best = |table: &str, count: usize| {
                let said = said(prompt, table, min_score, count, most - labels);
                labels += said.len();
                said.join(SEPARATOR)
            };
            let value = match field(name, prompt.picks.iter().map(|pick| pick.table)) {
                Some(Field::Caption) => caption.unwrap_or_default().to_owned(),
                Some(Field::All(table)) => best(table, usize::MAX),
                Some(Field::Best(table)) => best(table, 1),
                None => String::new(),
            };
            if !value.is_empty() {
                if written {
                    text.push_str(separator);
                }
                text.push_str(&value);
                written = true;
            }
            separator = behind;
        }
        text.push_str(separator);
        (text, labels)
    }
}

/// The text that parses to it again.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
        f.write_str(&escaped(&self.lead))?;
        self.fields.iter().try_for_each(|(name, behind)| write!(f, "{{{name}}}{}", escaped(behind)))
    }
}

/// What `name` stands for, where `tables` are the tables there are.
fn field<'a>(name: &str, tables: impl Iterator<Item = &'a str>) -> Option<Field<'a>> {
    if name == "caption" {
        return Some(Field::Caption);
    }
    let one = |table: &str| match table.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => table.strip_suffix('s').unwrap_or(table).to_owned(),
    };
    let mut best = None;
    for table in tables {
        if table == name {
            return Some(Field::All(table));
        }
        if one(table) == name {
            best = Some(Field::Best(table));
        }
    }
    best
}

/// Of the best `count` labels of `table` those that score enough, `most` of them.
fn said<'p>(
    prompt: &'p Prompt<'_>,
    table: &str,
    min_score: Option<f32>,
    count: usize,
    most: usize,
) -> Vec<&'p str> {
    let enough = |score: f32| min_score.is_none_or(|least| score >= least);
    let matches = prompt.picked(table).iter().take(count).filter(|found| enough(found.score));
    matches.map(|found| found.label).take(most).collect()
}

fn unknown(name: &str, tables: &[(&str, Option<usize>)]) -> Error {
    let mut fields = vec!["caption".to_owned()];
    for (table, _) in tables {
        let best = table.strip_suffix("ies").map(|stem| format!("{stem}y"));
        let best = best.or_else(|| table.strip_suffix('s').map(str::to_owned));
        fields.extend(best);
        fields.push((*table).to_owned());
    }
    Error::TemplateField { name: name.to_owned(), fields }
}

#[cfg(test)]
mod tests {
    use super::super::Pick;
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
    fn the_readmes_form_is_that_of_a_plain_prompt() {
        let prompt = cat(Some("a cat\n"));
        assert_eq!(render(README_FORM, Some("a cat\n"), None), prompt.text);
        assert_eq!(
            render("{caption}, {medium}, {flavors}", Some("a cat"), None),
            "a cat, a photo, cat photo, whiskers"
        );
    }

    #[test]
    fn empty_parts_leave_no_comma() {
        let template = "{caption}, {medium}, in {movement}: {flavors}";
        assert_eq!(render(template, None, None), "a photo, in egyptian art: cat photo, whiskers");
        assert_eq!(
            render(template, Some("a cat"), Some(0.3)),
            "a cat, a photo: cat photo, whiskers"
        );
        assert_eq!(render(template, None, Some(0.5)), "cat photo");
        assert_eq!(render(template, None, Some(0.9)), "");
        assert_eq!(render("<{medium}> {movement}!", None, Some(0.3)), "<a photo!");
        assert_eq!(render("only {artist}.", None, None), "only .");
    }

    #[test]
    fn a_plural_is_all_and_a_singular_the_best() {
        assert_eq!(render("{flavor} | {flavors}", None, None), "cat photo | cat photo, whiskers");
        assert_eq!(render("{{{flavor}}}", None, None), "{cat photo}");
    }

    #[test]
    fn a_recipe_takes_what_the_fields_name() {
        let tables =
            [("artists", Some(2)), ("flavors", None), ("cities", None), ("negative", None)];
        let takes = |template: &str| {
            let recipe = template.parse::<Template>().unwrap().recipe(tables, 5).unwrap();
            recipe.tables.into_iter().map(|t| (t.table, t.count)).collect::<Vec<_>>()
        };
        assert_eq!(takes("{artist} {caption}"), [("artists".to_owned(), 1)]);
        let several =
            [("artists".to_owned(), 2), ("flavors".to_owned(), 5), ("cities".to_owned(), 1)];
        assert_eq!(takes("{artist}{flavor}{artists}{flavors}{city}"), several);
        assert!(takes("no field").is_empty());
        assert_eq!(takes("{negative}"), [("negative".to_owned(), 1)]);
    }

    #[test]
    fn an_unknown_field_is_told_with_those_there_are() {
        let template: Template = "{caption}, {mood}".parse().unwrap();
        let error = template.recipe([("flavors", None), ("mediums", None)], 3).unwrap_err();
        assert_eq!(error.to_string(), "a template has no field \"mood\"");
        let hint = error.hint().unwrap();
        assert_eq!(hint, "its fields are caption, flavor, flavors, medium, mediums");
    }

    #[test]
    fn a_brace_alone_is_told_with_its_place() {
        for (text, said) in [
            ("a {b", "a { without its } at byte 2"),
            ("a } b", "a } without its { at byte 2"),
            ("é{}", "braces without a name at byte 2"),
            ("{a{b}", "braces without a name at byte 0"),
            ("{", "a { without its } at byte 0"),
        ] {
            let error = text.parse::<Template>().unwrap_err().to_string();
            assert_eq!(error, format!("template {text:?}: {said}"));
        }
    }

    #[test]
    fn a_template_prints_as_it_parses() {
        for text in [README_FORM, "{{x}} {a}}}", "", "plain"] {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.to_string().parse::<Template>().unwrap(), template);
        }
    }
}
