//! Checks the configuration, and says where indexes and models are kept.

use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::{folders, indexes};

/// Returns the configuration, the folders of indexes and the cache.
pub(super) fn check() -> Vec<Finding> {
    let mut found = vec![configuration()];
    for (name, root) in ["working folder", "user's folder"].into_iter().zip(indexes::roots()) {
        found.push(Finding::ready("folders of indexes", name, described(&root)));
    }
    found.push(Finding::ready("cache of models", "Hugging Face", described(&folders::models())));
    found
}

fn configuration() -> Finding {
    let (kind, name) = ("configuration", "defaults");
    let path = match Config::path() {
        Ok(path) => path,
        Err(error) => return Finding::broken(kind, name, &error, error.hint()),
    };
    match Config::open() {
        Ok(_) if !path.exists() => {
            let hint = "none is needed; interrogate setup MODEL makes MODEL the default";
            Finding::missing(kind, name, format!("no file {}", path.display()), hint)
        }
        Ok(config) => {
            let values = config.values();
            let set = values.iter().filter_map(|(key, value)| Some(format!("{key} {}", (*value)?)));
            let set: Vec<String> = set.collect();
            let set = if set.is_empty() { "none".to_owned() } else { set.join(", ") };
            Finding::ready(kind, name, format!("{set}, in {}", path.display()))
        }
        Err(error) => Finding::broken(kind, name, &error, error.hint()),
    }
}

fn described(folder: &Path) -> String {
    let missing = if folder.is_dir() { "" } else { " (does not exist yet)" };
    format!("{}{missing}", folder.display())
}
