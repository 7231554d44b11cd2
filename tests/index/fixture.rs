//! The committed indexes, one of each format, which every version must open.
//!
//! `index-v1` has no codes, `index-v1-codes` has them, and in `index-v2` codes have a
//! spread; `cargo run -p build-index --example fixture` wrote each. They are not
//! written again when the code changes: current code must read the old files. A new
//! format gets its own folder beside them.

use std::path::{Path, PathBuf};

use build_index::Report;
use interrogate::index::{Index, Shard};

use crate::fake::Fake;
use crate::{build, dictionary, files};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

#[test]
fn indexes_of_every_format_open() {
    check_open("index-v1", false, false);
    check_open("index-v1-codes", true, false);
    check_open("index-v2", true, true);
}

fn check_open(name: &str, coded: bool, spread: bool) {
    let index = Index::open(&fixture(name)).unwrap();
    assert!(index.tables().iter().all(|table| table.is_coded() == coded));
    for path in files(&fixture(name)).into_keys().filter(|name| name.ends_with("safetensors")) {
        let path = fixture(name).join(path);
        let shard = Shard::open(&path, std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(shard.codes().is_some_and(|codes| codes.spread().is_some()), spread);
    }
    index.verify(|_| ()).unwrap();
    index.check_model("", "fake-1").unwrap();
    let tables: Vec<_> = index.tables().iter().map(|t| (t.name(), t.len(), t.top())).collect();
    assert_eq!(tables, [("flavors", 5, Some(3)), ("mediums", 2, None)]);
    let labels: Result<Vec<_>, _> = index.table("flavors").unwrap().labels().collect();
    assert_eq!(labels.unwrap(), ["8k", "cinematic lighting", "café", "caf\u{fffd}", "a, b"]);
    let rows = index.table("flavors").unwrap().rows();
    assert_eq!(rows.iter().map(|rows| rows.len() / 8).collect::<Vec<_>>(), [3, 2]);
    // Read from the file: the first row's first bits and the last row's last.
    assert_eq!((rows[0][0].to_bits(), rows[1][15].to_bits()), FIRST_AND_LAST);
}

#[test]
fn builder_writes_the_bytes_of_the_fixture() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(rebuild(folder.path()).encoded, 7);
}

/// A build adds what an older format lacks and encodes nothing.
#[test]
fn rebuild_upgrades_an_older_index() {
    for older in ["index-v1", "index-v1-codes"] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files(&fixture(older)) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let report = rebuild(folder.path());
        assert_eq!((report.encoded, report.reused), (0, 7), "{older}");
    }
}

/// Builds the fixture's dictionaries in `folder`, to the bytes of the fixture.
fn rebuild(folder: &Path) -> Report {
    let fake = Fake::new(8);
    let builder = build_index::Builder::new(&fake, "fake", "fake-1").shard_rows(3);
    let flavors = ["8k", "cinematic lighting", "café", "caf\u{fffd}", "a, b"];
    let dictionaries = [
        dictionary("flavors.top3.txt", &flavors),
        dictionary("mediums.txt", &["oil painting", "a photo"]),
    ];
    let report = build(&builder, &dictionaries, folder).unwrap();
    let mut built = files(folder);
    built.remove("build.lock");
    assert_eq!(built, files(&fixture("index-v2")));
    report
}

const FIRST_AND_LAST: (u16, u16) = (0xb637, 0x35c8);
