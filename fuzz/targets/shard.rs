//! A shard: the input itself, and with a valid header length. What opens has the rows and
//! the codes of its header.

#![no_main]

use std::path::Path;

use interrogate::index::Shard;
use interrogate_fuzz::{Aligned, framed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for file in [bytes.to_vec(), framed(bytes)] {
        let path = Path::new("a-00000-of-00001-0123456789ab.safetensors");
        let Ok(shard) = Shard::open(path, Aligned::new(&file)) else { continue };
        assert_eq!(shard.rows().len(), shard.len() * shard.dim());
        assert!(shard.rows().len() * 2 <= file.len());
        if let Some(codes) = shard.codes() {
            assert_eq!((codes.len(), codes.dim()), (shard.len(), shard.dim()));
        }
    }
});
