//! A finished prompt.

use super::modes::ModeOutput;
use super::part::Part;
use super::{Mode, Pick, Recipe};
use crate::index::Match;

/// The prompt of one image, with everything it was written from.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt<'a> {
    /// The text of the prompt.
    pub text: String,
    /// The image's caption, if there is one.
    pub caption: Option<String>,
    /// Every picked label, in the order of the recipe or mode, including labels that score
    /// too low to be in the text.
    pub picks: Vec<Pick<'a>>,
    /// The parts of the text, in order.
    pub parts: Vec<Part>,
    /// The cosine of the whole text with the image, if the mode computes it.
    pub score: Option<f32>,
    /// The candidate that [`Mode::Best`] chose; `None` for the other modes.
    pub chosen: Option<Mode>,
}

impl<'a> Prompt<'a> {
    /// Joins the caption and the labels that reach the recipe's lowest score with `", "`.
    ///
    /// Removes one newline at the caption's end, which captioners write, and no other
    /// character. Empty parts are left out.
    pub fn new(caption: Option<&str>, picks: Vec<Pick<'a>>, recipe: &Recipe) -> Self {
        let is_enough = |score: f32| recipe.min_score.is_none_or(|least| score >= least);
        let labels = picks
            .iter()
            .flat_map(|pick| &pick.matches)
            .filter(|found| is_enough(found.score))
            .map(|found| Part::label(found.label, found.score));
        let parts: Vec<Part> =
            caption.map(Part::caption).into_iter().flatten().chain(labels).collect();
        Self::from_output(caption, picks, ModeOutput::unscored(parts))
    }

    /// Creates the prompt from a mode's output for `caption` and `picks`.
    pub(crate) fn from_output(
        caption: Option<&str>,
        picks: Vec<Pick<'a>>,
        output: ModeOutput,
    ) -> Self {
        let caption = caption.map(|text| text.strip_suffix('\n').unwrap_or(text).to_owned());
        let ModeOutput { text, parts, score, chosen } = output;
        Prompt { text, caption, picks, parts, score, chosen }
    }

    /// Returns the labels picked from a table; empty if there are none.
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
    fn a_label_below_min_score_is_in_the_picks_only() {
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
