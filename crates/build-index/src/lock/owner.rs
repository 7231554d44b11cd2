//! The process that holds a lock.

use std::fmt;
use std::fs;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

/// The process that holds a lock, or held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    /// The process's id.
    pub pid: u32,
    /// The machine's name, if it is known.
    pub host: Option<String>,
    /// When the lock was acquired, in seconds since 1970 (UTC).
    pub since: u64,
}

impl LockOwner {
    /// This process, from now on.
    pub(super) fn current() -> Self {
        // Linux only; elsewhere there is no name.
        let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.map(|host| host.trim().to_owned());
        let host = host.filter(|h| !h.is_empty() && !h.contains(char::is_whitespace));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        LockOwner { pid: process::id(), host, since }
    }

    /// Formats the line of a lock file: `4711 1764057600 atlas`, without the host where
    /// it is unknown.
    pub(super) fn to_line(&self) -> String {
        let LockOwner { pid, host, since } = self;
        let host = host.as_ref().map_or_else(String::new, |host| format!(" {host}"));
        format!("{pid} {since}{host}")
    }

    /// Parses a line of [`to_line`](Self::to_line).
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (pid, since) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let owner = LockOwner { pid, since, host: words.next().map(str::to_owned) };
        words.next().is_none().then_some(owner)
    }
}

/// `pid 4711 on atlas, since 2025-11-25 08:00 UTC`.
impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        if let Some(host) = &self.host {
            write!(f, " on {}", host.escape_debug())?;
        }
        let (year, month, day) = date(self.since / 86_400);
        let minutes = self.since % 86_400 / 60;
        let (hour, minute) = (minutes / 60, minutes % 60);
        write!(f, ", since {year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }
}

/// Returns the Gregorian date of a day since 1970. Years are counted from March, so that
/// a leap day is the last day of its year, in eras of 400 years or 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468); // from 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March; five months have 153 days
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_parsed_back() {
        for host in [None, Some("atlas".to_owned())] {
            let owner = LockOwner { pid: 4711, since: 1_764_057_600, host };
            assert_eq!(LockOwner::parse(&owner.to_line()), Some(owner));
        }
        for line in ["", "4711", "x y", "-1 5 h", "1 2 3 4"] {
            assert_eq!(LockOwner::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_454), (2026, 1, 1));
        let _ = date(u64::MAX / 86_400); // no overflow
    }
}
