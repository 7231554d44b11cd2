//! Configurations of published captioners at full size (`tests/fixtures/caption/published`).

use super::fixture;
use crate::caption::{blip2, florence2, git};

#[test]
fn largest_blip2_configurations_are_within_limits() {
    for (name, vocab, dim) in
        [("blip2-opt-6.7b", 50_304, 4096), ("blip2-flan-t5-xxl", 32_128, 4096)]
    {
        let path = fixture("published").join(format!("{name}.json"));
        let config = blip2::Config::open(&path).unwrap();
        assert_eq!((config.text.vocab(), config.text.dim()), (vocab, dim), "{name}");
        assert_eq!((config.vision.num_hidden_layers, config.vision.hidden_size), (39, 1408));
    }
}

#[test]
fn git_large_is_within_limits() {
    let config = git::Config::open(&fixture("published").join("git-large-coco.json")).unwrap();
    assert_eq!((config.vision.positions(), config.vision.hidden_size), (257, 1024));
    let limits = config.limits();
    assert_eq!((limits.vocab, limits.positions, limits.eos), (30_522, 257 + 1024, vec![102]));
}

/// At 768 by 768 pixels, as their preprocessor_config.json has it.
#[test]
fn florence2_is_within_limits() {
    for (name, dim, width) in [("florence-2-base", 1024, 768), ("florence-2-large", 2048, 1024)] {
        let path = fixture("published").join(format!("{name}.json"));
        let config = florence2::Config::open(&path).unwrap();
        assert_eq!(
            (config.vision.dim(), config.text.d_model, config.text.vocab_size),
            (dim, width, 51_289)
        );
        assert_eq!(config.vision.sides(&path, 768).unwrap(), [192, 96, 48, 24], "{name}");
        let limits = config.text.limits();
        assert_eq!((limits.positions, limits.eos), (1024, vec![2]));
        assert_eq!((limits.forced.first, limits.forced.last), (Some(0), Some(2)));
    }
}
