mod access;
mod files;
mod open_clip;
mod refusals;
mod resume;
mod stub_hub;
mod taggers;

use hf_hub::Cache;

use self::stub_hub::{COMMIT, StubFile, StubHub};
use super::formats::shards;
use super::snapshot::{PREPROCESSOR, PROCESSOR, TOKENIZER};
use super::*;
use crate::error::HubError;

const CONFIG: &str = "config.json";
const WEIGHTS_OF: &str = "a/b/main/model.safetensors";

fn weights() -> Vec<u8> {
    (0..600_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect()
}

/// A hub with a complete repository a/b, whose weights are large.
fn hub() -> StubHub {
    StubHub::start([
        ("a/b/main/config.json", StubFile::small("{\"a\": 1}")),
        ("a/b/main/preprocessor_config.json", StubFile::small("{}")),
        ("a/b/main/tokenizer.json", StubFile::small("{\"b\": 2}")),
        (WEIGHTS_OF, StubFile::large(weights())),
    ])
}

/// An empty cache, and options that use it.
struct TestCache {
    options: Options,
    _folder: tempfile::TempDir,
}

fn empty_cache(hub: &StubHub) -> TestCache {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("hub");
    let options = Options { endpoint: hub.endpoint(), retries: 0, ..Options::new(cache) };
    TestCache { options, _folder: folder }
}

impl TestCache {
    fn fetch(&self) -> Result<PathBuf> {
        fetch("a/b", None, &self.options, &mut |_| {})
    }

    /// Names and sizes of the files in the blobs folder.
    fn blobs(&self) -> Vec<(String, u64)> {
        let folder = self.options.cache.join("models--a--b/blobs");
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        };
        std::fs::read_dir(folder).unwrap().map(entry).collect()
    }

    /// Whether the weights have their final name.
    fn has_weights(&self) -> bool {
        self.snapshot().join(SAFETENSORS.whole).exists()
            || self.blobs().iter().any(|(name, _)| *name == StubFile::large(weights()).etag())
    }

    fn snapshot(&self) -> PathBuf {
        self.options.cache.join("models--a--b/snapshots").join(COMMIT)
    }
}

/// All text of an error: message, debug output, hint and causes.
fn full_text(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

#[test]
fn repository_is_downloaded_in_the_layout_of_hf_hub() {
    let (hub, mut calls) = (hub(), Vec::new());
    let cache = empty_cache(&hub);
    let mut progress = |at: Progress<'_>| calls.push((at.file.to_owned(), at.done, at.total));
    let folder = fetch("a/b", None, &cache.options, &mut progress).unwrap();
    assert_eq!(folder, cache.snapshot());
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    assert_eq!(std::fs::read(folder.join(CONFIG)).unwrap(), b"{\"a\": 1}");
    let reference = cache.options.cache.join("models--a--b/refs/main");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    let hf_cache = Cache::new(cache.options.cache.clone()).model("a/b".to_owned());
    assert_eq!(hf_cache.get(SAFETENSORS.whole), Some(folder.join(SAFETENSORS.whole)));
    assert!(cache.blobs().iter().all(|(name, _)| !name.ends_with(".incomplete")));
    assert_eq!(calls.last(), Some(&(SAFETENSORS.whole.to_owned(), 2_400_000, 2_400_000)));
    let done =
        calls.iter().filter(|(file, ..)| file == SAFETENSORS.whole).map(|(_, done, _)| *done);
    assert!(done.is_sorted());
}

#[test]
fn cached_repository_needs_no_request() {
    let first = hub();
    let cache = empty_cache(&first);
    let folder = cache.fetch().unwrap();
    first.requests();
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(first.requests(), [""; 0]);
    drop(first);
    assert_eq!(cache.fetch().unwrap(), folder);
    assert_eq!(fetch("a/b", Some(COMMIT), &cache.options, &mut |_| {}).unwrap(), folder);
    // Another revision is not cached.
    let error = fetch("a/b", Some("other"), &cache.options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Hub(HubError::Network { .. })), "{error:?}");
    assert!(error.to_string().starts_with("cannot fetch http://127.0.0.1:"), "{error}");
    assert!(error.hint().unwrap().contains("network"));
}
