//! Dictionaries, caches, and small files written by hand.

use std::fs;
use std::path::Path;

use build_index::{Cache, Dictionary};
use interrogate::pipeline::{Config, Overrides};
use interrogate::prompt::Deny;

use crate::copy;
use crate::mutation::{Reader, never};

fn dictionary(path: &Path) -> Result<Vec<String>, String> {
    let read = Dictionary::open(path).map_err(|error| error.to_string())?;
    for finding in read.findings() {
        assert!(!finding.to_string().is_empty());
    }
    Ok(read.labels().iter().map(str::to_owned).collect())
}

#[test]
fn damaged_dictionary_is_handled() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["flavors.txt", "artists.txt", "sites.txt", "a.top3.txt"] {
        let path = folder.path().join(name);
        fs::write(&path, "\u{feff}8k\r\nélan vital\r\ncaf\u{fffd}\n\n8k\n日本 \n").unwrap();
        Reader::new(path, &dictionary).mutate(usize::MAX, never);
    }
}

/// A blank line takes one byte; its finding must not take fifty.
#[test]
fn blank_lines_of_a_dictionary_take_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path().join("a.txt"), &dictionary);
    assert_eq!(reader.accepts(&[&b"a"[..], &vec![b'\n'; 8 << 20]].concat()), ["a"]);
    assert!(reader.refuses(&vec![b'\n'; 8 << 20]).contains("no label"));
    assert_eq!(reader.accepts(&b"same\n".repeat(2 << 20)), ["same"]);
}

/// Regression: such a label exhausted memory, as a tokenizer takes a hundred times a text's
/// length.
#[test]
fn label_of_64_mb_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path().join("a.txt"), &dictionary);
    let long = vec![b'x'; 64 << 20];
    assert_eq!(reader.accepts(&[b"a\n", &long[..], b"\nb"].concat()), ["a", "b"]);
    assert!(reader.refuses(&long).contains("no label"));
}

#[test]
fn damaged_cache_is_handled() {
    let folder = copy("caches");
    let dictionary = Dictionary::open(&folder.path().join("flavors.txt")).unwrap();
    let read = |path: &Path| -> Result<(usize, usize), String> {
        let cache = Cache::open(path, &dictionary).map_err(|error| error.to_string())?;
        Ok((cache.dim(), cache.differing()))
    };
    let path = folder.path().join("fake_one_flavors.safetensors");
    let whole = fs::read(&path).unwrap();
    Reader::new(path.clone(), &read).mutate(usize::MAX, never);

    // A header length beyond the file.
    let reader = Reader::new(path, &read);
    let mut long = whole.clone();
    long[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(reader.refuses(&long).contains("a header of 1099511627776 bytes"));
    let mut wide = whole;
    wide[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    reader.refuses(&wide);
}

/// Without rows, the sizes do not limit the width.
#[test]
fn cache_without_rows_is_refused_at_any_width() {
    let folder = tempfile::tempdir().unwrap();
    let dictionary = folder.path().join("flavors.txt");
    fs::write(&dictionary, "a").unwrap();
    let opened = Dictionary::open(&dictionary).unwrap();
    fs::write(&dictionary, "").unwrap(); // emptied since
    let read = |path: &Path| -> Result<usize, String> {
        Cache::open(path, &opened).map(|c| c.dim()).map_err(|error| error.to_string())
    };
    let width = 1u64 << 63;
    let header = format!(
        r#"{{"embeds":{{"dtype":"F16","shape":[0,{width}],"data_offsets":[0,0]}},"hash":{{"dtype":"I8","shape":[64],"data_offsets":[0,64]}}}}"#
    );
    let hash = interrogate::index::Digest::of(b"").to_string();
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), hash.as_bytes()].concat();
    let message = Reader::new(folder.path().join("m_flavors.safetensors"), &read).refuses(&file);
    assert!(message.contains("shape of embeds: expected (0, 1 to 65536)"), "{message}");
}

#[test]
fn damaged_config_is_handled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let text = serde_json::json!({
        "blip_model": "blip227b", "blip_path": "b", "clip_model": "ViT-B-32", "clip_path": "c.pt",
        "dicts": "dicts", "chunk_size": 2048, "embedding_model": "all-MiniLM-L6-v2",
        "embedding_dir": "", "embedding_path": "e",
    });
    fs::write(&path, text.to_string()).unwrap();
    let read = |path: &Path| -> Result<Config, String> {
        Config::open(path, Overrides::default()).map_err(|error| error.to_string())
    };
    Reader::new(path, &read).mutate(usize::MAX, never);
}

#[test]
fn large_deny_list_takes_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: &Path| -> Result<[bool; 2], String> {
        let deny = Deny::open(path).map_err(|error| error.to_string())?;
        Ok(["a Word99999 x", "word100000"].map(|label| deny.denies(label)))
    };
    let reader = Reader { memory: 16 << 20, ..Reader::new(folder.path().join("deny.txt"), &read) };
    let words: String = (0..100_000).map(|n| format!("word{n}\n")).collect();
    assert_eq!(reader.accepts(words.as_bytes()), [true, false]);
    let message = reader.refuses(&b"/a/\n".repeat(2_000));
    assert!(
        message.ends_with("deny.txt:1001: patterns: expected at most 1000, found more"),
        "{message}"
    );
}

#[test]
fn damaged_deny_list_is_handled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny.txt");
    fs::write(&path, "# a comment\nnude\n/greg.*(rutkowski|x)[a-z]{1,3}/\n(\n").unwrap();
    let read = |path: &Path| -> Result<bool, String> {
        Deny::open(path)
            .map(|deny| deny.denies("by greg rutkowski"))
            .map_err(|error| error.to_string())
    };
    Reader::new(path, &read).mutate(usize::MAX, never);
}
