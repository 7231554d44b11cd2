//! config.json and preprocessor_config.json of a CLIP checkpoint with small weights: what
//! opens embeds a text and an image.

#![no_main]

use interrogate::clip::{Checkpoint, Config, preprocess};
use interrogate::encoder::{ImageEncoder, TextEncoder};
use interrogate::picture::Picture;
use interrogate_fuzz::{first, fixture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (choice, json) = first(bytes);
    let folder = fixture("clip/gelu", &["config.json", "preprocessor_config.json"]);
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/clip/gelu/");
    let picture = Picture::from_rgb(3, 2, (0..18).collect()).expect("eighteen values");
    let (ours, other) = match choice % 2 {
        0 => ("config.json", "preprocessor_config.json"),
        _ => ("preprocessor_config.json", "config.json"),
    };
    std::fs::write(folder.join(ours), json).expect("a file");
    std::fs::copy(format!("{from}{other}"), folder.join(other)).expect("the fixture's");
    if ours == "config.json" {
        let _ = Config::open(&folder.join(ours));
    } else if let Ok(steps) = preprocess::open(&folder.join(ours)) {
        // Sides may be up to 4,096; only small crops are computed here.
        if u64::from(steps.crop.0) * u64::from(steps.crop.1) < 1 << 16 {
            let _ = steps.pixels(&picture);
        }
    }
    let Ok(checkpoint) = Checkpoint::open(&folder) else { return };
    if let Ok(text) = checkpoint.text_encoder() {
        let _ = text.encode(&["a cat", ""]);
    }
    if let Ok(image) = checkpoint.image_encoder() {
        let _ = image.encode(&[picture]);
    }
});
