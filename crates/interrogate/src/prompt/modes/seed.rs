//! The plain form: caption, medium, movement, flavors.

use super::super::part::Part;
use super::super::{Pick, Recipe};
use super::{PromptOptions, RankingRequest, TableEntry, classic};

/// Returns the rankings of the form's tables, of the tables that the user named, and of
/// those whose file name gives a count, in the order of [`Recipe::seed`].
pub(super) fn rankings(tables: &[TableEntry], max_flavors: usize) -> Vec<RankingRequest> {
    let tables = tables.iter().map(|table| {
        let is_in_form = ["mediums", "movements", "flavors"].contains(&table.name.as_str());
        (table.name.as_str(), table.top.or((table.explicit && !is_in_form).then_some(1)))
    });
    Recipe::seed(tables, max_flavors).tables.iter().map(RankingRequest::from).collect()
}

pub(super) fn parts(
    options: &PromptOptions,
    caption: Option<&str>,
    picks: &[Pick<'_>],
) -> Vec<Part> {
    let labels = picks.iter().flat_map(|pick| classic::labels(options, pick));
    options.caption(caption).into_iter().chain(labels).collect()
}
