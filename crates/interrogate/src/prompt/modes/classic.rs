//! `"{caption}, {medium} {artist}, {trending}, {movement}, {flavors}"`.

use super::super::Pick;
use super::super::part::Part;
use super::{PromptOptions, RankingRequest, TableEntry};

/// Where a table stands in the form, and how many labels it gives. What the form
/// does not know stands before the flavors.
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

/// The medium is left out where the caption begins with it, and the artist follows
/// it without a comma.
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
                let spaced = labels.first().cloned().map(|first| first.behind(" "));
                labels.splice(..labels.len().min(1), spaced);
            }
            _ => {}
        }
        parts.extend(labels);
    }
    parts
}

/// The labels of `pick` that score enough.
pub(super) fn labels(options: &PromptOptions, pick: &Pick<'_>) -> Vec<Part> {
    let said = |score: f32| options.min_score.is_none_or(|least| score >= least);
    let matches = pick.matches.iter().filter(|found| said(found.score));
    matches.map(|found| Part::label(found.label, found.score)).collect()
}
