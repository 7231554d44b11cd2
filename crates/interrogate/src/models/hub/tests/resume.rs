//! Interrupted, wrong and slow downloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::error::HubError;
use crate::models::MinSpeed;

#[test]
fn interrupted_download_is_resumed_by_the_next_call() {
    let hub = hub();
    let cache = empty_cache(&hub);
    hub.change(WEIGHTS_OF, |file| file.cut_after = vec![1_000_000]);
    let error = cache.fetch().unwrap_err();
    assert!(matches!(error, Error::Hub(HubError::Network { .. })), "{error:?}");
    assert!(!cache.has_weights());
    let (name, kept) = cache.blobs().into_iter().find(|(n, _)| n.ends_with(".incomplete")).unwrap();
    assert!(kept > 0 && kept <= 1_000_000, "{name} {kept}");
    hub.requests();

    let folder = cache.fetch().unwrap();
    let range = format!(" bytes={kept}-");
    assert!(hub.requests().iter().any(|line| line.starts_with("GET") && line.ends_with(&range)));
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn cancelled_download_is_resumed_by_the_next_call() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    cache.options.retries = 5; // cancelling is final
    let cancel = Arc::new(AtomicBool::new(false));
    cache.options.cancel = Some(Arc::clone(&cancel));
    let error = fetch("a/b", None, &cache.options, &mut |progress| {
        cancel.store(progress.file.ends_with(".safetensors"), Ordering::Relaxed);
    });
    assert!(matches!(error, Err(Error::Interrupted)), "{error:?}");
    assert!(!cache.has_weights());
    let (_, kept) = cache.blobs().into_iter().find(|(n, _)| n.ends_with(".incomplete")).unwrap();
    assert!(kept > 0 && kept < weights().len() as u64, "{kept}");

    cancel.store(false, Ordering::Relaxed);
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn interrupted_download_is_retried_up_to_the_limit() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    cache.options.retries = 1;
    hub.change(WEIGHTS_OF, |file| file.cut_after = vec![1_000_000]);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![503]);
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());

    let other = empty_cache(&hub);
    hub.change("a/b/main/config.json", |file| file.statuses = vec![503, 503]);
    let error = other.fetch().unwrap_err();
    assert!(error.to_string().ends_with("config.json: the hub fails with status 503"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn ignored_range_restarts_the_download() {
    let hub = hub();
    let cache = empty_cache(&hub);
    hub.change(WEIGHTS_OF, |file| (file.cut_after, file.ignores_range) = (vec![1_000_000], true));
    cache.fetch().unwrap_err();
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn partial_file_over_the_size_is_restarted() {
    let hub = hub();
    let cache = empty_cache(&hub);
    let etag = StubFile::large(weights()).etag();
    let blobs = cache.options.cache.join("models--a--b/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{etag}.incomplete")), vec![7; 2_400_001]).unwrap();
    let folder = cache.fetch().unwrap();
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn wrong_size_is_reported_and_the_file_is_not_renamed() {
    for announced in [2_400_004, 2_399_996] {
        let hub = hub();
        let cache = empty_cache(&hub);
        hub.change(WEIGHTS_OF, |file| file.reported_size = Some(announced));
        let error = cache.fetch().unwrap_err();
        assert!(
            matches!(error, Error::Hub(HubError::Size { expected, .. }) if expected == announced),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("/model.safetensors: expected {announced} bytes, found ")),
            "{text}"
        );
        assert!(error.hint().is_some());
        assert!(!cache.has_weights());
    }
}

#[test]
fn wrong_digest_is_reported_and_the_file_is_emptied() {
    let hub = hub();
    let cache = empty_cache(&hub);
    let etag = StubFile::large(weights()).etag();
    // A partial file with other content: the size will match, but not the digest.
    let blobs = cache.options.cache.join("models--a--b/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{etag}.incomplete"));
    std::fs::write(&part, b"not these bytes").unwrap();
    let error = cache.fetch().unwrap_err();
    assert!(error.to_string().contains(&format!("expected the sha256 {etag}, found ")), "{error}");
    assert!(error.hint().is_some());
    assert!(!cache.has_weights());
    assert_eq!(std::fs::metadata(part).unwrap().len(), 0);
    assert_eq!(std::fs::read(cache.fetch().unwrap().join(SAFETENSORS.whole)).unwrap(), weights());
}

/// The next call resumes the download.
#[test]
fn download_below_the_minimum_speed_is_ended() {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    cache.options.min_speed = MinSpeed { bytes_per_second: u64::MAX, window: Duration::ZERO };
    let error = cache.fetch().unwrap_err();
    let message = full_text(&error);
    assert!(message.contains("fewer than 18446744073709551615 bytes a second"), "{message}");
    assert!(error.hint().unwrap().contains("resumes where it stopped"));
    let parts = cache.blobs().into_iter().filter(|(name, _)| name.ends_with(".incomplete"));
    assert!(parts.into_iter().any(|(_, kept)| kept > 0));
    cache.options.min_speed = MinSpeed::default();
    hub.requests();
    let folder = cache.fetch().unwrap();
    assert!(hub.requests().iter().any(|line| line.starts_with("GET") && line.contains(" bytes=")));
    assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
}

#[test]
fn busy_status_is_retried() {
    for status in [408, 429, 500, 503] {
        let hub = hub();
        let mut cache = empty_cache(&hub);
        cache.options.retries = 1;
        hub.change(WEIGHTS_OF, |file| {
            (file.statuses, file.retry_after) = (vec![status], Some("0"));
        });
        let folder = cache.fetch().unwrap();
        assert_eq!(std::fs::read(folder.join(SAFETENSORS.whole)).unwrap(), weights());
    }
}
