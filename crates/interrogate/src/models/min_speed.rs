//! The minimum speed of a download.

use std::time::{Duration, Instant};

/// The minimum average speed of a download. It ends transfers that a timeout never does: a
/// server that sends a byte now and then keeps every read within the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSpeed {
    /// Bytes per second, on average over `window`.
    pub bytes_per_second: u64,
    /// The time over which the average is taken.
    pub window: Duration,
}

impl Default for MinSpeed {
    /// 1,000 bytes per second over a minute.
    fn default() -> Self {
        MinSpeed { bytes_per_second: 1000, window: Duration::from_secs(60) }
    }
}

/// Measures the speed of one transfer against a [`MinSpeed`].
pub(super) struct SpeedMonitor {
    min_speed: MinSpeed,
    window_start: Instant,
    bytes: u64,
}

impl SpeedMonitor {
    pub(super) fn new(min_speed: MinSpeed, now: Instant) -> Self {
        SpeedMonitor { min_speed, window_start: now, bytes: 0 }
    }

    /// Adds `bytes` received by `now`. At the end of a window, returns whether its average was
    /// too slow, and starts the next.
    pub(super) fn is_too_slow(&mut self, bytes: u64, now: Instant) -> bool {
        self.bytes += bytes;
        let elapsed = now.saturating_duration_since(self.window_start);
        if elapsed < self.min_speed.window {
            return false;
        }
        let least = self.min_speed.bytes_per_second as f64 * elapsed.as_secs_f64();
        let slow = (self.bytes as f64) < least;
        (self.window_start, self.bytes) = (now, 0);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_below_the_minimum_is_too_slow() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut monitor = SpeedMonitor::new(MinSpeed::default(), start);
        // A byte a second, for a minute.
        assert!((1..60).all(|second| !monitor.is_too_slow(1, at(second))));
        assert!(monitor.is_too_slow(1, at(60)));
        // Then enough in one burst, and again too little.
        assert!(!monitor.is_too_slow(60_000, at(61)));
        assert!((62..120).all(|second| !monitor.is_too_slow(0, at(second))));
        assert!(!monitor.is_too_slow(0, at(120)));
        assert!(monitor.is_too_slow(59_000, at(180)));
    }
}
