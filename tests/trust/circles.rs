//! No module at the top of the library needs another that needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::repository;
use crate::sources::{code, is_test, rust};

/// The name of the module at the top that `path` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(repository().join("crates/interrogate/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The names behind `crate::` in `text`: of a path, or of a group in braces.
fn named(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let group = |rest: &str| -> Vec<String> {
        match rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) {
            Some(group) => group.split(',').map(|name| word(name.trim())).collect(),
            None => vec![word(rest)],
        }
    };
    text.split("crate::").skip(1).flat_map(group).collect()
}

#[test]
fn top_level_modules_form_no_circle() {
    // What lib.rs lifts to the root, and the modules that it comes from.
    let lifted = BTreeMap::from([
        ("Compute", "nn"),
        ("Device", "device"),
        ("Error", "error"),
        ("Interrogation", "interrogation"),
        ("Interrogator", "interrogator"),
        ("Precision", "nn"),
        ("Result", "error"),
    ]);
    let files = rust("crates/interrogate/src");
    let files: Vec<_> = files.iter().filter(|path| !is_test(path)).collect();
    let modules: BTreeSet<String> = files.iter().map(|path| module(path)).collect();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files.iter().filter(|path| module(path) != "lib") {
        let own = module(path);
        let mut lines = code(path).into_iter();
        let mut text = String::new();
        while let Some(line) = lines.next() {
            // What only docs or tests use is no need.
            match line.trim() {
                "#[cfg(test)]" | "#[cfg(doc)]" => drop(lines.next()),
                line => text += &format!("{line}\n"),
            }
        }
        let found = named(&text).into_iter();
        let found = found.map(|name| lifted.get(&*name).map_or(name, |&module| module.to_owned()));
        let found = found.filter(|name| modules.contains(name) && *name != own);
        needs.entry(own.clone()).or_default().extend(found);
    }
    assert!(needs["clip"].contains("nn") && needs["nn"].contains("weights"));
    // Modules that need nothing that is left are taken away, until none is.
    while let Some(free) = needs.iter().find(|(_, needs)| needs.is_empty()) {
        let free = free.0.clone();
        needs.remove(&free);
        for needs in needs.values_mut() {
            needs.remove(&free);
        }
    }
    assert!(needs.is_empty(), "a circle among these: {needs:#?}");
}

#[test]
fn lib_rs_lifts_what_the_test_above_knows() {
    let lib = fs::read_to_string(repository().join("crates/interrogate/src/lib.rs")).unwrap();
    let lifted: Vec<&str> = lib.lines().filter(|line| line.starts_with("pub use ")).collect();
    assert_eq!(
        lifted,
        [
            "pub use device::Device;",
            "pub use error::{Error, Result};",
            "pub use interrogation::{Interrogation, LABELS};",
            "pub use interrogator::Interrogator;",
            "pub use nn::{Compute, Precision};",
        ]
    );
}
