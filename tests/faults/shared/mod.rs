//! Faults for both harnesses: random kills, a full disk, and a folder without write
//! permission.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The path of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The number of kills: `short`, or FAULTS in a long run (`tests/faults/run`).
pub(crate) fn kill_count(short: usize) -> usize {
    std::env::var("FAULTS").map_or(short, |count| count.parse().unwrap())
}

/// A generator of random numbers, the same in each run: SplitMix64 (Steele, Lea and Flood
/// 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number, 0 to 1.
    pub(crate) fn sample(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Runs to the end. Returns the output and the time.
pub(crate) fn timed(command: &mut Command) -> (Output, Duration) {
    let start = Instant::now();
    let output = command.output().unwrap();
    (output, start.elapsed())
}

/// Starts `command` and kills it (SIGKILL) after `time`. Returns `false` if it has exited by
/// then, which must be with `code`.
#[track_caller]
pub(crate) fn killed_after(command: &mut Command, time: Duration, code: i32) -> bool {
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

/// The number of unfinished files in a folder.
pub(crate) fn drafts(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".interrogate-")).count()
}

/// Waits until `reached` returns true and returns the process; `None` if it exits before.
pub(crate) fn wait_until(
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

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A separate disk (tmpfs), which only root can mount.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// Mounts a disk of `bytes` at `path`, which is created. Prints a line and returns `None`
    /// if that is not possible.
    pub(crate) fn new(path: PathBuf, bytes: usize) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        if !mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"], &path) {
            println!("skipped: mounting a disk requires Linux and root");
            return None;
        }
        Some(Disk(path))
    }

    /// Sets the size to `bytes`, which keeps the files.
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

/// Makes `command` run as a user whom permissions bind: `nobody` if root runs the test. The
/// user must own what the command writes: [`give_away`].
#[cfg(unix)]
pub(crate) fn unprivileged(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    if is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

/// Makes the user of [`unprivileged`] the owner of `path` and its content.
#[cfg(unix)]
pub(crate) fn give_away(path: &Path) {
    if !is_root() {
        return;
    }
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path()));
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
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
