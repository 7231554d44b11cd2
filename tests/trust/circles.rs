//! The top-level modules of the library have no circular dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::repository;
use crate::sources::{code, is_test, rust};

/// The top-level module that `path` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(repository().join("crates/interrogate/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The names after `crate::` in `text`, in paths and in groups in braces.
fn imports(text: &str) -> BTreeSet<String> {
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
fn top_level_modules_have_no_circular_dependency() {
    // The re-exports of lib.rs, and their modules.
    let reexports = BTreeMap::from([
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
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files.iter().filter(|path| module(path) != "lib") {
        let own = module(path);
        let mut lines = code(path).into_iter();
        let mut text = String::new();
        while let Some(line) = lines.next() {
            // Imports of docs and tests alone do not count.
            match line.trim() {
                "#[cfg(test)]" | "#[cfg(doc)]" => drop(lines.next()),
                line => text += &format!("{line}\n"),
            }
        }
        let found = imports(&text).into_iter();
        let found =
            found.map(|name| reexports.get(&*name).map_or(name, |&module| module.to_owned()));
        let found = found.filter(|name| modules.contains(name) && *name != own);
        dependencies.entry(own.clone()).or_default().extend(found);
    }
    assert!(dependencies["clip"].contains("nn") && dependencies["nn"].contains("weights"));
    // Remove modules without a remaining dependency until there is none.
    while let Some(leaf) = dependencies.iter().find(|(_, dependencies)| dependencies.is_empty()) {
        let leaf = leaf.0.clone();
        dependencies.remove(&leaf);
        for dependencies in dependencies.values_mut() {
            dependencies.remove(&leaf);
        }
    }
    assert!(dependencies.is_empty(), "circular dependencies among these: {dependencies:#?}");
}

#[test]
fn reexports_of_lib_rs_are_known_to_the_test_above() {
    let lib = fs::read_to_string(repository().join("crates/interrogate/src/lib.rs")).unwrap();
    let reexports: Vec<&str> = lib.lines().filter(|line| line.starts_with("pub use ")).collect();
    assert_eq!(
        reexports,
        [
            "pub use device::Device;",
            "pub use error::{Error, Result};",
            "pub use interrogation::{Interrogation, LABELS};",
            "pub use interrogator::Interrogator;",
            "pub use nn::{Compute, Precision};",
        ]
    );
}
