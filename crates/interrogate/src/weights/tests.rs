//! Damaged, foreign and sharded weight files.

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

fn write_file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn two() -> Weights {
    let (_folder, path) = write_file(&bytes(TWO));
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
fn weight_is_read_as_f32_in_its_shape() {
    let weights = two();
    assert_eq!(weights.values("a.weight", &[2, 3]).unwrap().len(), 6);
    assert_eq!(weights.shape("b"), Some(&[][..]));
    weights.finish(|name| name == "b").unwrap();
}

#[test]
fn missing_weight_is_reported() {
    let error = message(two().values("c", &[2]));
    assert_eq!(error, "model.safetensors: no weight named c");
    assert_eq!(message(two().check(&[("c".into(), vec![])], |_| true)), error);
}

#[test]
fn wrong_shape_is_reported() {
    let error = message(two().values("a.weight", &[3, 2]));
    assert_eq!(error, "model.safetensors: a.weight: expected shape [3, 2], found [2, 3]");
    assert_eq!(message(two().check(&[("a.weight".into(), vec![3, 2])], |_| true)), error);
}

#[test]
fn unused_weight_is_reported() {
    let weights = two();
    weights.values("b", &[]).unwrap();
    let error = message(weights.finish(|_| false));
    assert_eq!(error, "model.safetensors: 1 weight more than the architecture has: a.weight");
    assert_eq!(message(two().check(&[("b".into(), vec![])], |_| false)), error);
}

#[test]
fn integer_weight_is_refused() {
    let (_folder, path) = write_file(&bytes(&[("a", Dtype::I64, &[2])]));
    let error = message(Weights::open(&path).unwrap().values("a", &[2]));
    assert_eq!(error, "model.safetensors: type: expected F16, BF16, F32 or F64, found I64 for a");
}

#[test]
fn truncated_file_is_refused() {
    let whole = bytes(TWO);
    for length in 0..whole.len() {
        let (_folder, path) = write_file(&whole[..length]);
        assert!(matches!(Weights::open(&path), Err(Error::Mismatch { .. })), "at {length}");
    }
    let (_folder, path) = write_file(&[]);
    let error = message(Weights::open(&path));
    assert!(error.starts_with("model.safetensors: safetensors: expected a whole file, found"));
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
fn shards_read_like_one_file() {
    let files = [("1.st", bytes(&TWO[..1])), ("2.st", bytes(&TWO[1..]))];
    let weights = sharded(&files, serde_json::json!({ "a.weight": "1.st", "b": "2.st" })).unwrap();
    weights.values("a.weight", &[2, 3]).unwrap();
    weights.values("b", &[]).unwrap();
    assert_eq!(weights.files().count(), 2);
    weights.finish(|_| false).unwrap();
}

#[test]
fn shard_without_a_listed_weight_is_reported() {
    let files = [("1.st", bytes(&TWO[..1]))];
    let map = serde_json::json!({ "a.weight": "1.st", "b": "1.st" });
    assert_eq!(message(sharded(&files, map)), "1.st: no weight named b");
}

#[test]
fn weight_in_two_shards_is_refused() {
    let files = [("1.st", bytes(TWO)), ("2.st", bytes(&TWO[1..]))];
    let map = serde_json::json!({ "a.weight": "1.st", "b": "2.st" });
    let error = message(sharded(&files, map));
    assert_eq!(
        error,
        "model.safetensors.index.json: shards: expected unique weights, found b twice"
    );
}

#[test]
fn shard_outside_the_index_folder_is_refused() {
    for name in ["../1.st", "/etc/passwd", "sub/1.st", "..", ""] {
        let result = sharded(&[], serde_json::json!({ "a": name }));
        let Err(Error::Mismatch { what: "shard", found, .. }) = result else {
            panic!("{name}: {result:?}");
        };
        assert_eq!(found, name);
    }
}

#[test]
fn index_that_is_not_json_is_refused() {
    let (_folder, path) = write_file(b"{");
    assert_eq!(
        message(Weights::open_sharded(&path)),
        "model.safetensors is not the JSON expected here"
    );
}

proptest! {
    /// A file with one byte changed: an error or other values, never a panic.
    #[test]
    fn changed_byte_never_panics(at in 0..200usize, value: u8) {
        let mut file = bytes(TWO);
        let at = at % file.len();
        file[at] = value;
        let (_folder, path) = write_file(&file);
        if let Ok(weights) = Weights::open(&path) {
            for name in ["a.weight", "b"] {
                if let Some(shape) = weights.shape(name).map(<[usize]>::to_vec) {
                    let _ = weights.values(name, &shape);
                }
            }
        }
    }
}
