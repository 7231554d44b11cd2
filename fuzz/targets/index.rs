//! An index of an arbitrary label table and shard, with a manifest of matching names, sizes
//! and checksums: opened, ranked, verified.

#![no_main]

use std::fs;
use std::path::Path;

use interrogate::encoder::Features;
use interrogate::index::{Digest, FileEntry, Index, Manifest, ModelEntry, ShardEntry, TableEntry};
use interrogate_fuzz::{Numbers, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers(bytes);
    let (rows, dim) = (usize::from(numbers.byte()), usize::from(numbers.byte()));
    let split = usize::from(numbers.u16()).min(numbers.0.len());
    let (labels, shard) = numbers.0.split_at(split);
    let folder = scratch().join("index");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    let file = |bytes: &[u8]| FileEntry { bytes: bytes.len() as u64, sha256: Digest::of(bytes) };
    let table = TableEntry {
        name: "a".to_owned(),
        labels: rows,
        top: None,
        dictionary: Digest::of(b""),
        label_file: file(labels),
        shards: vec![ShardEntry { rows, bytes: shard.len() as u64, sha256: Digest::of(shard) }],
    };
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    write(&table.labels_name(), labels);
    write(&table.shard_names().next().expect("one"), shard);
    let model = ModelEntry { id: "m".into(), fingerprint: "f".into(), precision: None };
    let manifest = Manifest::new(model, dim, vec![table]).to_json().expect("text");
    write("manifest.json", &manifest);
    let Ok(index) = Index::open(Path::new(&folder)) else { return };
    let _ = index.verify(|_| ());
    let table = &index.tables()[0];
    assert_eq!(table.len(), rows);
    let _ = table.labels().count();
    let features = Features::new(vec![1.0; dim]).expect("a unit row");
    for k in [1, rows] {
        if let Ok(found) = table.rank(&features, k) {
            assert!(found.len() <= k);
        }
    }
});
