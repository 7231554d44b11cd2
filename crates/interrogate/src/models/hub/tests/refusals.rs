//! Repositories that are missing, gated, private or disabled, and tokens that are refused.

use super::*;

/// The error for `a/b` when the hub answers its first request with a status and a header, and
/// its hint.
fn refused(status: u16, reason: (&'static str, &'static str), token: bool) -> (String, String) {
    let hub = hub();
    let mut cache = empty_cache(&hub);
    cache.options.token = token.then(|| "hf_secret".to_owned());
    hub.change("a/b/main/config.json", |file| {
        (file.statuses, file.reason) = (vec![status], Some(reason));
    });
    let error = cache.fetch().unwrap_err();
    assert!(!full_text(&error).contains("secret"), "{error:?}");
    assert_eq!(hub.requests().len(), 1); // it is not retried, and no other file is requested
    let text = |text: String| text.replace(&hub.endpoint(), "HUB");
    (text(error.to_string()), text(error.hint().unwrap()))
}

const CODE: &str = "X-Error-Code";

#[test]
fn missing_or_private_repository_is_reported() {
    for (status, token) in [(401, false), (404, true)] {
        let (message, hint) = refused(status, (CODE, "RepoNotFound"), token);
        assert_eq!(message, "a/b: no such repository on HUB, or a private one");
        assert!(hint.contains("renamed or deleted") && hint.contains("HF_TOKEN"), "{hint}");
        assert_eq!(hint.contains("HUB/settings/tokens"), !token, "{hint}");
    }
}

#[test]
fn gated_repository_is_reported_with_its_page() {
    for (status, token) in [(401, false), (403, true)] {
        let (message, hint) = refused(status, (CODE, "GatedRepo"), token);
        assert_eq!(message, "a/b: access must be requested from its owner");
        assert!(hint.starts_with("request access on HUB/a/b"), "{hint}");
        assert_eq!(hint.contains("HUB/settings/tokens"), !token, "{hint}");
    }
}

#[test]
fn refused_token_and_disabled_repository_are_reported() {
    let (message, hint) = refused(401, ("X-Error-Message", "Invalid credentials"), true);
    assert!(message.ends_with("config.json: the hub refuses with status 401"), "{message}");
    assert!(hint.contains("invalid, expired") && hint.contains("HF_TOKEN"), "{hint}");
    let disabled = ("X-Error-Message", "Access to this resource is disabled.");
    let (message, hint) = refused(403, disabled, false);
    assert_eq!(message, "a/b: disabled by the hub");
    assert!(!hint.contains("token"), "{hint}");
    // An unknown reason does not change the error.
    let (message, _) = refused(403, (CODE, "Other"), false);
    assert!(message.ends_with("config.json: the hub refuses with status 403"), "{message}");
}

#[test]
fn missing_revision_is_reported() {
    let hub = hub();
    let cache = empty_cache(&hub);
    let missing = StubFile {
        statuses: vec![404; 2],
        reason: Some((CODE, "RevisionNotFound")),
        ..StubFile::default()
    };
    hub.add("a/b/refs/pr/7/config.json", missing);
    let error = fetch("a/b", Some("refs/pr/7"), &cache.options, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "a/b: no revision refs/pr/7");
    assert!(error.hint().unwrap().starts_with("name a/b without a revision"));
}

/// A repository that is gone from the hub still works from the cache.
#[test]
fn cached_repository_outlives_the_hubs() {
    let hub = hub();
    let cache = empty_cache(&hub);
    let folder = cache.fetch().unwrap();
    hub.change("a/b/main/config.json", |file| {
        (file.statuses, file.reason) = (vec![401], Some((CODE, "RepoNotFound")));
    });
    assert_eq!(cache.fetch().unwrap(), folder);
}
