//! Tokens, redirects, missing repositories and offline mode.

use super::*;
use crate::error::HubError;
use crate::models::Offline;

#[test]
fn missing_repository_or_weights_are_reported() {
    let hub = StubHub::start([("a/b/main/config.json", StubFile::small("{}"))]);
    let cache = empty_cache(&hub);
    let error = fetch("no/body", None, &cache.options, &mut |_| {}).unwrap_err();
    let url = format!("{}/no/body/resolve/main/config.json", hub.endpoint());
    assert_eq!(error.to_string(), format!("{url} does not exist"));
    assert!(error.hint().unwrap().contains("token"));

    let error = cache.fetch().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a/b has no model.safetensors or pytorch_model.bin (revisions: main)"
    );
    assert!(error.hint().unwrap().contains("refs/pr"));
}

#[test]
fn token_is_sent_to_the_hub_and_not_to_its_storage() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![401]);
    let error = cache.fetch().unwrap_err();
    assert!(error.to_string().ends_with("config.json: the hub refuses with status 401"), "{error}");
    assert!(error.hint().unwrap().contains("token"));
    hub.requests();

    cache.options.token = Some("secret".to_owned());
    cache.fetch().unwrap();
    for line in hub.requests() {
        assert_eq!(line.contains("Bearer secret"), !line.contains("/blobs/"), "{line}");
    }
}

#[test]
fn no_error_contains_the_token_or_the_proxy_password() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    type Change = fn(&mut StubFile);
    let refusals: [(&str, Change); 4] = [
        ("a/b/main/config.json", |file| file.statuses = vec![401]),
        (WEIGHTS_OF, |file| file.statuses = vec![500]),
        (WEIGHTS_OF, |file| file.cut_after = vec![1000]),
        (WEIGHTS_OF, |file| file.reported_size = Some(7)),
    ];
    for (path, change) in refusals {
        cache.options.token = Some("hf_secret".to_owned());
        hub.change(path, change);
        let message = full_text(&cache.fetch().unwrap_err());
        assert!(message.contains("a/b") && !message.contains("secret"), "{message}");
        hub.change(path, |file| {
            (file.reported_size, file.cut_after, file.statuses) = Default::default();
        });
    }
    // A token that is not a valid header value is refused.
    cache.options.token = Some("hf_secret\r\nX: y".to_owned());
    let message = full_text(&cache.fetch().unwrap_err());
    assert!(!message.contains("secret"), "{message}");
    cache.options.token = None;
    let silent = StubHub::start([]).endpoint().replace("http://", "");
    for proxy in [
        format!("http://me:secret@{silent}"),
        "http://me:secret@no proxy:port".to_owned(),
        "gopher://me:secret@127.0.0.1:9".to_owned(),
        "me:secret@".to_owned(),
    ] {
        cache.options.proxy = Some(proxy);
        let message = full_text(&cache.fetch().unwrap_err());
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn endpoint_that_is_not_a_hub_is_reported() {
    // A server without commits.
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

/// The hub redirects from the old name to the new one, by a path or by a URL, and needs the
/// token at both.
#[test]
fn renamed_private_repository_is_downloaded() {
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
        (name, StubFile { redirect: Some(to), token: secret, ..StubFile::small("") })
    });
    let new = [
        ("a/b/main/config.json", StubFile::small("{\"a\": 1}")),
        ("a/b/main/preprocessor_config.json", StubFile::small("{}")),
        ("a/b/main/tokenizer.json", StubFile::small("{\"b\": 2}")),
        (WEIGHTS_OF, StubFile::large(weights())),
    ];
    let new = new.map(|(name, file)| (name, StubFile { token: secret, ..file }));
    let hub = StubHub::start(old.into_iter().chain(new));
    let mut cache = empty_cache(&hub);
    cache.options.token = Some("hf_secret".to_owned());
    let folder = fetch("old/b", None, &cache.options, &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    let requests = hub.requests();
    for line in &requests {
        assert_eq!(line.contains("Bearer hf_secret"), !line.contains("/blobs/"), "{line}");
        assert!(!line.starts_with("GET /old/"), "{line}");
    }
    assert!(
        requests.iter().any(|line| line.starts_with("GET /blobs/a/b/resolve/")),
        "{requests:?}"
    );
}

#[test]
fn token_is_not_sent_to_another_host() {
    let file = StubFile { redirect: Some("OTHER/a/b/resolve/main/x"), ..StubFile::small("") };
    let hub =
        StubHub::start([("a/b/main/config.json", file), ("a/b/main/x", StubFile::small("{}"))]);
    let mut cache = empty_cache(&hub);
    cache.options.token = Some("hf_secret".to_owned());
    let error = cache.fetch().unwrap_err();
    assert!(matches!(error, Error::Hub(HubError::Answer { .. })), "{error:?}");
    assert_eq!(hub.requests().len(), 1, "the other host got a request");
}

#[test]
fn offline_options_use_only_the_cache() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    cache.options.offline = Some(Offline::Variable("HF_HUB_OFFLINE"));
    let error = cache.fetch().unwrap_err();
    assert_eq!(error.to_string(), "a/b: not in the cache, and HF_HUB_OFFLINE forbids downloads");
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("unset HF_HUB_OFFLINE, or "), "{hint}");
    // The reason stays the same for a recorded name.
    assert_eq!(cache.options.recorded().offline, cache.options.offline);

    cache.options.offline = None;
    let recorded = cache.options.recorded();
    let error = fetch("a/b", Some("v1"), &recorded, &mut |_| {}).unwrap_err();
    let message =
        "a/b@v1: not in the cache, and a name that was read from a file is not downloaded";
    assert_eq!(error.to_string(), message);
    assert_eq!(error.hint().unwrap(), "open a/b@v1 by its own name to download it");
    assert_eq!(hub.requests(), [""; 0]);
    // Cached files are used either way.
    let folder = cache.fetch().unwrap();
    assert_eq!(fetch("a/b", None, &recorded, &mut |_| {}).unwrap(), folder);
    cache.options.offline = Some(Offline::Variable("TRANSFORMERS_OFFLINE"));
    assert_eq!(cache.fetch().unwrap(), folder);
}
