//! One writer at a time: who holds a lock, and since when.
//!
//! A lock is a file that stays, so that no two hold locks on two files of one
//! name. The system's own lock on it decides, which a process loses however it
//! dies; what stands in it is for people. A name that is found in a lock which
//! nobody holds is that of a process that was killed: the lock is taken over, and
//! [`Lock::before`] says from whom.
//!
//! The names are fixed, so that a file of the user's may bear one, or a link to it: a
//! link is refused ([`interrogate::output`]), and so is a file that is neither empty
//! nor a lock. Nothing is written to either.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use interrogate::limits::LOCK as MOST;
use interrogate::{Error, Result, output};
use serde_json::{Map, Value};

/// The lock's name in an index's folder.
pub(crate) const LOCK: &str = "build.lock";

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
    /// [`Error::Io`] where the file cannot be made, or not be locked;
    /// [`Error::Mismatch`] for a link, and for a file that is neither empty nor a lock.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, Option<Holder>>> {
        let file = output::open(path)?;
        let held = match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        };
        let content = read(&file);
        if held {
            return Ok(Err(content.ok().flatten().and_then(|(holder, _)| holder)));
        }
        let Some((before, kept)) = content.map_err(Error::io("read", path))? else {
            let expected = "an empty file, or what a run left here";
            return Err(Error::mismatch(path, "content", expected, "a file of another program"));
        };
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

    /// Keeps `values`, as a line of JSON, in the file for those who take the lock after
    /// this.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&mut self, values: &Map<String, Value>) -> io::Result<()> {
        self.kept = serde_json::to_string(values)?;
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

/// Who stands in a lock's file, and what is kept there; `None` where the file is no
/// lock's.
fn read(mut file: &File) -> io::Result<Option<(Option<Holder>, String)>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 <= MOST;
    Ok(String::from_utf8(bytes).ok().filter(|_| whole).and_then(|text| parse(&text)))
}

/// A lock is empty, or begins with a line for its holder, which is empty where nobody
/// holds it, and a line of JSON for what is kept. What a kill left behind these two
/// does not count.
fn parse(text: &str) -> Option<(Option<Holder>, String)> {
    if text.is_empty() {
        return Some((None, String::new()));
    }
    let (first, rest) = text.split_once('\n')?;
    let kept = rest.split_once('\n').map_or("", |(kept, _)| kept);
    let is_kept = || serde_json::from_str::<Map<String, Value>>(kept).is_ok();
    match Holder::from_line(first) {
        Some(holder) if kept.is_empty() || is_kept() => Some((Some(holder), kept.to_owned())),
        None if first.is_empty() && is_kept() => Some((None, kept.to_owned())),
        _ => None,
    }
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
        let holder = Holder { pid, since, host: words.next().map(str::to_owned) };
        words.next().is_none().then_some(holder)
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
        let kept = r#"{"what":"was kept, and more than is now"}"#;
        fs::write(&path, format!("4711 1764057600 atlas\n{kept}\n")).unwrap();
        let mut lock = taken(&path);
        let before = lock.before().unwrap().to_string();
        assert_eq!(before, "pid 4711 on atlas, since 2025-11-25 08:00 UTC");
        assert_eq!(lock.kept(), kept);
        lock.keep(&Map::from_iter([("a".to_owned(), "b".into())])).unwrap();
        drop(lock);
        assert_eq!(fs::read(&path).unwrap(), b"\n{\"a\":\"b\"}\n");
        let lock = taken(&path);
        assert_eq!((lock.before(), lock.kept()), (None, r#"{"a":"b"}"#));
    }

    #[test]
    fn what_a_kill_leaves_behind_a_lock_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        // Shorter lines over longer ones, killed before the file was cut.
        for (text, before) in [
            ("47 1764057600\nas\n", false),
            ("47 1764057600\n", true),
            ("47 1764057600 atlas", false),
            ("47 1764057600\n{}\n\":1}\n", true),
            ("\n{}\nrest", false),
        ] {
            fs::write(&path, text).unwrap();
            match Lock::take(&path) {
                Ok(lock) => assert_eq!(lock.unwrap().before().is_some(), before, "{text:?}"),
                Err(_) => assert!(!before && !text.starts_with('\n'), "{text:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_is_no_lock_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        let long = vec![b'\n'; MOST as usize + 1];
        for text in [
            &b"4711\n"[..],
            b"x y z\n",
            b"\xff\xff",
            b"\n\n\n",
            b"-1 5 h\n",
            b"\nnotes\n",
            b"1 2 3 4\n",
            &long,
        ] {
            fs::write(&path, text).unwrap();
            let error = Lock::take(&path).unwrap_err().to_string();
            let tail = "content: expected an empty file, or what a run left here, \
                        found a file of another program";
            assert_eq!(error, format!("{}: {tail}", path.display()));
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_and_what_it_leads_to_stays() {
        for link in [
            |to: &Path, at: &Path| fs::hard_link(to, at),
            |to: &Path, at: &Path| std::os::unix::fs::symlink(to, at),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (mine, path) = (folder.path().join("mine"), folder.path().join(LOCK));
            fs::write(&mine, "").unwrap();
            link(&mine, &path).unwrap();
            let error = Lock::take(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), b"");
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
