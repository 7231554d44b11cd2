//! What both harnesses break things with: chance, kills, a disk that fills, a folder
//! that may not be written any more.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Kills of a short run; a long one (`tests/faults/run`) names its own in FAULTS.
pub(crate) fn kills(short: usize) -> usize {
    std::env::var("FAULTS").map_or(short, |count| count.parse().unwrap())
}

/// Numbers by chance, the same ones each time: SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// The next one, 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Runs to the end, and says how long it took.
pub(crate) fn timed(command: &mut Command) -> (Output, Duration) {
    let start = Instant::now();
    let output = command.output().unwrap();
    (output, start.elapsed())
}

/// Starts `command` and kills it (SIGKILL) after `time`; `false` where it had come to
/// its end by then, which must be with `code`.
#[track_caller]
pub(crate) fn killed(command: &mut Command, time: Duration, code: i32) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + time;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(code));
            return false;
        }
        sleep((end - Instant::now()).min(Duration::from_millis(2)));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    if let Some(ended) = status.code() {
        assert_eq!(ended, code);
    }
    status.code().is_none()
}

/// Every file of a folder, by name.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// How many files of a folder are in the making.
pub(crate) fn drafts(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".interrogate-")).count()
}

/// The process, once `reached` says that it is where it is waited for; `None` where it
/// has come to its end before.
pub(crate) fn until(
    mut child: Child,
    mut reached: impl FnMut(&mut Child) -> bool,
) -> Option<Child> {
    while !reached(&mut child) {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        sleep(Duration::from_millis(1));
    }
    Some(child)
}

/// What was said on stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A disk of its own (tmpfs), which only root can make.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// A disk of `bytes` at `path`, which is made; `None`, with a line that says so,
    /// where none can be had.
    pub(crate) fn new(path: PathBuf, bytes: usize) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        if !mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"], &path) {
            println!("skipped: a disk of its own takes Linux and root");
            return None;
        }
        Some(Disk(path))
    }

    /// Gives it `bytes`; what is on it stays.
    pub(crate) fn grow(&self, bytes: usize) {
        assert!(mount(&["-o", &format!("remount,size={bytes}"), "tmpfs"], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(args: &[&str], path: &Path) -> bool {
    let mount = Command::new("mount").args(args).arg(path).output();
    mount.is_ok_and(|output| output.status.success())
}

/// Lets `command` run as somebody whom permissions bind: nobody, where root runs it.
/// What it is to write must be given to the user too: [`give`].
#[cfg(unix)]
pub(crate) fn bound(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    match is_root() {
        true => command.uid(NOBODY).gid(NOBODY),
        false => command,
    }
}

/// Gives `path` and what is in it to whom [`bound`] runs as.
#[cfg(unix)]
pub(crate) fn give(path: &Path) {
    if !is_root() {
        return;
    }
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

#[cfg(unix)]
const NOBODY: u32 = 65_534;

#[cfg(unix)]
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Sets the mode of a folder.
#[cfg(unix)]
pub(crate) fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
