//! The best labels of each table.

use interrogate::Result;
use interrogate::index::TableRef;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::clip::Clip;
use super::super::problem::Problem;
use super::super::upload::Bounded;
use super::{Images, Row, check_count, row_json};
use crate::commands::analyze;

/// The options of `/v1/analyze`.
#[derive(Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Analyze {
    /// Number of labels per table, 1 to 1000. The default is 5.
    pub(in super::super) k: usize,
    /// Tables. The default is all of the index.
    pub(in super::super) tables: Bounded<String, 64>,
}

impl Default for Analyze {
    fn default() -> Self {
        Analyze { k: 5, tables: Bounded::default() }
    }
}

impl Analyze {
    pub(super) fn check(&self, clip: &Clip) -> Result<(), Problem> {
        check_count("k", self.k, 1)?;
        Ok(self.selected(clip).map(drop)?)
    }

    pub(super) fn rows(&self, clip: &Clip, images: &Images<'_>) -> Result<Vec<Row>> {
        let picks = analyze::picks(images.features, &self.selected(clip)?, self.k)?;
        let images = images.names.iter().zip(picks);
        images.map(|(name, picks)| row_json(&analyze::Row::new(name, &picks))).collect()
    }

    fn selected<'c>(&self, clip: &'c Clip) -> Result<Vec<TableRef<'c>>> {
        if self.tables.0.is_empty() {
            return Ok(TableRef::all(&[], &clip.index));
        }
        self.tables.0.iter().map(|name| TableRef::find(name, &[], &clip.index)).collect()
    }
}
