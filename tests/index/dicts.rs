//! The dictionaries that ship with the project.

use std::path::{Path, PathBuf};

use build_index::{Dictionary, FindingKind, open_all};
use interrogate::index::Digest;

fn dicts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts")
}

fn all() -> Vec<Dictionary> {
    open_all(&[dicts()]).unwrap()
}

#[test]
fn each_table_has_its_expected_labels() {
    let tables: Vec<_> = all().iter().map(|d| (d.table().to_owned(), d.labels().len())).collect();
    let expected = [
        ("artists", 10_530),
        ("flavors", 100_954),
        ("mediums", 95),
        ("movements", 200),
        ("negative", 41),
        ("trendings", 72),
    ];
    assert_eq!(tables, expected.map(|(name, labels)| (name.to_owned(), labels)));
}

#[test]
fn findings_in_flavors_are_listed_by_line() {
    for dictionary in all() {
        if dictionary.table() != "flavors" {
            assert_eq!(dictionary.findings(), [], "{}", dictionary.table());
            continue;
        }
        let lines = |matching: fn(&FindingKind) -> bool| -> Vec<usize> {
            let findings = dictionary.findings().iter().filter(|f| matching(&f.kind));
            findings.map(|finding| finding.line).collect()
        };
        assert_eq!(lines(|kind| *kind == FindingKind::Blank), [51_897]);
        assert_eq!(lines(|kind| matches!(kind, FindingKind::Replacement { .. })), [36_549, 56_838]);
        let duplicates = lines(|kind| matches!(kind, FindingKind::Duplicate { .. }));
        assert_eq!(duplicates.len(), 15);
        assert_eq!((duplicates[0], duplicates[14]), (14_212, 77_541));
        assert_eq!(lines(|kind| matches!(kind, FindingKind::Control { .. })), [42_925]); // "\u{8}moebius"
        assert_eq!(dictionary.findings().len(), 19);
        let first = dictionary.findings()[0].to_string();
        assert_eq!(first, "line 14212: \"high resolution\" is already on line 46, left out");
    }
}

/// clip-interrogator identifies a dictionary by the SHA-256 of its labels joined by commas;
/// these are the hashes of 0.6.0 (trendings with "dribbble", as later releases spell it).
#[test]
fn tables_equal_clip_interrogators() {
    let digest = |table: &str| {
        let all = all();
        let dictionary = all.iter().find(|dictionary| dictionary.table() == table).unwrap();
        let labels: Vec<&str> = dictionary.labels().iter().collect();
        Digest::of(labels.join(",").as_bytes()).to_string()
    };
    for (table, start) in [
        ("artists", "d27dcd8c"),
        ("mediums", "7fff3ab0"),
        ("movements", "c1a02df8"),
        ("negative", "7a92a1eb"),
        ("trendings", "3aad0205"),
    ] {
        assert!(digest(table).starts_with(start), "{table}: {}", digest(table));
    }
}

#[test]
fn dictionary_files_have_their_checksums() {
    let provenance = std::fs::read_to_string(dicts().join("PROVENANCE.md")).unwrap();
    for dictionary in all() {
        let digest = Digest::of(&std::fs::read(dictionary.path()).unwrap()).to_string();
        let name = dictionary.path().file_name().unwrap().to_str().unwrap();
        let line = provenance.lines().find(|line| line.contains(&digest));
        assert!(line.is_some_and(|line| line.contains(name)), "{name} is {digest}");
    }
}
