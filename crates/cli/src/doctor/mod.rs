//! What this machine has to work with: models, indexes, dictionaries, its
//! processor and memory; what is missing, and where it would be looked for.
//!
//! Looks at headers and configurations alone: no weight is read, nothing is
//! fetched and nothing written.

mod data;
mod machine;
mod models;

use std::path::Path;

use serde::Serialize;

/// One thing that was looked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// models, captioners, sentence encoders, indexes, dictionaries or machine.
    pub(crate) kind: &'static str,
    /// What it is called: what an option takes.
    pub(crate) name: String,
    pub(crate) state: State,
    /// What is known of it, or what is wrong with it.
    pub(crate) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// Whether a thing can be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Ready,
    Missing,
    Broken,
}

impl Finding {
    fn ready(kind: &'static str, name: impl Into<String>, detail: impl Into<String>) -> Self {
        let (name, detail) = (name.into(), detail.into());
        Finding { kind, name, state: State::Ready, detail, hint: None }
    }

    fn missing(
        kind: &'static str,
        name: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint = Some(hint.into());
        Finding { state: State::Missing, hint, ..Finding::ready(kind, name, detail) }
    }

    fn broken(
        kind: &'static str,
        name: impl Into<String>,
        error: &dyn std::error::Error,
        hint: Option<String>,
    ) -> Self {
        let detail = crate::logger::with_causes(error);
        Finding { state: State::Broken, hint, ..Finding::ready(kind, name, detail) }
    }
}

/// All that was looked for, by kind; dictionaries in the folder `dicts`.
pub(crate) fn check(dicts: &Path) -> Vec<Finding> {
    [models::check(), data::indexes(), data::dictionaries(dicts), machine::check()].concat()
}
