//! The configuration of the seven tasks, alone and extended.

#![no_main]

use interrogate::pipeline::{Config, Overrides};
use interrogate_fuzz::{file, halves};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (one, two) = halves(bytes);
    let (one, two) = (file("one.json", one), file("two.json", two));
    for overrides in
        [Overrides::default(), Overrides { models: Some("m".as_ref()), extend: Some(&two) }]
    {
        if let Ok(config) = Config::open(&one, overrides) {
            assert!(config.chunk_size > 0);
        }
    }
});
