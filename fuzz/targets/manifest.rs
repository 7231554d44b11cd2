//! manifest.json, as it is and with a valid seal: what parses is valid, and round-trips to
//! the same bytes.

#![no_main]

use std::path::Path;

use interrogate::index::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let path = Path::new("manifest.json");
    let _ = Manifest::parse(path, json);
    let Ok(unsealed) = serde_json::from_slice::<Manifest>(json) else { return };
    let sealed = unsealed.to_json().expect("text keys alone");
    let Ok(manifest) = Manifest::parse(path, &sealed) else { return };
    assert_eq!(manifest.to_json().expect("as before"), sealed);
    for table in manifest.tables() {
        let names = table.shard_names().chain([table.labels_name()]);
        assert!(names.take(1000).all(|name| !name.contains(['/', '\\', '\0'])));
        table.bytes();
    }
});
