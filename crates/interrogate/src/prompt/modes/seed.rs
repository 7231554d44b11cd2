//! The plain form: caption, medium, movement, flavors.

use super::super::Recipe;
use super::super::part::Part;
use super::{Ask, Listed, PromptOptions, Seen, classic};

/// The form's tables, and those that were named or say themselves how many labels
/// they give: [`Recipe::seed`] has the order.
pub(super) fn asks(tables: &[Listed], max_flavors: usize) -> Vec<Ask> {
    let tables = tables.iter().map(|table| {
        let form = ["mediums", "movements", "flavors"].contains(&table.name.as_str());
        (table.name.as_str(), table.top.or((table.named && !form).then_some(1)))
    });
    let takes = Recipe::seed(tables, max_flavors).takes;
    takes.into_iter().map(|take| Ask::best(&take.table, take.count)).collect()
}

pub(super) fn parts(asking: &PromptOptions, seen: &Seen<'_, '_>) -> Vec<Part> {
    let labels = seen.picks.iter().flat_map(|pick| classic::labels(asking, pick));
    asking.caption(seen.caption).into_iter().chain(labels).collect()
}
