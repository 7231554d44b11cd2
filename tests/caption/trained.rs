//! Captions by trained weights, if there are any.
//!
//! `INTERROGATE_CAPTION_TRAINED=FOLDER cargo test --test trained` captions the
//! photos of tests/fixtures with the BLIP or BLIP-2 in that folder and checks that
//! each caption names its subject; `INTERROGATE_CAPTION_PRECISION` is f32, f16, bf16
//! or q8. Without a harness, so that a run without weights prints that it is skipped.

#![allow(clippy::print_stdout, reason = "it prints whether it was skipped")]

use std::path::Path;

use interrogate::Precision;
use interrogate::caption::{GenerationConfig, open};
use interrogate::picture::Picture;

/// Photos, and words of which a correct caption has at least one.
const PHOTOS: [(&str, &[&str]); 4] = [
    ("astronaut.jpg", &["astronaut", "woman", "space", "suit", "person"]),
    ("cat.jpg", &["cat", "kitten"]),
    ("coffee.jpg", &["coffee", "cup", "espresso", "tea"]),
    ("rocket.jpg", &["rocket", "launch", "missile", "tower", "space"]),
];

fn main() {
    let setting = |name: &str| std::env::var(format!("INTERROGATE_CAPTION_{name}")).ok();
    let Some(folder) = setting("TRAINED") else {
        println!("trained captions: skipped, INTERROGATE_CAPTION_TRAINED names no folder");
        return;
    };
    let precision = match setting("PRECISION").as_deref() {
        Some("f16") => Precision::F16,
        Some("bf16") => Precision::Bf16,
        Some("q8") => Precision::Q8,
        _ => Precision::F32,
    };
    let model = open(Path::new(&folder), precision).unwrap_or_else(|error| panic!("{error}"));
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos");
    let open = |name| Picture::open(&photos.join(name)).unwrap_or_else(|error| panic!("{error}"));
    let pictures = PHOTOS.map(|(name, _)| open(name));
    for num_beams in [1, 3] {
        let options = GenerationConfig { num_beams, ..GenerationConfig::default() };
        let captions = model.caption(&pictures, &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(captions.len(), PHOTOS.len());
        for (caption, (name, words)) in captions.iter().zip(PHOTOS) {
            println!("{name}, {num_beams} beams: {}", caption.text);
            let text = caption.text.to_lowercase();
            assert!(words.iter().any(|word| text.contains(word)), "{name}: none of {words:?}");
            assert!(caption.tokens.len() <= 20 && !caption.text.ends_with('\n'));
        }
    }
}
