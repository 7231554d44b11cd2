//! The least speed of a transfer.

use std::time::{Duration, Instant};

/// The least speed of a transfer: a server that sends a byte now and then keeps every
/// timeout and never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second, on average.
    pub bytes: u64,
    /// The time over which the average is taken.
    pub over: Duration,
}

impl Default for Pace {
    /// 1,000 bytes a second over a minute.
    fn default() -> Self {
        Pace { bytes: 1000, over: Duration::from_secs(60) }
    }
}

/// Holds one transfer against a [`Pace`].
pub(super) struct Watch {
    pace: Pace,
    since: Instant,
    bytes: u64,
}

impl Watch {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        Watch { pace, since: now, bytes: 0 }
    }

    /// So many more bytes have come by `now`: whether that is too slow.
    pub(super) fn is_slow(&mut self, bytes: u64, now: Instant) -> bool {
        self.bytes += bytes;
        let spent = now.saturating_duration_since(self.since);
        if spent < self.pace.over {
            return false;
        }
        let slow = (self.bytes as f64) < self.pace.bytes as f64 * spent.as_secs_f64();
        (self.since, self.bytes) = (now, 0);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_below_the_pace_is_slow() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(Pace::default(), start);
        // A byte a second, for a minute.
        assert!((1..60).all(|second| !watch.is_slow(1, at(second))));
        assert!(watch.is_slow(1, at(60)));
        // Then enough in one burst, and again too little.
        assert!(!watch.is_slow(60_000, at(61)));
        assert!((62..120).all(|second| !watch.is_slow(0, at(second))));
        assert!(!watch.is_slow(0, at(120)));
        assert!(watch.is_slow(59_000, at(180)));
    }
}
