//! The files of a tokenizer: tokenizer.json of CLIP and of MiniLM, vocab.json and
//! merges.txt. What opens counts the tokens of any text.

#![no_main]

use interrogate::clip::Checkpoint;
use interrogate::encoder::{Counter, TextEncoder};
use interrogate::sentence::MiniLm;
use interrogate_fuzz::{allow_tokenizer_panics, first, fixture, halves};
use libfuzzer_sys::fuzz_target;

const TEXTS: [&str; 4] = ["", "a cat, 8k", "Äå 日本 \u{fffd}\u{1f600}", "<|endoftext|> x  y"];

fuzz_target!(init: allow_tokenizer_panics(), |bytes: &[u8]| {
    let (choice, file) = first(bytes);
    let write = |path, bytes: &[u8]| std::fs::write(path, bytes).expect("a file");
    let folder = match choice % 3 {
        0 => {
            let folder = fixture("clip/gelu", &["tokenizer.json"]);
            write(folder.join("tokenizer.json"), file);
            folder
        }
        1 => {
            let folder = fixture("clip/quick", &["vocab.json", "merges.txt"]);
            let (vocab, merges) = halves(file);
            write(folder.join("vocab.json"), vocab);
            write(folder.join("merges.txt"), merges);
            folder
        }
        _ => {
            let folder = fixture("sentence", &["tokenizer.json"]);
            write(folder.join("tokenizer.json"), file);
            if let Ok(model) = MiniLm::open(&folder) {
                let _ = model.tokenize(&TEXTS);
            }
            return;
        }
    };
    let Ok(checkpoint) = Checkpoint::open(&folder) else { return };
    let Ok(counter) = checkpoint.counter() else { return };
    for text in TEXTS {
        let _ = counter.count(text);
    }
});
