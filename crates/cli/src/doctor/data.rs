//! Checks indexes and dictionaries.

use std::path::PathBuf;

use build_index::Dictionary;
use build_index::terminal::{Dictionaries, build_hint, library_hint};
use interrogate::index::Index;

use super::Finding;
use crate::indexes::{INDEXES, roots, subfolders};

/// Opens the indexes in all folders of indexes.
pub(super) fn indexes() -> Vec<Finding> {
    let kind = "indexes";
    let found: Vec<Finding> = roots()
        .iter()
        .flat_map(|root| subfolders(root))
        .map(|folder| {
            let name = folder.to_string_lossy();
            match Index::open(&folder) {
                Ok(index) => Finding::ready(kind, name, described(&index)),
                Err(error) => Finding::broken(kind, name, &error, library_hint(&error)),
            }
        })
        .collect();
    if found.is_empty() {
        let roots: Vec<_> = roots().iter().map(|root| root.display().to_string()).collect();
        let hint = "the first run builds one, as does: interrogate setup MODEL";
        let detail = format!("no index in {}", roots.join(" or "));
        vec![Finding::missing(kind, INDEXES, detail, hint)]
    } else {
        found
    }
}

fn described(index: &Index) -> String {
    let labels: usize = index.tables().iter().map(|table| table.len()).sum();
    let tables = index.tables().len();
    let coded = if index.tables().iter().all(|table| table.is_coded()) {
        "coded"
    } else {
        "without codes (build-index over it adds them)"
    };
    let model = &index.manifest().model().id;
    format!("of the model {model}, {labels} labels in {tables} tables, {coded}")
}

/// Reads the dictionaries in `given`; if it is empty, the default ones of a build.
pub(super) fn dictionaries(given: &[PathBuf]) -> Vec<Finding> {
    let kind = "dictionaries";
    let source = Dictionaries::find(given);
    let missing = |path: &&PathBuf| !path.exists();
    match (source.open(), source.paths().iter().find(missing)) {
        (Ok(all), _) => {
            all.iter().map(|one| Finding::ready(kind, one.table(), counted(one))).collect()
        }
        (Err(_), Some(path)) => {
            let hint = "check the spelling, or leave --dicts out to use the embedded ones";
            vec![Finding::missing(kind, path.to_string_lossy(), "no such folder", hint)]
        }
        (Err(error), None) => {
            vec![Finding::broken(kind, source.to_string(), &error, build_hint(&error))]
        }
    }
}

fn counted(dictionary: &Dictionary) -> String {
    let left_out = match dictionary.findings().len() {
        0 => String::new(),
        findings => format!(", {findings} lines with warnings"),
    };
    let place = if dictionary.is_embedded() {
        ", compiled in".to_owned()
    } else {
        format!(" in {}", dictionary.path().display())
    };
    format!("{} labels{place}{left_out}", dictionary.labels().len())
}
