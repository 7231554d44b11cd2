//! The result of one image as JSON, as table columns and as text.

use std::collections::BTreeMap;

use interrogate::prompt::{Mode, Prompt};
use serde::Serialize;

use crate::commands::rank::found;
use crate::output::{Column, Kind, MatchJson, Record, text_line};

/// The tables with columns of their own; all others are in the column `tables`.
const OWN_COLUMNS: [&str; 3] = ["mediums", "movements", "flavors"];

/// A prompt as a JSON object.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    image: &'a str,
    prompt: &'a str,
    mode: &'static str,
    /// The cosine of the whole prompt and the image, in the modes that compute it.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// The candidate that mode `best` chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<&'static str>,
    caption: Option<&'a str>,
    medium: Option<MatchJson<'a>>,
    movement: Option<MatchJson<'a>>,
    flavors: Vec<MatchJson<'a>>,
    /// All other tables by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<&'a str, Vec<MatchJson<'a>>>,
}

impl<'a> Row<'a> {
    /// The row of `image`; `text` is the prompt as it is written.
    pub(crate) fn new(image: &'a str, text: &'a str, mode: Mode, prompt: &'a Prompt<'a>) -> Self {
        let others = prompt.picks.iter().filter(|pick| !OWN_COLUMNS.contains(&pick.table));
        let others = others
            .map(|pick| (pick.table, found(&pick.matches, pick.table == interrogate::LABELS)));
        Row {
            image,
            prompt: text,
            mode: mode.name(),
            score: prompt.score,
            chosen: prompt.chosen.map(candidate),
            caption: prompt.caption.as_deref(),
            medium: prompt.picked("mediums").first().map(MatchJson::from),
            movement: prompt.picked("movements").first().map(MatchJson::from),
            flavors: found(prompt.picked("flavors"), false),
            tables: others.collect(),
        }
    }
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "prompt", kind: Kind::Text, at: "prompt" },
        Column { name: "caption", kind: Kind::Text, at: "caption" },
        Column { name: "medium", kind: Kind::Text, at: "medium.label" },
        Column { name: "medium_score", kind: Kind::Number, at: "medium.score" },
        Column { name: "movement", kind: Kind::Text, at: "movement.label" },
        Column { name: "movement_score", kind: Kind::Number, at: "movement.score" },
        Column { name: "flavors", kind: Kind::Texts, at: "flavors.label" },
        Column { name: "flavor_scores", kind: Kind::Numbers, at: "flavors.score" },
        Column { name: "tables", kind: Kind::Json, at: "tables" },
        Column { name: "mode", kind: Kind::Text, at: "mode" },
        Column { name: "score", kind: Kind::Number, at: "score" },
    ];
    const KEYS: &'static [&'static str] = &["prompt", "flavors"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        text_line(self.image, self.prompt, alone)
    }

    fn sidecar(&self) -> String {
        self.prompt.to_owned()
    }
}

/// The name of a candidate of mode `best`.
fn candidate(mode: Mode) -> &'static str {
    match mode {
        Mode::Best => "chain",
        mode => mode.name(),
    }
}
