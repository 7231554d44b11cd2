//! Which rankings a mode wants.

use super::super::TableCount;
use crate::rank::Order;

/// A table that may be ranked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// How many of its labels a prompt takes, where its own name says so.
    pub top: Option<usize>,
    /// Whether it was asked for by name: then it takes part even where the form
    /// does not know it.
    pub explicit: bool,
}

/// A ranking that is wanted: the first `count` labels of some tables, ranked as
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingRequest {
    /// The tables, in the order that decides ties.
    pub tables: Vec<String>,
    /// How many labels.
    pub count: usize,
    /// From which end.
    pub order: Order,
}

impl From<&TableCount> for RankingRequest {
    fn from(of: &TableCount) -> Self {
        RankingRequest::best(&of.table, of.count)
    }
}

/// The tables that clip-interrogator ranks as one, in its order.
const MERGED: [&str; 5] = ["artists", "flavors", "mediums", "movements", "trendings"];

impl RankingRequest {
    /// The best of one table.
    pub(super) fn best(table: &str, count: usize) -> Self {
        RankingRequest { tables: vec![table.to_owned()], count, order: Order::Best }
    }

    /// The best of all tables that clip-interrogator merges, in its order, and of
    /// those that were named beside them.
    pub(super) fn merged(tables: &[TableEntry], count: usize) -> Self {
        let is_there = |name: &&str| tables.iter().any(|table| table.name == **name);
        let known = MERGED.iter().filter(|name| is_there(name)).map(|name| (*name).to_owned());
        let others = tables.iter().filter(|t| t.explicit && !MERGED.contains(&t.name.as_str()));
        let tables = known.chain(others.map(|table| table.name.clone())).collect();
        RankingRequest { tables, count, order: Order::Best }
    }
}
