//! What a user sees of a damaged, foreign or cut-up weight file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use super::*;

/// A safetensors file of zeros, from `(name, type, shape)`.
fn bytes(tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let zeros = [0; 1024];
    let views = tensors.iter().map(|(name, dtype, shape)| {
        let length = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, shape.to_vec(), &zeros[..length]).unwrap())
    });
    safetensors::serialize(views.collect::<BTreeMap<_, _>>(), None).unwrap()
}

const TWO: &[(&str, Dtype, &[usize])] =
    &[("a.weight", Dtype::F16, &[2, 3]), ("b", Dtype::F32, &[])];

fn saved(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn two() -> Weights {
    let (_folder, path) = saved(&bytes(TWO));
    Weights::open(&path).unwrap()
}

/// The message without the temporary folder.
fn message<T>(result: Result<T>) -> String {
    let text = result.err().expect("an error").to_string();
    match text.rsplit_once('/') {
        Some((_, tail)) => tail.to_owned(),
        None => text,
    }
}

#[test]
fn a_weight_comes_as_f32_in_its_shape() {
    let weights = two();
    assert_eq!(weights.values("a.weight", &[2, 3]).unwrap().len(), 6);
    assert_eq!(weights.shape("b"), Some(&[][..]));
    weights.finish(|name| name == "b").unwrap();
}

#[test]
fn a_missing_weight_is_named() {
    let said = message(two().values("c", &[2]));
    assert_eq!(said, "model.safetensors: no weight named c");
    assert_eq!(message(two().check(&[("c".into(), vec![])], |_| true)), said);
}

#[test]
fn a_weight_of_another_shape_is_named() {
    let said = message(two().values("a.weight", &[3, 2]));
    assert_eq!(said, "model.safetensors: a.weight: expected shape [3, 2], found [2, 3]");
    assert_eq!(message(two().check(&[("a.weight".into(), vec![3, 2])], |_| true)), said);
}

#[test]
fn what_is_left_over_is_named() {
    let weights = two();
    weights.values("b", &[]).unwrap();
    let said = message(weights.finish(|_| false));
    assert_eq!(said, "model.safetensors: 1 weight more than the architecture has: a.weight");
    assert_eq!(message(two().check(&[("b".into(), vec![])], |_| false)), said);
}

#[test]
fn whole_numbers_are_no_weights() {
    let (_folder, path) = saved(&bytes(&[("a", Dtype::I64, &[2])]));
    let said = message(Weights::open(&path).unwrap().values("a", &[2]));
    assert_eq!(said, "model.safetensors: type: expected F16, BF16, F32 or F64, found I64 for a");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = bytes(TWO);
    for length in 0..whole.len() {
        let (_folder, path) = saved(&whole[..length]);
        assert!(matches!(Weights::open(&path), Err(Error::Mismatch { .. })), "at {length}");
    }
    let (_folder, path) = saved(&[]);
    let said = message(Weights::open(&path));
    assert!(said.starts_with("model.safetensors: safetensors: expected a whole file, found"));
}

/// Writes `files` and an index of `map` into a folder, and opens it.
fn sharded(files: &[(&str, Vec<u8>)], map: serde_json::Value) -> Result<Weights> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    Weights::open_sharded(&index)
}

#[test]
fn shards_read_as_one_file() {
    let files = [("1.st", bytes(&TWO[..1])), ("2.st", bytes(&TWO[1..]))];
    let weights = sharded(&files, serde_json::json!({ "a.weight": "1.st", "b": "2.st" })).unwrap();
    weights.values("a.weight", &[2, 3]).unwrap();
    weights.values("b", &[]).unwrap();
    assert_eq!(weights.files().count(), 2);
    weights.finish(|_| false).unwrap();
}

#[test]
fn a_shard_that_lacks_what_the_index_lists_is_named() {
    let files = [("1.st", bytes(&TWO[..1]))];
    let map = serde_json::json!({ "a.weight": "1.st", "b": "1.st" });
    assert_eq!(message(sharded(&files, map)), "1.st: no weight named b");
}

#[test]
fn a_weight_in_two_shards_is_refused() {
    let files = [("1.st", bytes(TWO)), ("2.st", bytes(&TWO[1..]))];
    let map = serde_json::json!({ "a.weight": "1.st", "b": "2.st" });
    let said = message(sharded(&files, map));
    assert_eq!(said, "model.safetensors.index.json: shards: expected each weight once, found b");
}

#[test]
fn an_index_cannot_reach_outside_its_folder() {
    for name in ["../1.st", "/etc/passwd", "sub/1.st", "..", ""] {
        let result = sharded(&[], serde_json::json!({ "a": name }));
        let Err(Error::Mismatch { what: "shard", found, .. }) = result else {
            panic!("{name}: {result:?}");
        };
        assert_eq!(found, name);
    }
}

#[test]
fn an_index_that_is_no_json_is_refused() {
    let (_folder, path) = saved(b"{");
    assert_eq!(
        message(Weights::open_sharded(&path)),
        "model.safetensors is not the JSON expected here"
    );
}

proptest! {
    /// Any byte of the header changed: an error or another header, never a panic.
    #[test]
    fn a_flipped_byte_never_panics(at in 0..200usize, value: u8) {
        let mut file = bytes(TWO);
        let at = at % file.len();
        file[at] = value;
        let (_folder, path) = saved(&file);
        if let Ok(weights) = Weights::open(&path) {
            for name in ["a.weight", "b"] {
                if let Some(shape) = weights.shape(name).map(<[usize]>::to_vec) {
                    let _ = weights.values(name, &shape);
                }
            }
        }
    }
}
