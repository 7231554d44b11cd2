//! The best labels of one table, or of several that are ranked as one.

use std::num::NonZeroUsize;

use interrogate::Result;
use interrogate::index::{Merged, TableRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::clip::Clip;
use super::super::problem::Problem;
use super::super::upload::Bounded;
use super::{Images, Row, check_count, row_json};
use crate::commands::rank::{self, Probabilities, Ranking};

/// The options of `/v1/rank`.
#[derive(Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Rank {
    /// Tables, ranked as one. The default is flavors.
    pub(in super::super) table: Bounded<String, 64>,
    /// Number of labels, 1 to 1000. The default is 10.
    pub(in super::super) k: usize,
    /// Rank the worst labels, worst first.
    pub(in super::super) reverse: bool,
    /// Add the probability of each label.
    pub(in super::super) probabilities: bool,
}

impl Default for Rank {
    fn default() -> Self {
        let table = Bounded(vec!["flavors".to_owned()]);
        Rank { table, k: 10, reverse: false, probabilities: false }
    }
}

impl Rank {
    pub(super) fn check(&self, clip: &Clip) -> Result<(), Problem> {
        check_count("k", self.k, 1)?;
        if self.table.0.is_empty() {
            return Err(Problem::unprocessable("table: expected the name of a table"));
        }
        Ok(self.ranking(clip).map(drop)?)
    }

    pub(super) fn rows(&self, clip: &Clip, images: &Images<'_>) -> Result<Vec<Row>> {
        let ranking = self.ranking(clip)?;
        let ranked = images.names.iter().zip(ranking.rank(images.features)?);
        let table = ranking.name.as_str();
        ranked
            .map(|(image, matches)| row_json(&rank::Row::<false> { image, table, matches }))
            .collect()
    }

    fn ranking<'c>(&self, clip: &'c Clip) -> Result<Ranking<'c>> {
        let find = |name: &String| TableRef::find(name, &[], &clip.index);
        let tables = self.table.0.iter().map(find).collect::<Result<Vec<_>>>()?;
        let probabilities = self.probabilities.then(|| Probabilities::of(clip.sigmoid));
        let k = NonZeroUsize::new(self.k).unwrap_or(NonZeroUsize::MIN);
        let (name, tables) = (self.table.0.join(","), Merged::new(tables)?);
        Ok(Ranking::over(name, tables, k, self.reverse, probabilities))
    }
}
