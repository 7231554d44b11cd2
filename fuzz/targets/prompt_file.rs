//! A file of prompts: each format, detected or named, gives prompts or an error.

#![no_main]

use std::path::Path;

use interrogate::input::Text;
use interrogate::limits;
use interrogate_fuzz::first;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the fuzzer uses its reader alone")]
#[path = "../../crates/cli/src/prompt_file/mod.rs"]
mod prompt_file;
#[allow(dead_code, reason = "the fuzzer uses its reader alone")]
#[path = "../../crates/cli/src/records/mod.rs"]
mod records;

use prompt_file::Format;

fuzz_target!(|bytes: &[u8]| {
    let (choice, text) = first(bytes);
    let format = match choice % 6 {
        0 => Some(Format::Lines),
        1 => Some(Format::Jsonl),
        2 => Some(Format::Csv(b',')),
        3 => Some(Format::Csv(b'\t')),
        _ => None,
    };
    let Ok(text) = Text::new(Path::new("prompts"), text, limits::LIST) else { return };
    match prompt_file::read(text, format) {
        Ok(found) => {
            assert!(found.records.iter().all(|record| record.prompt.len() <= limits::LINE));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
