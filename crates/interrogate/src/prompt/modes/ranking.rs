//! The rankings that a mode needs.

use super::super::TableCount;
use crate::rank::Order;

/// A table that can be ranked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// The number of labels in a prompt, if its dictionary's file name gives one.
    pub top: Option<usize>,
    /// Whether the user named the table. Such a table is used even if the mode's form does
    /// not know it.
    pub explicit: bool,
}

/// A request for the first `count` labels of some tables, ranked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingRequest {
    /// The tables, in the order that decides ties.
    pub tables: Vec<String>,
    /// The number of labels.
    pub count: usize,
    /// Best or worst first.
    pub order: Order,
}

impl From<&TableCount> for RankingRequest {
    fn from(table: &TableCount) -> Self {
        RankingRequest::best(&table.table, table.count)
    }
}

/// The tables that clip-interrogator ranks together, in its order.
const MERGED: [&str; 5] = ["artists", "flavors", "mediums", "movements", "trendings"];

impl RankingRequest {
    /// Requests the best labels of one table.
    pub(super) fn best(table: &str, count: usize) -> Self {
        RankingRequest { tables: vec![table.to_owned()], count, order: Order::Best }
    }

    /// Requests the best labels of all available tables that clip-interrogator merges, in
    /// its order, followed by the other tables that the user named.
    pub(super) fn merged(tables: &[TableEntry], count: usize) -> Self {
        let is_available = |name: &&str| tables.iter().any(|table| table.name == **name);
        let known = MERGED.iter().filter(|name| is_available(name)).map(|name| (*name).to_owned());
        let others = tables.iter().filter(|t| t.explicit && !MERGED.contains(&t.name.as_str()));
        let tables = known.chain(others.map(|table| table.name.clone())).collect();
        RankingRequest { tables, count, order: Order::Best }
    }
}
