//! A cache of clip-interrogator and a dictionary: what opens has unit rows.

#![no_main]

use build_index::{Cache, Dictionary};
use interrogate_fuzz::{file, first, framed, halves};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, rest) = first(bytes);
    let (labels, cache) = match choice % 2 {
        0 => halves(rest),
        _ => (&b"a\nb"[..], rest),
    };
    let name = if choice & 2 == 0 { "flavors.txt" } else { "sites.txt" };
    let Ok(dictionary) = Dictionary::open(&file(name, labels)) else { return };
    for bytes in [cache.to_vec(), framed(cache)] {
        if let Ok(cache) = Cache::open(&file("m_flavors.safetensors", &bytes), &dictionary) {
            assert!(cache.dim() > 0 && cache.differing() < labels.len());
        }
    }
});
