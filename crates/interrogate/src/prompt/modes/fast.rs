//! The caption, and what of all tables fits the image best.

use super::super::Pick;
use super::super::part::Part;
use super::{PromptOptions, classic};

pub(super) fn parts(
    asking: &PromptOptions,
    caption: Option<&str>,
    picks: &[Pick<'_>],
) -> Vec<Part> {
    let labels = picks.iter().flat_map(|pick| classic::labels(asking, pick));
    asking.caption(caption).into_iter().chain(labels.take(asking.max_flavors)).collect()
}
