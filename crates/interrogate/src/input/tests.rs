use std::path::PathBuf;

use super::*;
use crate::limits::{LIST, SMALL_FILE};

/// What an error says, the folder left out.
fn said<T>(folder: &Path, result: Result<T>) -> String {
    let folder = format!("{}/", folder.display());
    result.err().unwrap().to_string().replace(&folder, "")
}

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_file_is_read_up_to_its_limit_and_no_further() {
    let (folder, path) = file("a", b"abc");
    for read in [read, read_file_or_pipe] {
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(
            said(folder.path(), read(&path, 2)),
            "a: size: expected at most 2 bytes, found 3"
        );
        assert_eq!(said(folder.path(), read(&folder.path().join("b"), 9)), "cannot read b");
        let error = read(folder.path(), 9).unwrap_err().to_string();
        // Windows opens no folder.
        assert!(!cfg!(unix) || error.ends_with(": kind: expected a file, found a folder"));
    }
    assert_eq!(said(folder.path(), open(&folder.path().join("b"))), "cannot open b");
}

#[test]
fn a_file_that_says_it_has_a_terabyte_takes_no_room() {
    let (folder, path) = file("a", b"");
    if File::options().write(true).open(&path).unwrap().set_len(1 << 40).is_err() {
        return; // a file system without files of that size
    }
    let expected = "a: size: expected at most 67108864 bytes, found 1099511627776";
    assert_eq!(said(folder.path(), read(&path, SMALL_FILE)), expected);
    assert_eq!(said(folder.path(), read_file_or_pipe(&path, SMALL_FILE)), expected);
}

#[test]
fn text_is_utf8() {
    let (folder, path) = file("a", b"caf\xe9");
    let said = said(folder.path(), read_text(&path, 9));
    assert!(said.starts_with("a: text: expected UTF-8, found incomplete utf-8"), "{said}");
    fs::write(&path, "café").unwrap();
    assert_eq!(read_text(&path, 9).unwrap(), "café");
}

#[test]
fn a_stream_must_end_within_the_limit() {
    let path = Path::new("standard input");
    assert_eq!(read_stream(path, &b"abc"[..], 3).unwrap(), b"abc");
    let error = read_stream(path, std::io::repeat(0), 1 << 20).unwrap_err().to_string();
    assert_eq!(error, "standard input: size: expected at most 1048576 bytes, found more");
}

#[cfg(unix)]
mod unix {
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    /// Nobody writes to the pipe, and the device does not end.
    #[test]
    fn what_is_no_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = UnixListener::bind(path("socket")).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        symlink("pipe", path("link")).unwrap();
        for (name, found) in
            [("pipe", "a pipe"), ("link", "a pipe"), ("socket", "a socket"), ("device", "a device")]
        {
            let expected = format!("{name}: kind: expected a file, found {found}");
            assert_eq!(said(folder.path(), read(&path(name), SMALL_FILE)), expected);
            assert_eq!(said(folder.path(), open(&path(name))), expected);
            assert_eq!(said(folder.path(), crate::mmap::Mmap::open(&path(name))), expected);
            if name != "device" {
                assert_eq!(
                    said(folder.path(), read_file_or_pipe(&path(name), SMALL_FILE)),
                    expected
                );
            }
        }
    }

    /// A device ends, or it does not: that is seen soon.
    #[test]
    fn a_device_that_was_named_is_read_as_far_as_one_types() {
        assert_eq!(read_file_or_pipe(Path::new("/dev/null"), LIST).unwrap(), b"");
        let error = read_file_or_pipe(Path::new("/dev/zero"), LIST).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: size: expected at most 16777216 bytes, found more");
    }

    /// As a shell's `<(…)` does, more than a pipe holds.
    #[test]
    fn a_pipe_that_is_open_already_is_read_to_its_end() {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sent: Vec<u8> = (0..300_000).map(|n| n as u8).collect();
        let written = sent.clone();
        let writing = std::thread::spawn(move || writer.write_all(&written));
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        assert_eq!(read_file_or_pipe(&path, LIST).unwrap(), sent);
        writing.join().unwrap().unwrap();
    }
}
