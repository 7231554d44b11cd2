//! A checkpoint in other files: shards of PyTorch archives, and the processor_config.json of
//! transformers 5 (`tests/fixtures/bins.py`).

use std::fs;

use super::refusals::{copy, refused};
use super::*;

/// The `blip` fixture with its weights and preprocessing replaced by tests/fixtures/bins/blip.
fn archived() -> tempfile::TempDir {
    let folder = copy("blip");
    for name in ["model.safetensors", "preprocessor_config.json"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    for entry in fs::read_dir(fixture("../bins/blip")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn pickle_shards_give_the_same_captions() {
    let golden = Golden::of("blip");
    let search = &golden.expected.searches["beam3"];
    for precision in [Precision::F32, Precision::F16] {
        let model = open(archived().path(), precision).unwrap();
        let options = golden.options(&search.options);
        let captions = model.caption_pixels(&golden.values("pixels"), &options, &mut |_| {});
        let tokens = captions.unwrap().into_iter().map(|caption| caption.tokens);
        assert!(tokens.eq(search.ids.iter().cloned()));
    }
}

#[test]
fn processor_config_alone_defines_preprocessing() {
    let own = open(&fixture("blip"), Precision::F32).unwrap();
    let found = open(archived().path(), Precision::F32).unwrap();
    assert_eq!(found.preprocess(), own.preprocess());
}

#[test]
fn missing_or_damaged_pickle_shard_is_reported() {
    let folder = archived();
    let shard = folder.path().join("pytorch_model-00002-of-00002.bin");
    let whole = fs::read(&shard).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&shard, changed).unwrap();
    assert!(refused(&folder).0.contains("crc-32"), "{}", refused(&folder).0);
    fs::remove_file(&shard).unwrap();
    let (message, _) = refused(&folder);
    assert_eq!(
        message,
        "pytorch_model-00002-of-00002.bin: no such file, though pytorch_model.bin.index.json names it"
    );
}

#[test]
fn git_lfs_pointer_is_reported() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    for name in ["model.safetensors", "tokenizer.json", "config.json", "preprocessor_config.json"] {
        let folder = copy("blip");
        fs::write(folder.path().join(name), pointer).unwrap();
        let (message, hint) = refused(&folder);
        assert_eq!(message, format!("{name}: a Git LFS pointer, not the file itself"));
        assert!(hint.contains("git lfs pull"), "{hint}");
    }
}
