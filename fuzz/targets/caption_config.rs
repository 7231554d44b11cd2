//! The configuration of BLIP and BLIP-2 with small weights: what opens generates a caption.

#![no_main]

use interrogate::Precision;
use interrogate::caption::{GenerationConfig, open};
use interrogate::picture::Picture;
use interrogate_fuzz::{allow_tokenizer_panics, first, fixture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: allow_tokenizer_panics(), |bytes: &[u8]| {
    let (choice, json) = first(bytes);
    let names = ["config.json", "preprocessor_config.json", "tokenizer.json"];
    let ours = names[usize::from(choice / 3) % 3];
    let kind = ["caption/blip", "caption/blip2-opt", "caption/blip2-t5"][usize::from(choice) % 3];
    let folder = fixture(kind, &names);
    let from = format!("{}/../tests/fixtures/{kind}", env!("CARGO_MANIFEST_DIR"));
    for name in names {
        if name == ours {
            std::fs::write(folder.join(name), json).expect("a file");
        } else {
            std::fs::copy(format!("{from}/{name}"), folder.join(name)).expect("the fixture's");
        }
    }
    let Ok(captioner) = open(&folder, Precision::F32) else { return };
    let picture = Picture::from_rgb(3, 2, (0..18).collect()).expect("eighteen values");
    for (prompt, num_beams) in [("", 1), ("a photo", 2)] {
        let options = GenerationConfig {
            max_new_tokens: 3,
            min_new_tokens: 0,
            prompt: prompt.to_owned(),
            num_beams,
            ..GenerationConfig::default()
        };
        let _ = captioner.caption(std::slice::from_ref(&picture), &options);
    }
});
