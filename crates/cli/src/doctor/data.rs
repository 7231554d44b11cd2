//! Checks indexes and dictionaries.

use std::path::Path;

use build_index::terminal::{build_hint, library_hint};
use build_index::{Dictionary, open_all};
use interrogate::index::Index;

use super::Finding;
use crate::opening::{INDEXES, folders};

/// Opens the indexes under `indexes/`.
pub(super) fn indexes() -> Vec<Finding> {
    let kind = "indexes";
    let found: Vec<Finding> = folders(Path::new(INDEXES))
        .into_iter()
        .map(|folder| {
            let name = folder.to_string_lossy();
            match Index::open(&folder) {
                Ok(index) => Finding::ready(kind, name, described(&index)),
                Err(error) => Finding::broken(kind, name, &error, library_hint(&error)),
            }
        })
        .collect();
    if found.is_empty() {
        let hint = "the first run builds one, or build it: build-index dicts -o indexes";
        vec![Finding::missing(kind, INDEXES, "no index in this folder", hint)]
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

/// Reads the dictionaries in `folder`.
pub(super) fn dictionaries(folder: &Path) -> Vec<Finding> {
    let kind = "dictionaries";
    match open_all(&[folder.to_owned()]) {
        Ok(all) => all.iter().map(|one| Finding::ready(kind, one.table(), counted(one))).collect(),
        Err(error) => {
            if folder.exists() {
                vec![Finding::broken(kind, folder.to_string_lossy(), &error, build_hint(&error))]
            } else {
                let hint = "run from a clone's folder, or name one with --dicts";
                vec![Finding::missing(kind, folder.to_string_lossy(), "no such folder", hint)]
            }
        }
    }
}

fn counted(dictionary: &Dictionary) -> String {
    let left_out = match dictionary.findings().len() {
        0 => String::new(),
        findings => format!(", {findings} lines with warnings"),
    };
    format!("{} labels in {}{left_out}", dictionary.labels().len(), dictionary.path().display())
}
