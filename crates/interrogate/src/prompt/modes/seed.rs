//! The plain form: caption, medium, movement, flavors.

use super::super::Recipe;
use super::super::part::Part;
use super::{ModeInput, PromptOptions, RankingRequest, TableEntry, classic};

/// The form's tables, and those that were named or say themselves how many labels
/// they give: [`Recipe::seed`] has the order.
pub(super) fn rankings(tables: &[TableEntry], max_flavors: usize) -> Vec<RankingRequest> {
    let tables = tables.iter().map(|table| {
        let form = ["mediums", "movements", "flavors"].contains(&table.name.as_str());
        (table.name.as_str(), table.top.or((table.explicit && !form).then_some(1)))
    });
    let counts = Recipe::seed(tables, max_flavors).tables;
    counts.into_iter().map(|of| RankingRequest::best(&of.table, of.count)).collect()
}

pub(super) fn parts(options: &PromptOptions, input: &ModeInput<'_, '_>) -> Vec<Part> {
    let labels = input.picks.iter().flat_map(|pick| classic::labels(options, pick));
    options.caption(input.caption).into_iter().chain(labels).collect()
}
