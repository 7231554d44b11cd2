//! A dictionary: labels are trimmed, unique and not empty.

#![no_main]

use std::collections::HashSet;
use std::path::Path;

use build_index::Dictionary;
use interrogate_fuzz::first;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, text) = first(bytes);
    let name = ["a.txt", "artists.txt", "sites.txt", "a.top3.txt"][usize::from(choice) % 4];
    let Ok(dictionary) = Dictionary::parse(Path::new(name), text) else { return };
    let labels = dictionary.labels();
    let mut seen = HashSet::new();
    for label in labels.iter() {
        assert!(!label.is_empty() && label.trim() == label && seen.insert(label));
        assert!(!label.contains(['\n', '\r']));
    }
    assert_eq!(labels.iter().len(), labels.len());
    assert!(dictionary.findings().iter().all(|finding| !finding.to_string().is_empty()));
});
