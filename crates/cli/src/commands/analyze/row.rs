//! The result of one image as JSON, as table columns and as text.

use std::collections::BTreeMap;

use interrogate::prompt::Pick;
use serde::Serialize;

use crate::commands::rank::found;
use crate::output::{Column, Kind, MatchJson, Record};

/// The best labels of each table as a JSON object.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    image: &'a str,
    tables: BTreeMap<&'a str, Vec<MatchJson<'a>>>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(image: &'a str, picks: &[Pick<'a>]) -> Self {
        let tables = picks.iter().map(|pick| (pick.table, found(&pick.matches, false)));
        Row { image, tables: tables.collect() }
    }
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[Column { name: "tables", kind: Kind::Json, at: "tables" }];
    const KEYS: &'static [&'static str] = &["tables"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, _alone: bool) -> String {
        let mut text = crate::escape::line(self.image);
        for (table, matches) in &self.tables {
            text += &format!("\n  {}", crate::escape::line(table));
            for found in matches {
                text += &format!("\n    {:7.4}  {}", found.score, crate::escape::line(found.label));
            }
        }
        text
    }

    fn sidecar(&self) -> String {
        self.text(true)
    }
}
