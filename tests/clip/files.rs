//! One model in different files, and what its fingerprint depends on.

use std::collections::HashMap;
use std::fs;

use interrogate::clip::ClipText;
use interrogate::encoder::TextEncoder;
use safetensors::SafeTensors;
use serde_json::json;

use super::*;

#[test]
fn shards_give_the_same_rows() {
    let folder = copy("gelu");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    for (shard, parity) in [("a.safetensors", 0), ("b.safetensors", 1)] {
        let part: HashMap<_, _> =
            whole.iter().enumerate().filter(|(n, _)| n % 2 == parity).map(|(_, t)| t).collect();
        part.keys().for_each(|name| {
            map.insert(name.to_string(), shard.into());
        });
        fs::write(folder.path().join(shard), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    fs::remove_file(&path).unwrap();
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();

    let ours = encode_cat(&Checkpoint::open(folder.path()).unwrap().text_encoder().unwrap());
    assert_eq!(ours, encode_cat(&open("gelu").text_encoder().unwrap()));
}

/// The same weights as PyTorch archives, and the file that transformers 5 writes instead of
/// preprocessor_config.json (tests/fixtures/bins.py).
#[test]
fn shards_of_pickles_and_a_processor_config_give_the_same_rows() {
    let folder = copy("gelu");
    for name in ["model.safetensors", "preprocessor_config.json"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let bins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/bins/clip");
    for entry in fs::read_dir(bins).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let found = Checkpoint::open(folder.path()).unwrap();
    let (own, ours) = (open("gelu").text_encoder(), found.text_encoder());
    assert_eq!(encode_cat(&ours.unwrap()), encode_cat(&own.unwrap()));
    assert!(found.image_encoder().is_ok());
    let steps = |path: &Path| interrogate::clip::preprocess::open(path).unwrap();
    let own = steps(&fixture("gelu").join("preprocessor_config.json"));
    assert_eq!(steps(&folder.path().join("processor_config.json")), own);

    fs::remove_file(folder.path().join("pytorch_model-00001-of-00002.bin")).unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no such file, though "), "{error}");
}

fn encode_cat(encoder: &ClipText) -> Vec<f32> {
    encoder.encode(&["a photo of a cat"]).unwrap().as_slice().to_vec()
}

#[test]
fn fingerprint_depends_on_content_not_path() {
    let folder = copy("quick");
    let base = open("quick").fingerprint().unwrap();
    assert_eq!(base.len(), 64);
    assert_eq!(Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap(), base);
    for name in ["config.json", "merges.txt", "preprocessor_config.json"] {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
        let other = Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap();
        assert_ne!(other, base, "{name}");
        fs::write(&path, text).unwrap();
    }
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap(), base);
}
