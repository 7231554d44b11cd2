//! Mapped files that another program truncates, and files that are read instead: each test
//! runs a child process, which a signal may end.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output};

use interrogate::mmap::{self, Mmap};

/// The environment variable with the path that the child process opens.
const PATH: &str = "TRUNCATED_FILE";

/// Opens the file, truncates it, and reads its first byte.
fn truncate_and_read() -> Option<u8> {
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    let map = Mmap::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    std::hint::black_box(&map).as_ref().first().copied()
}

#[test]
#[ignore = "runs in a child process of the tests below"]
fn child_process_maps() {
    build_index::terminal::report_sigbus();
    truncate_and_read();
}

#[test]
#[ignore = "runs in a child process of the tests below"]
fn child_process_reads() {
    mmap::disable();
    assert_eq!(truncate_and_read(), Some(b'x'));
}

fn run(test: &str, name: &str) -> (Output, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join(name);
    fs::write(&path, "x").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("maps::{test}"), "--ignored", "--nocapture"]);
    (command.env(PATH, &path).output().unwrap(), path)
}

#[cfg(target_os = "linux")]
#[test]
fn truncated_map_is_reported_with_its_exit_code() {
    let (ended, path) = run("child_process_maps", "a \u{1b}[31mshard");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let name = path.to_str().unwrap().replace('\u{1b}', "?");
    let line = format!("error: {name}: truncated by another program while it was mapped\nhint: ");
    assert!(stderr.contains(&line) && stderr.contains("--no-mmap"), "{stderr}");
    assert_eq!(ended.status.code(), Some(128 + 7), "{stderr}");
}

#[test]
fn no_mmap_keeps_the_bytes_that_were_read() {
    let (ended, _) = run("child_process_reads", "shard");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stdout).contains("1 passed"));
}
