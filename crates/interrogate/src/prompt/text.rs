//! The prompt's text, and what went into it.

use super::modes::ModeOutput;
use super::part::{Part, join};
use super::{Mode, Recipe};
use crate::index::Match;

/// The best labels of one table for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick<'a> {
    /// The table's name.
    pub table: &'a str,
    /// Its labels, best first; as many as the recipe takes, or all there are.
    pub matches: Vec<Match<'a>>,
}

/// One image in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt<'a> {
    /// The caption and the picked labels that reach the recipe's lowest score,
    /// joined by `", "`.
    pub text: String,
    /// The caption it begins with, if there was one.
    pub caption: Option<String>,
    /// Every pick, in the recipe's order, whatever it scores.
    pub picks: Vec<Pick<'a>>,
    /// What the text is made of, in order.
    pub parts: Vec<Part>,
    /// The whole text's cosine with the image, where its mode asks for that.
    pub score: Option<f32>,
    /// Of a prompt in the mode [`Mode::Best`] what it was chosen from.
    pub chosen: Option<Mode>,
}

impl<'a> Prompt<'a> {
    /// Joins `caption` and `picks` by the rules of `recipe`.
    ///
    /// One newline at the caption's end is taken off (captioners end with one);
    /// no other character is. An empty part leaves no comma behind.
    pub fn new(caption: Option<&str>, picks: Vec<Pick<'a>>, recipe: &Recipe) -> Self {
        let said = |score: f32| recipe.min_score.is_none_or(|least| score >= least);
        let labels = picks
            .iter()
            .flat_map(|pick| &pick.matches)
            .filter(|found| said(found.score))
            .map(|found| Part::label(found.label, found.score));
        let parts: Vec<Part> =
            caption.map(Part::caption).into_iter().flatten().chain(labels).collect();
        let written = ModeOutput { text: join(&parts), parts, score: None, chosen: None };
        Self::written(caption, picks, written)
    }

    /// What a mode wrote of `caption` and `picks`.
    pub(crate) fn written(
        caption: Option<&str>,
        picks: Vec<Pick<'a>>,
        written: ModeOutput,
    ) -> Self {
        let caption = caption.map(|text| text.strip_suffix('\n').unwrap_or(text).to_owned());
        let ModeOutput { text, parts, score, chosen } = written;
        Prompt { text, caption, picks, parts, score, chosen }
    }

    /// The matches picked from a table; empty where the recipe takes none.
    pub fn picked(&self, table: &str) -> &[Match<'a>] {
        self.picks.iter().find(|pick| pick.table == table).map_or(&[], |pick| &pick.matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(table: &'static str, labels: &[(&'static str, f32)]) -> Pick<'static> {
        let ranked = labels.iter().enumerate();
        let matches = ranked.map(|(row, &(label, score))| Match { table, label, score, row });
        Pick { table, matches: matches.collect() }
    }

    fn cat() -> Vec<Pick<'static>> {
        vec![
            pick("mediums", &[("a photo", 0.4)]),
            pick("movements", &[("egyptian art", 0.2)]),
            pick("flavors", &[("cat photo", 0.6), ("whiskers", 0.35)]),
        ]
    }

    fn recipe(min_score: Option<f32>) -> Recipe {
        Recipe { tables: Vec::new(), min_score }
    }

    #[test]
    fn the_parts_are_joined_in_order() {
        let prompt = Prompt::new(Some("a cat on a mat"), cat(), &recipe(None));
        assert_eq!(prompt.text, "a cat on a mat, a photo, egyptian art, cat photo, whiskers");
    }

    #[test]
    fn what_scores_too_low_is_not_said_but_kept() {
        let prompt = Prompt::new(None, cat(), &recipe(Some(0.35)));
        assert_eq!(prompt.text, "a photo, cat photo, whiskers");
        assert_eq!(prompt.picked("movements")[0].label, "egyptian art");
        assert!(prompt.picked("artists").is_empty());
    }

    #[test]
    fn a_caption_loses_its_newline_and_nothing_else() {
        for (caption, text) in
            [("a cat\n", "a cat"), ("a cat", "a cat"), ("a cat.\n\n", "a cat.\n")]
        {
            let prompt = Prompt::new(Some(caption), Vec::new(), &recipe(None));
            assert_eq!(prompt.text, text);
            assert_eq!(prompt.caption.as_deref(), Some(text));
        }
    }

    #[test]
    fn empty_parts_leave_no_comma() {
        assert_eq!(Prompt::new(Some("\n"), cat(), &recipe(Some(0.5))).text, "cat photo");
        assert_eq!(Prompt::new(None, Vec::new(), &recipe(None)).text, "");
    }
}
