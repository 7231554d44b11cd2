//! One writer at a time: who holds a lock, and since when.
//!
//! A lock is a file that stays, so that no two hold locks on two files of one
//! name. The system's own lock on it decides, which a process loses however it
//! dies; what stands in it is for people. A name that is found in a lock which
//! nobody holds is that of a process that was killed: the lock is taken over, and
//! [`Lock::before`] says from whom.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use interrogate::{Error, Result, input};

/// The lock's name in an index's folder.
pub(crate) const LOCK: &str = "build.lock";

/// Bytes of a lock that are read at most.
const MOST: u64 = 1 << 20;

/// Who holds a lock, or held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process's id.
    pub pid: u32,
    /// The machine's name, where it is known.
    pub host: Option<String>,
    /// When the lock was taken, in seconds since 1970 (UTC).
    pub since: u64,
}

/// A lock that is held; given back when dropped, or by the system when the
/// process dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
    me: Holder,
    before: Option<Holder>,
    kept: String,
}

impl Lock {
    /// Takes the lock at `path`, a file that is made where there is none. Where
    /// another holds it, the inner error says who, as far as that can be read.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be made, or not be locked.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, Option<Holder>>> {
        let open = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = open.map_err(Error::io("write", path))?;
        let held = match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        };
        let (before, kept) = read(path).unwrap_or_default();
        if held {
            return Ok(Err(before));
        }
        let lock = Lock { file, me: Holder::me(), before, kept };
        // The name is a courtesy to whoever finds the lock taken.
        let _ = lock.write(Some(&lock.me.to_line()));
        Ok(Ok(lock))
    }

    /// Who held the lock and died with it.
    pub fn before(&self) -> Option<&Holder> {
        self.before.as_ref()
    }

    /// What was [`keep`](Self::keep)ed by the last one that did.
    pub fn kept(&self) -> &str {
        &self.kept
    }

    /// Keeps `text`, a line, in the file for those who take the lock after this.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&mut self, text: &str) -> io::Result<()> {
        self.kept = text.to_owned();
        self.write(Some(&self.me.to_line()))
    }

    /// Writes over what stands there, and cuts off what is left of it then: at no
    /// moment is the file without what is kept.
    fn write(&self, holder: Option<&str>) -> io::Result<()> {
        let text = match (holder, self.kept.as_str()) {
            (None, "") => String::new(),
            (holder, kept) => format!("{}\n{kept}\n", holder.unwrap_or_default()),
        };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.write(None);
    }
}

/// Who stands in the file at `path`, and what is kept there.
fn read(path: &Path) -> Result<(Option<Holder>, String)> {
    let text = input::read_text(path, MOST)?;
    let mut lines = text.lines();
    let holder = lines.next().and_then(Holder::from_line);
    Ok((holder, lines.next().unwrap_or_default().to_owned()))
}

impl Holder {
    fn me() -> Self {
        // Linux tells it here; elsewhere the process's id must do.
        let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.map(|host| host.trim().to_owned());
        let host = host.filter(|h| !h.is_empty() && !h.contains(char::is_whitespace));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Holder { pid: process::id(), host, since }
    }

    /// `4711 1764057600 atlas`, the host where it is known.
    fn to_line(&self) -> String {
        let Holder { pid, host, since } = self;
        let host = host.as_ref().map_or_else(String::new, |host| format!(" {host}"));
        format!("{pid} {since}{host}")
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (pid, since) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Holder { pid, since, host: words.next().map(str::to_owned) })
    }
}

/// `pid 4711 on atlas, since 2025-11-25 08:00 UTC`.
impl fmt::Display for Holder {
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

/// The Gregorian date of a day since 1970: years are counted from March, so that a
/// leap day ends one, in eras of 400 of 146,097 days.
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

    fn taken(path: &Path) -> Lock {
        Lock::take(path).unwrap().unwrap()
    }

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        let first = taken(&path);
        let holder = Lock::take(&path).unwrap().unwrap_err().unwrap();
        assert_eq!(holder, first.me);
        assert_eq!(holder.pid, process::id());
        drop(first);
        assert_eq!(taken(&path).before(), None);
        assert_eq!(fs::read(path).unwrap(), b"");
    }

    #[test]
    fn the_lock_of_a_dead_one_is_taken_over_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        fs::write(&path, "4711 1764057600 atlas\nwhat was kept, and more than is now\n").unwrap();
        let mut lock = taken(&path);
        let before = lock.before().unwrap().to_string();
        assert_eq!(before, "pid 4711 on atlas, since 2025-11-25 08:00 UTC");
        assert_eq!(lock.kept(), "what was kept, and more than is now");
        lock.keep("new").unwrap();
        drop(lock);
        assert_eq!(fs::read(&path).unwrap(), b"\nnew\n");
        let lock = taken(&path);
        assert_eq!((lock.before(), lock.kept()), (None, "new"));
    }

    #[test]
    fn whatever_stands_there_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        for text in [&b"4711\n"[..], b"x y z\n", b"\xff\xff", b"\n\n\n", b"-1 5 h"] {
            fs::write(&path, text).unwrap();
            assert_eq!(taken(&path).before(), None, "{text:?}");
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
