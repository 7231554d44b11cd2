//! `"{caption}, {medium} {artist}, {trending}, {movement}, {flavors}"`.

use super::super::Pick;
use super::super::part::Part;
use super::{PromptOptions, RankingRequest, TableEntry};

/// Returns a table's position in the form and its number of labels; `None` if it is left
/// out. Tables that are not in the form come before the flavors.
fn place(table: &TableEntry, max_flavors: usize) -> Option<(usize, usize)> {
    let (place, count) = match table.name.as_str() {
        "mediums" => (0, Some(1)),
        "artists" => (1, Some(1)),
        "trendings" => (2, Some(1)),
        "movements" => (3, Some(1)),
        "flavors" => (5, Some(max_flavors)),
        _ => (4, table.explicit.then_some(1)),
    };
    let count = table.top.or(count).filter(|&count| count > 0)?;
    Some((place, count))
}

pub(super) fn rankings(tables: &[TableEntry], max_flavors: usize) -> Vec<RankingRequest> {
    let mut places: Vec<_> = tables
        .iter()
        .filter_map(|table| place(table, max_flavors).map(|(place, count)| (place, table, count)))
        .collect();
    places.sort_by_key(|&(place, table, _)| (place, table.name.as_str()));
    places.into_iter().map(|(_, table, count)| RankingRequest::best(&table.name, count)).collect()
}

/// Returns the parts of the prompt. The medium is left out if the caption begins with it,
/// and the artist follows without a comma.
pub(super) fn parts(
    options: &PromptOptions,
    caption: Option<&str>,
    picks: &[Pick<'_>],
) -> Vec<Part> {
    let mut parts = options.caption(caption);
    for pick in picks {
        let mut labels = labels(options, pick);
        match pick.table {
            "mediums" => {
                let begins = |label: &Part| caption.is_some_and(|c| c.starts_with(&label.text));
                labels.retain(|label| !begins(label));
            }
            "artists" => {
                let spaced = labels.first().cloned().map(|first| first.with_separator(" "));
                labels.splice(..labels.len().min(1), spaced);
            }
            _ => {}
        }
        parts.extend(labels);
    }
    parts
}

/// Returns the labels of `pick` that reach the lowest score.
pub(super) fn labels(options: &PromptOptions, pick: &Pick<'_>) -> Vec<Part> {
    let is_enough = |score: f32| options.min_score.is_none_or(|least| score >= least);
    let matches = pick.matches.iter().filter(|found| is_enough(found.score));
    matches.map(|found| Part::label(found.label, found.score)).collect()
}
