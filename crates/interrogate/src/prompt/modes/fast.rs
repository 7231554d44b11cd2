//! The caption, and the best labels of all tables together.

use super::super::Pick;
use super::super::part::Part;
use super::{PromptOptions, classic};

pub(super) fn parts(
    options: &PromptOptions,
    caption: Option<&str>,
    picks: &[Pick<'_>],
) -> Vec<Part> {
    let labels = picks.iter().flat_map(|pick| classic::labels(options, pick));
    options.caption(caption).into_iter().chain(labels.take(options.max_flavors)).collect()
}
