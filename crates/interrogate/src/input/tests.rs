use std::path::PathBuf;

use super::*;
use crate::limits::{LIST, SMALL_FILE};

/// The error's message without the folder.
fn message<T>(folder: &Path, result: Result<T>) -> String {
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
fn a_file_above_the_limit_is_refused() {
    let (folder, path) = file("a", b"abc");
    for read in [read, read_file_or_pipe] {
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(
            message(folder.path(), read(&path, 2)),
            "a: size: expected at most 2 bytes, found 3"
        );
        assert_eq!(message(folder.path(), read(&folder.path().join("b"), 9)), "cannot read b");
        let error = read(folder.path(), 9).unwrap_err().to_string();
        // Windows cannot open a folder.
        assert!(!cfg!(unix) || error.ends_with(": kind: expected a file, found a folder"));
    }
    assert_eq!(message(folder.path(), open(&folder.path().join("b"))), "cannot open b");
}

#[test]
fn a_sparse_file_of_a_terabyte_is_refused_without_allocating() {
    let (folder, path) = file("a", b"");
    if File::options().write(true).open(&path).unwrap().set_len(1 << 40).is_err() {
        return; // the file system does not support files of that size
    }
    let expected = "a: size: expected at most 134217728 bytes, found 1099511627776";
    assert_eq!(message(folder.path(), read(&path, SMALL_FILE)), expected);
    assert_eq!(message(folder.path(), read_file_or_pipe(&path, SMALL_FILE)), expected);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let (folder, path) = file("a", b"caf\xe9");
    let message = message(folder.path(), read_text(&path, 9));
    assert!(message.starts_with("a: text: expected UTF-8, found incomplete utf-8"), "{message}");
    fs::write(&path, "café").unwrap();
    assert_eq!(read_text(&path, 9).unwrap(), "café");
}

#[test]
fn a_stream_above_the_limit_is_refused() {
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

    /// The pipe has no writer, and the device never ends.
    #[test]
    fn pipes_sockets_and_devices_are_refused_without_blocking() {
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
            assert_eq!(message(folder.path(), read(&path(name), SMALL_FILE)), expected);
            assert_eq!(message(folder.path(), open(&path(name))), expected);
            assert_eq!(message(folder.path(), crate::mmap::Mmap::open(&path(name))), expected);
            if name != "device" {
                assert_eq!(
                    message(folder.path(), read_file_or_pipe(&path(name), SMALL_FILE)),
                    expected
                );
            }
        }
    }

    #[test]
    fn a_device_is_read_up_to_its_limit() {
        assert_eq!(read_file_or_pipe(Path::new("/dev/null"), LIST).unwrap(), b"");
        let error = read_file_or_pipe(Path::new("/dev/zero"), LIST).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: size: expected at most 16777216 bytes, found more");
    }

    /// As with a shell's `<(…)`; more bytes than a pipe's buffer holds.
    #[test]
    fn an_open_pipe_is_read_to_its_end() {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sent: Vec<u8> = (0..300_000).map(|n| n as u8).collect();
        let copy = sent.clone();
        let writing = std::thread::spawn(move || writer.write_all(&copy));
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        assert_eq!(read_file_or_pipe(&path, LIST).unwrap(), sent);
        writing.join().unwrap().unwrap();
    }
}
