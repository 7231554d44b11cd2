//! Checks models, indexes, dictionaries, the configuration, devices and memory, and says what is missing
//! and where it is expected.
//!
//! Reads headers and configurations only: no weights, no downloads, no writes.

mod data;
mod machine;
mod models;
mod places;

use std::path::{Path, PathBuf};

use interrogate::Result;
use serde::Serialize;

/// The state of one thing that the program can use.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// models, captioners, sentence encoders, indexes, dictionaries, configuration, folders of
    /// indexes, cache of models or machine.
    pub(crate) kind: &'static str,
    /// The name, as an option takes it.
    pub(crate) name: String,
    pub(crate) state: State,
    /// A description, or what is wrong.
    pub(crate) detail: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// Whether a thing can be used.
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

/// Checks that `folder` holds a captioner, without reading weights.
pub(crate) fn check_captioner(folder: &Path) -> Result<()> {
    models::check_captioner(folder)
}

/// Returns all findings, grouped by kind. `dicts` are the dictionaries that an option names.
pub(crate) fn check(dicts: &[PathBuf]) -> Vec<Finding> {
    let (models, indexes) = (models::check(), data::indexes());
    [models, indexes, data::dictionaries(dicts), places::check(), machine::check()].concat()
}
