//! The journal of an interrupted build, of arbitrary bytes or of records with valid
//! checksums: the build returns, and its index is intact.

#![no_main]

#[path = "../../tests/index/fake.rs"]
#[allow(dead_code)]
mod fake;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use build_index::{Builder, Dictionary};
use interrogate::index::{Digest, Index};
use interrogate_fuzz::{first, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, rest) = first(bytes);
    let folder = scratch().join("build");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    let record = |payload: &[u8]| {
        let length = (payload.len() as u64).to_le_bytes();
        [&length[..], payload, Digest::of(payload).as_bytes()].concat()
    };
    let journal = match choice % 2 {
        0 => rest.to_vec(),
        _ => [record(b"label-index journal 1\nf1\n4\n"), record(rest)].concat(),
    };
    fs::write(folder.join("build.journal"), journal).expect("a file");
    let dictionary = Dictionary::parse(Path::new("a.txt"), b"8k\na cat\nb").expect("labels");
    let encoder = fake::Fake::new(4);
    let builder = Builder::new(&encoder, "fake", "f1").block(2).shard_rows(2);
    match builder.build(&[dictionary], &folder, |_| ControlFlow::Continue(())) {
        Ok(_) => drop(Index::open(&folder).expect("what was built opens").verify(|_| ())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
