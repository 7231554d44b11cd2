mod served;

use std::time::Duration;

use self::served::{COMMIT, Hub, Served};
use super::*;
use crate::models::{Offline, Pace};

const WEIGHTS_OF: &str = "a/b/main/model.safetensors";

fn weights() -> Vec<u8> {
    (0..600_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect()
}

/// A repository a/b with everything, the weights large.
fn hub() -> Hub {
    Hub::start([
        ("a/b/main/config.json", Served::small("{\"a\": 1}")),
        ("a/b/main/preprocessor_config.json", Served::small("{}")),
        ("a/b/main/tokenizer.json", Served::small("{\"b\": 2}")),
        (WEIGHTS_OF, Served::large(weights())),
    ])
}

struct Place {
    options: Options,
    _folder: tempfile::TempDir,
}

fn place(hub: &Hub) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("hub");
    let options = Options { endpoint: hub.endpoint(), retries: 0, ..Options::new(cache) };
    Place { options, _folder: folder }
}

impl Place {
    fn fetch(&self) -> Result<PathBuf> {
        fetch("a/b", None, &self.options, &mut |_| {})
    }

    /// What lies in the blobs' folder: names and sizes.
    fn blobs(&self) -> Vec<(String, u64)> {
        let folder = self.options.cache.join("models--a--b/blobs");
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        };
        std::fs::read_dir(folder).unwrap().map(entry).collect()
    }

    /// Whether the weights have their final name.
    fn named(&self) -> bool {
        self.snapshot().join(SAFETENSORS.whole).exists()
            || self.blobs().iter().any(|(name, _)| *name == Served::large(weights()).etag())
    }

    fn snapshot(&self) -> PathBuf {
        self.options.cache.join("models--a--b/snapshots").join(COMMIT)
    }
}

#[test]
fn a_repository_comes_whole_with_progress_in_the_layout_of_the_other_libraries() {
    let (hub, mut seen) = (hub(), Vec::new());
    let place = place(&hub);
    let mut progress = |at: Progress<'_>| seen.push((at.file.to_owned(), at.done, at.total));
    let folder = fetch("a/b", None, &place.options, &mut progress).unwrap();
    assert_eq!(folder, place.snapshot());
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    assert_eq!(std::fs::read(folder.join(CONFIG)).unwrap(), b"{\"a\": 1}");
    let reference = place.options.cache.join("models--a--b/refs/main");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    let cache = Cache::new(place.options.cache.clone()).model("a/b".to_owned());
    assert_eq!(cache.get(SAFETENSORS.whole), Some(folder.join(SAFETENSORS.whole)));
    assert!(place.blobs().iter().all(|(name, _)| !name.ends_with(".incomplete")));
    assert_eq!(seen.last(), Some(&(SAFETENSORS.whole.to_owned(), 2_400_000, 2_400_000)));
    let mine = seen.iter().filter(|(file, ..)| file == SAFETENSORS.whole).map(|(_, done, _)| *done);
    assert!(mine.is_sorted());
}

#[test]
fn what_is_cached_needs_no_hub() {
    let first = hub();
    let place = place(&first);
    let folder = place.fetch().unwrap();
    first.asked();
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(first.asked(), [""; 0]);
    drop(first);
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(fetch("a/b", Some(COMMIT), &place.options, &mut |_| {}).unwrap(), folder);
    // Another revision is another matter.
    let error = fetch("a/b", Some("other"), &place.options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Hub { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot fetch http://127.0.0.1:"), "{error}");
    assert!(error.hint().unwrap().contains("network"));
}

#[test]
fn a_transfer_cut_off_goes_on_where_it_stopped() {
    let hub = hub();
    let place = place(&hub);
    hub.change(WEIGHTS_OF, |file| file.cuts = vec![1_000_000]);
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::Hub { .. }), "{error:?}");
    assert!(!place.named());
    let (name, kept) = place.blobs().into_iter().find(|(n, _)| n.ends_with(".incomplete")).unwrap();
    assert!(kept > 0 && kept <= 1_000_000, "{name} {kept}");
    hub.asked();

    let folder = place.fetch().unwrap();
    let range = format!(" bytes={kept}-");
    assert!(hub.asked().iter().any(|line| line.starts_with("GET") && line.ends_with(&range)));
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn retries_go_on_within_one_call_and_are_bounded() {
    let hub = hub();
    let mut place = place(&hub);
    place.options.retries = 1;
    hub.change(WEIGHTS_OF, |file| file.cuts = vec![1_000_000]);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![503]);
    let folder = place.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());

    let other = super::tests::place(&hub);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![503, 503]);
    let error = other.fetch().unwrap_err();
    assert!(error.to_string().ends_with("config.json: the hub fails with status 503"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_server_that_ignores_the_range_does_not_spoil_the_file() {
    let hub = hub();
    let place = place(&hub);
    hub.change(WEIGHTS_OF, |file| (file.cuts, file.ignores_range) = (vec![1_000_000], true));
    place.fetch().unwrap_err();
    let folder = place.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn a_part_longer_than_the_file_is_begun_anew() {
    let hub = hub();
    let place = place(&hub);
    let etag = Served::large(weights()).etag();
    let blobs = place.options.cache.join("models--a--b/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{etag}.incomplete")), vec![7; 2_400_001]).unwrap();
    let folder = place.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn a_file_of_another_size_than_announced_gets_no_name() {
    for announced in [2_400_004, 2_399_996] {
        let hub = hub();
        let place = place(&hub);
        hub.change(WEIGHTS_OF, |file| file.announced = Some(announced));
        let error = place.fetch().unwrap_err();
        assert!(
            matches!(error, Error::HubSize { expected, .. } if expected == announced),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("/model.safetensors: expected {announced} bytes, found ")),
            "{text}"
        );
        assert!(error.hint().is_some());
        assert!(!place.named());
    }
}

#[test]
fn a_file_of_another_content_than_announced_is_thrown_away() {
    let hub = hub();
    let place = place(&hub);
    let etag = Served::large(weights()).etag();
    // What an earlier try left is not of this file: the size fits, the digest does not.
    let blobs = place.options.cache.join("models--a--b/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{etag}.incomplete"));
    std::fs::write(&part, b"not these bytes").unwrap();
    let error = place.fetch().unwrap_err();
    assert!(error.to_string().contains(&format!("expected the sha256 {etag}, found ")), "{error}");
    assert!(error.hint().is_some());
    assert!(!place.named());
    assert_eq!(std::fs::metadata(part).unwrap().len(), 0);
    assert_eq!(std::fs::read(place.fetch().unwrap().join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn what_the_hub_does_not_have_is_named_by_its_address() {
    let hub = Hub::start([("a/b/main/config.json", Served::small("{}"))]);
    let place = place(&hub);
    let error = fetch("no/body", None, &place.options, &mut |_| {}).unwrap_err();
    let url = format!("{}/no/body/resolve/main/config.json", hub.endpoint());
    assert_eq!(error.to_string(), format!("{url} does not exist"));
    assert!(error.hint().unwrap().contains("token"));

    let error = place.fetch().unwrap_err();
    assert_eq!(error.to_string(), "a/b has no model.safetensors (looked at main)");
    assert!(error.hint().unwrap().contains("refs/pr"));
}

#[test]
fn a_hub_that_wants_a_token_gets_it_and_the_store_behind_it_does_not() {
    let hub = hub();
    let mut place = place(&hub);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![401]);
    let error = place.fetch().unwrap_err();
    assert!(error.to_string().ends_with("config.json: the hub refuses with status 401"), "{error}");
    assert!(error.hint().unwrap().contains("token"));
    hub.asked();

    place.options.token = Some("secret".to_owned());
    place.fetch().unwrap();
    for line in hub.asked() {
        assert_eq!(line.contains("Bearer secret"), !line.contains("/blobs/"), "{line}");
    }
}

/// An error with all that it knows, as a log would have it.
fn logged(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}

#[test]
fn no_error_shows_the_token_or_what_opens_the_proxy() {
    let hub = hub();
    let mut place = place(&hub);
    type Change = fn(&mut Served);
    let refusals: [(&str, Change); 4] = [
        ("a/b/main/config.json", |file| file.statuses = vec![401]),
        (WEIGHTS_OF, |file| file.statuses = vec![500]),
        (WEIGHTS_OF, |file| file.cuts = vec![1000]),
        (WEIGHTS_OF, |file| file.announced = Some(7)),
    ];
    for (path, change) in refusals {
        place.options.token = Some("hf_secret".to_owned());
        hub.change(path, change);
        let said = logged(&place.fetch().unwrap_err());
        assert!(said.contains("a/b") && !said.contains("secret"), "{said}");
        hub.change(path, |file| {
            (file.announced, file.cuts, file.statuses) = Default::default();
        });
    }
    // What is no header's value is refused before it is sent, and not shown.
    place.options.token = Some("hf_secret\r\nX: y".to_owned());
    let said = logged(&place.fetch().unwrap_err());
    assert!(!said.contains("secret"), "{said}");
    place.options.token = None;
    let silent = Hub::start([]).endpoint().replace("http://", "");
    for proxy in [
        format!("http://me:secret@{silent}"),
        "http://me:secret@no proxy:port".to_owned(),
        "gopher://me:secret@127.0.0.1:9".to_owned(),
        "me:secret@".to_owned(),
    ] {
        place.options.proxy = Some(proxy);
        let said = logged(&place.fetch().unwrap_err());
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn an_endpoint_that_is_no_hub_is_told() {
    // A server that knows no commits.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", server.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = server.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nETag: \"../x\"\r\nContent-Length: 9\r\n\r\n")
            .unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let options = Options { endpoint, ..Options::new(folder.path()) };
    let error = fetch("a/b", None, &options, &mut |_| {}).unwrap_err();
    assert!(error.to_string().ends_with("the answer has no usable x-repo-commit"), "{error}");
    assert!(error.hint().unwrap().contains("HF_ENDPOINT"));
    thread.join().unwrap();
}

#[test]
fn weights_in_shards_and_a_tokenizer_in_parts_are_found() {
    let index = r#"{"weight_map": {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}}"#;
    let hub = Hub::start([
        ("a/b/main/config.json", Served::small("{}")),
        ("a/b/main/preprocessor_config.json", Served::small("{}")),
        ("a/b/main/vocab.json", Served::small("{}")),
        ("a/b/main/merges.txt", Served::small("#version: 0.2")),
        ("a/b/main/model.safetensors.index.json", Served::small(index)),
        ("a/b/main/model-00001-of-00002.safetensors", Served::large(vec![1; 999])),
        ("a/b/main/model-00002-of-00002.safetensors", Served::large(vec![2; 999])),
    ]);
    let place = place(&hub);
    let folder = place.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join("model-00002-of-00002.safetensors")).unwrap(), [2; 999]);
    hub.asked();
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(hub.asked(), [""; 0]);
    // A shard that is gone is fetched again, and nothing else.
    std::fs::remove_file(folder.join("model-00001-of-00002.safetensors")).unwrap();
    assert_eq!(place.fetch().unwrap(), folder);
    assert!(hub.asked().iter().all(|line| line.starts_with("HEAD")));
}

#[test]
fn a_shard_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join(SAFETENSORS.index);
    for name in ["../../x.safetensors", "/x.safetensors", "x.bin", ""] {
        std::fs::write(&index, format!(r#"{{"weight_map": {{"w": "{name}"}}}}"#)).unwrap();
        let error = shards(&index, SAFETENSORS).unwrap_err().to_string();
        assert!(
            error.contains("shard: expected the name of a .safetensors file, found"),
            "{error}"
        );
    }
}

#[test]
fn weights_that_only_a_pull_request_has_are_found_there() {
    let repo = "openai/clip-vit-base-patch32";
    let hub = Hub::start([
        ("openai/clip-vit-base-patch32/main/config.json", Served::small("{}")),
        ("openai/clip-vit-base-patch32/refs/pr/15/config.json", Served::small("{}")),
    ]);
    let place = place(&hub);
    // The pull request's commit is served as main's here, so that its weights
    // are looked for where main's were: both revisions are asked for.
    let error = fetch(repo, None, &place.options, &mut |_| {}).unwrap_err();
    let text = format!("{repo} has no model.safetensors (looked at main, refs/pr/15)");
    assert_eq!(error.to_string(), text);
    let path = "HEAD /openai/clip-vit-base-patch32/resolve/refs%2Fpr%2F15/config.json";
    assert!(hub.asked().iter().any(|line| line == path));
}

/// A private repository that was renamed: the hub leads from its old name to its new one,
/// by a path or by a whole address, and wants the token there too.
#[test]
fn a_renamed_private_repository_is_fetched_under_its_new_name() {
    let renamed = [
        ("old/b/main/config.json", "config.json", "/a/b/resolve/main/config.json"),
        (
            "old/b/main/preprocessor_config.json",
            "preprocessor_config.json",
            "HUB/a/b/resolve/main/preprocessor_config.json",
        ),
        ("old/b/main/tokenizer.json", "tokenizer.json", "/a/b/resolve/main/tokenizer.json"),
        (
            "old/b/main/model.safetensors",
            "model.safetensors",
            "HUB/a/b/resolve/main/model.safetensors",
        ),
    ];
    let secret = Some("hf_secret");
    let old = renamed.map(|(name, _, to)| {
        (name, Served { moved: Some(to), token: secret, ..Served::small("") })
    });
    let new = [
        ("a/b/main/config.json", Served::small("{\"a\": 1}")),
        ("a/b/main/preprocessor_config.json", Served::small("{}")),
        ("a/b/main/tokenizer.json", Served::small("{\"b\": 2}")),
        (WEIGHTS_OF, Served::large(weights())),
    ];
    let new = new.map(|(name, file)| (name, Served { token: secret, ..file }));
    let hub = Hub::start(old.into_iter().chain(new));
    let mut place = place(&hub);
    place.options.token = Some("hf_secret".to_owned());
    let folder = fetch("old/b", None, &place.options, &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    let asked = hub.asked();
    for line in &asked {
        assert_eq!(line.contains("Bearer hf_secret"), !line.contains("/blobs/"), "{line}");
        assert!(!line.starts_with("GET /old/"), "{line}");
    }
    assert!(asked.iter().any(|line| line.starts_with("GET /blobs/a/b/resolve/")), "{asked:?}");
}

#[test]
fn a_token_does_not_follow_to_another_host() {
    let file = Served { moved: Some("OTHER/a/b/resolve/main/x"), ..Served::small("") };
    let hub = Hub::start([("a/b/main/config.json", file), ("a/b/main/x", Served::small("{}"))]);
    let mut place = place(&hub);
    place.options.token = Some("hf_secret".to_owned());
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::HubAnswer { .. }), "{error:?}");
    assert_eq!(hub.asked().len(), 1, "the other host was asked");
}

#[test]
fn what_the_environment_or_a_record_forbids_is_not_downloaded() {
    let hub = hub();
    let mut place = place(&hub);
    place.options.offline = Some(Offline::Variable("HF_HUB_OFFLINE"));
    let error = place.fetch().unwrap_err();
    assert_eq!(error.to_string(), "a/b: not in the cache, and HF_HUB_OFFLINE forbids downloads");
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("unset HF_HUB_OFFLINE, or "), "{hint}");
    // Who is offline stays so for what a file names.
    assert_eq!(place.options.recorded().offline, place.options.offline);

    place.options.offline = None;
    let recorded = place.options.recorded();
    let error = fetch("a/b", Some("v1"), &recorded, &mut |_| {}).unwrap_err();
    let said = "a/b@v1: not in the cache, and a name that was read from a file is not downloaded";
    assert_eq!(error.to_string(), said);
    assert_eq!(error.hint().unwrap(), "pass --model a/b@v1 to download it");
    assert_eq!(hub.asked(), [""; 0]);
    // What is cached is used either way.
    let folder = place.fetch().unwrap();
    assert_eq!(fetch("a/b", None, &recorded, &mut |_| {}).unwrap(), folder);
    place.options.offline = Some(Offline::Variable("TRANSFORMERS_OFFLINE"));
    assert_eq!(place.fetch().unwrap(), folder);
}

#[test]
fn a_file_without_a_checksum_is_marked() {
    let hub = hub();
    let place = place(&hub);
    hub.change("a/b/main/tokenizer.json", |file| file.nameless = true);
    let mut named = std::collections::BTreeMap::new();
    let mut progress = |at: Progress<'_>| {
        named.insert(at.file.to_owned(), at.named);
    };
    let folder = fetch("a/b", None, &place.options, &mut progress).unwrap();
    assert_eq!(std::fs::read(folder.join(TOKENIZER)).unwrap(), b"{\"b\": 2}");
    let marked: Vec<&str> =
        named.iter().filter(|(_, named)| !**named).map(|(file, _)| file.as_str()).collect();
    assert_eq!(marked, [TOKENIZER]);
    let unverified = |(name, _): &(String, u64)| name.starts_with("unverified-");
    assert_eq!(place.blobs().iter().filter(|blob| unverified(blob)).count(), 1);
    hub.asked();
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(hub.asked(), [""; 0]);
}

#[test]
fn a_file_beyond_its_limit_is_refused_before_it_is_fetched() {
    for (file, limit, nameless) in [
        ("a/b/main/config.json", limits::SMALL_FILE, false),
        ("a/b/main/tokenizer.json", limits::SMALL_FILE, true),
        (WEIGHTS_OF, limits::DOWNLOAD, false),
    ] {
        let hub = hub();
        let place = place(&hub);
        hub.change(file, |file| (file.announced, file.nameless) = (Some(limit + 1), nameless));
        let said = place.fetch().unwrap_err().to_string();
        let end = format!(": size: expected at most {limit} bytes, found {}", limit + 1);
        assert!(said.ends_with(&end), "{said}");
        assert!(!hub.asked().iter().any(|line| {
            line.starts_with("GET") && line.contains(file.rsplit('/').next().unwrap())
        }));
    }
    // Weights whose SHA-256 is not given may have less.
    let hub = hub();
    let place = place(&hub);
    let size = limits::DOWNLOAD_UNVERIFIED + 1;
    hub.change(WEIGHTS_OF, |file| (file.large, file.announced) = (false, Some(size)));
    let said = place.fetch().unwrap_err().to_string();
    assert!(said.ends_with(&format!("at most {} bytes, found {size}", size - 1)), "{said}");
}

/// A server that keeps every timeout and never ends: the transfer is broken off, and the
/// next try goes on where it was.
#[test]
fn a_transfer_below_the_least_speed_is_broken_off() {
    let hub = hub();
    let mut place = place(&hub);
    place.options.pace = Pace { bytes: u64::MAX, over: Duration::ZERO };
    let error = place.fetch().unwrap_err();
    let said = logged(&error);
    assert!(said.contains("fewer than 18446744073709551615 bytes a second"), "{said}");
    assert!(error.hint().unwrap().contains("goes on where it stopped"));
    let parts = place.blobs().into_iter().filter(|(name, _)| name.ends_with(".incomplete"));
    assert!(parts.into_iter().any(|(_, kept)| kept > 0));
    place.options.pace = Pace::default();
    hub.asked();
    let folder = place.fetch().unwrap();
    assert!(hub.asked().iter().any(|line| line.starts_with("GET") && line.contains(" bytes=")));
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn a_hub_that_is_busy_is_asked_again() {
    for status in [408, 429, 500, 503] {
        let hub = hub();
        let mut place = place(&hub);
        place.options.retries = 1;
        hub.change(WEIGHTS_OF, |file| {
            (file.statuses, file.retry_after) = (vec![status], Some("0"));
        });
        let folder = place.fetch().unwrap();
        assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    }
}

/// What transformers 5 writes: one file for all processors.
#[test]
fn a_processor_config_stands_in_for_the_preprocessors() {
    let hub = Hub::start([
        ("a/b/main/config.json", Served::small("{}")),
        ("a/b/main/processor_config.json", Served::small("{\"image_processor\": {}}")),
        ("a/b/main/tokenizer.json", Served::small("{\"b\": 2}")),
        (WEIGHTS_OF, Served::large(vec![1; 9])),
        ("c/d/main/config.json", Served::small("{}")),
        ("c/d/main/tokenizer.json", Served::small("{}")),
        ("c/d/main/model.safetensors", Served::large(vec![1; 9])),
    ]);
    let place = place(&hub);
    let folder = place.fetch().unwrap();
    assert!(folder.join(PROCESSOR).is_file() && !folder.join(PREPROCESSOR).exists());
    hub.asked();
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(hub.asked(), [""; 0]);
    let error = fetch("c/d", None, &place.options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.ends_with("/preprocessor_config.json does not exist"), "{error}");
}

#[test]
fn both_processor_files_are_fetched_where_both_exist() {
    let hub = Hub::start([
        ("a/b/main/config.json", Served::small("{}")),
        ("a/b/main/processor_config.json", Served::small("{\"num_query_tokens\": 32}")),
        ("a/b/main/preprocessor_config.json", Served::small("{\"size\": 224}")),
        ("a/b/main/tokenizer.json", Served::small("{\"b\": 2}")),
        (WEIGHTS_OF, Served::large(vec![1; 9])),
    ]);
    let place = place(&hub);
    let folder = place.fetch().unwrap();
    assert_eq!(crate::clip::preprocess::find(&folder).unwrap(), folder.join(PREPROCESSOR));
}

#[test]
fn a_sentence_encoder_comes_with_its_length_and_its_pooling() {
    let hub = Hub::start([
        ("a/b/main/config.json", Served::small("{}")),
        ("a/b/main/sentence_bert_config.json", Served::small("{\"max_seq_length\": 128}")),
        ("a/b/main/1_Pooling/config.json", Served::small("{\"pooling_mode\": \"mean\"}")),
        ("a/b/main/tokenizer.json", Served::small("{\"b\": 2}")),
        (WEIGHTS_OF, Served::large(vec![1; 9])),
        ("c/d/main/config.json", Served::small("{}")),
        ("c/d/main/tokenizer.json", Served::small("{}")),
        ("c/d/main/pytorch_model.bin", Served::large(vec![1; 9])),
    ]);
    let place = place(&hub);
    let fetch = |repo| fetch_sentences(repo, None, &place.options, &mut |_| {});
    let folder = fetch("a/b").unwrap();
    let pooling = std::fs::read_to_string(folder.join("1_Pooling/config.json")).unwrap();
    assert_eq!(pooling, "{\"pooling_mode\": \"mean\"}");
    assert!(folder.join("sentence_bert_config.json").is_file());
    hub.asked();
    assert_eq!(fetch("a/b").unwrap(), folder);
    assert_eq!(hub.asked(), [""; 0]);
    // Its reader takes safetensors alone.
    assert!(matches!(fetch("c/d").unwrap_err(), Error::HubWeights { .. }));
}

#[test]
fn pickles_are_fetched_where_there_are_no_safetensors() {
    let index = r#"{"weight_map": {"x": "pytorch_model-00001-of-00002.bin", "y": "pytorch_model-00002-of-00002.bin"}}"#;
    let plain = |name| (name, Served::small("{}"));
    let hub = Hub::start([
        plain("a/b/main/config.json"),
        plain("a/b/main/preprocessor_config.json"),
        plain("a/b/main/tokenizer.json"),
        ("a/b/main/pytorch_model.bin.index.json", Served::small(index)),
        ("a/b/main/pytorch_model-00001-of-00002.bin", Served::large(vec![1; 999])),
        ("a/b/main/pytorch_model-00002-of-00002.bin", Served::large(vec![2; 999])),
        plain("c/d/main/config.json"),
        plain("c/d/main/preprocessor_config.json"),
        plain("c/d/main/tokenizer.json"),
        ("c/d/main/pytorch_model.bin", Served::large(vec![3; 999])),
    ]);
    let place = place(&hub);
    let folder = place.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join("pytorch_model-00002-of-00002.bin")).unwrap(), [2; 999]);
    let other = fetch("c/d", None, &place.options, &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(other.join("pytorch_model.bin")).unwrap(), [3; 999]);
    hub.asked();
    assert_eq!(place.fetch().unwrap(), folder);
    assert_eq!(hub.asked(), [""; 0]);
    // Where there are safetensors too, they are taken.
    let hub = self::hub();
    hub.add("a/b/main/pytorch_model.bin", Served::large(vec![1; 9]));
    let place = super::tests::place(&hub);
    assert!(!place.fetch().unwrap().join("pytorch_model.bin").exists());
    // Shards of the other kind are refused.
    let index = folder.join("pytorch_model.bin.index.json");
    assert!(shards(&index, PICKLES).is_ok() && shards(&index, SAFETENSORS).is_err());
}
