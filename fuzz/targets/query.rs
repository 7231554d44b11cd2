//! Sums of images and texts: what parses round-trips through its text.

#![no_main]

use interrogate::query::Query;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = match text.parse::<Query>() {
        Ok(query) => query,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(!query.terms().is_empty());
    assert_eq!(query.images().count() + query.texts().count(), query.terms().len());
    assert_eq!(query.to_string().parse::<Query>().expect("as shown"), query);
    if let Ok(features) = query.features(|_| Ok([0.6f32, 0.8])) {
        assert_eq!(features.dim(), 2);
    }
});
