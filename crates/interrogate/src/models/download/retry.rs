//! Retries: which failures are tried again, how often, and after what delay.

use std::time::{Duration, SystemTime};

use ureq::Body;
use ureq::http::Response;

use super::header;
use crate::error::HubError;
use crate::{Error, Result, limits};

/// Why an attempt failed, and whether another may succeed.
pub(super) enum Failure {
    /// Retried.
    Transient(Error),
    /// Retried after at least this delay, which the hub asks for.
    Busy(Error, Duration),
    /// Not retried.
    Permanent(Error),
}

impl Failure {
    /// A connection that failed or broke off.
    pub(super) fn connection(url: &str, source: ureq::Error) -> Self {
        Failure::Transient(Error::Hub(HubError::Network {
            url: url.to_owned(),
            source: source.into(),
        }))
    }
}

/// Runs `attempt` until it succeeds, fails permanently, or `retries` are used up. Waits between
/// attempts for [`delay`].
pub(super) fn retry<T>(retries: u32, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
    let mut failed = 0;
    loop {
        let (error, requested) = match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Transient(error)) => (error, Duration::ZERO),
            Err(Failure::Busy(error, requested)) => (error, requested),
        };
        if failed >= retries {
            return Err(error);
        }
        std::thread::sleep(delay(failed, requested));
        failed += 1;
    }
}

/// Returns the delay before the next attempt: 0.25 s, doubled after each failure up to 8 s, or
/// `requested` if that is longer, up to [`limits::RETRY_AFTER`].
fn delay(failed: u32, requested: Duration) -> Duration {
    let backoff = Duration::from_millis(250 << failed.min(5));
    backoff.max(requested.min(Duration::from_secs(limits::RETRY_AFTER)))
}

/// Returns the delay that a response asks for.
pub(super) fn requested_delay(response: &Response<Body>) -> Duration {
    let value = header(response.headers(), "retry-after");
    value.and_then(|v| parse_retry_after(v.trim(), SystemTime::now())).unwrap_or_default()
}

/// Parses `Retry-After`: seconds or a date (RFC 9110, 10.2.3).
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let date = || httpdate::parse_http_date(value).ok()?.duration_since(now).ok();
    value.parse().ok().map(Duration::from_secs).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let seconds = |value| parse_retry_after(value, now).map(|delay| delay.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:00 GMT"), Some(23));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:50:00 GMT"), Some(23));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), None);
        assert_eq!((seconds("soon"), seconds("-1"), seconds("")), (None, None, None));
        assert_eq!(delay(0, Duration::ZERO), Duration::from_millis(250));
        assert_eq!(delay(9, Duration::from_secs(2)), Duration::from_secs(8));
        assert_eq!(delay(0, Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(delay(0, Duration::from_secs(u64::MAX)).as_secs(), limits::RETRY_AFTER);
    }
}
