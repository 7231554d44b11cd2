//! OpenAI's text cleaning before CLIP's tokenizer: any text is cleaned and counted.

#![no_main]

use std::sync::OnceLock;

use interrogate::clip::{Checkpoint, TextCleaning};
use interrogate::encoder::Counter;
use interrogate_fuzz::{allow_tokenizer_panics, fixture};
use libfuzzer_sys::fuzz_target;

fn checkpoint() -> &'static Checkpoint {
    static CHECKPOINT: OnceLock<Checkpoint> = OnceLock::new();
    CHECKPOINT.get_or_init(|| {
        let checkpoint = Checkpoint::open(&fixture("clip/quick", &[])).expect("a checkpoint");
        checkpoint.cleaning(TextCleaning::OpenAi)
    })
}

fuzz_target!(init: allow_tokenizer_panics(), |bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let counter = checkpoint().counter().expect("a tokenizer");
    let Ok(count) = counter.count(&text) else { return };
    // Start and end are tokens, and no cleaned byte is more than one.
    assert!((2..=2 + 4 * text.len().max(1)).contains(&count));
});
