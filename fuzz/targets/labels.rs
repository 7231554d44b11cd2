//! A label table: the input itself, or two slices with valid lengths.

#![no_main]

use std::path::Path;

use interrogate::index::{Labels, pack_labels};
use interrogate_fuzz::halves;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("a-0123456789ab.labels");
    let (ends, text) = halves(bytes);
    // Ends of one byte each, so that the fuzzer finds valid ones.
    let ends: Vec<u8> = ends.iter().flat_map(|&end| u32::from(end).to_le_bytes()).collect();
    let length = |slice: &[u8]| (slice.len() as u64).to_le_bytes();
    let framed = [&length(&ends)[..], &ends, &length(text), text].concat();
    for file in [bytes, &framed] {
        let Ok(labels) = Labels::open(path, file) else { continue };
        assert!(labels.get(labels.len()).is_err());
        let read: Result<Vec<&str>, _> = labels.iter().collect();
        // Ascending ends over UTF-8 text are what the writer writes.
        if let Ok(read) = read {
            assert_eq!(pack_labels(path, read).expect("as before"), file);
        }
    }
});
