//! Lists and configurations that are no files: pipes, devices, and what another program
//! writes.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::hostile::{ends, expect};
use crate::run::{Folder, repository};

/// The ways to name a list or a configuration; it stands where `LIST` does.
const WAYS: [&[&str]; 5] = [
    &["prompt", "photos/cat.jpg", "--list", "own=LIST"],
    &["prompt", "photos/cat.jpg", "--deny", "LIST"],
    &["embed", "images", "--filelist", "LIST", "--model", "MODEL"],
    &["embed", "prompts", "LIST"],
    &["execute", "--model", "blip2", "--data-path", "photos", "--extend-path", "LIST"],
];

fn command(way: &[&str], list: &str) -> Vec<String> {
    let model = repository().join("tests/fixtures/clip/quick");
    let filled = |arg: &&str| arg.replace("LIST", list).replace("MODEL", model.to_str().unwrap());
    way.iter().map(filled).collect()
}

#[track_caller]
fn refused(folder: &Folder, way: &[&str], list: &str) -> String {
    let args = command(way, list);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    expect(&ends(folder, &args), 2)
}

/// Nobody writes to the pipe, and the device does not end.
#[test]
fn pipes_and_endless_devices_are_refused() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(folder.path("socket")).unwrap();
    for way in WAYS {
        for (list, found) in [("pipe", "a pipe"), ("socket", "a socket")] {
            let said = refused(&folder, way, list);
            let told = format!("{list}: kind: expected a file, found {found}");
            assert!(said.contains(&told), "{way:?}: {said}");
        }
        let said = refused(&folder, way, "/dev/zero");
        let told = |part| said.contains(part);
        assert!(told("/dev/zero") && told(": expected at most "), "{way:?}: {said}");
    }
    // A folder's name is a prompt as good as any.
    for way in WAYS.iter().filter(|way| way[1] != "prompts") {
        let said = refused(&folder, way, "dicts");
        assert!(said.contains("dicts: kind: expected a file, found a folder"), "{way:?}: {said}");
    }
}

/// A line that never ends is refused behind the longest that a list may have.
#[test]
fn endless_stdin_is_an_error() {
    let folder = Folder::new();
    let device = |name: &str| Stdio::from(File::open(name).unwrap());
    let mut command = folder.command(&["embed", "images", "--filelist", "/dev/stdin"]);
    let ran = command.stdin(device("/dev/zero")).output().unwrap();
    let said = expect(&ran, 2);
    assert!(
        said.contains("/dev/stdin:1: length: expected at most 65536 bytes, found more"),
        "{said}"
    );
    let ran = folder.command(&["embed", "images", "--filelist", "/dev/null"]).output().unwrap();
    assert!(expect(&ran, 2).contains("/dev/null: no path in this list"));
}

/// `<(…)` of a shell is a pipe below /dev, and so is `/dev/stdin` behind `|`.
#[test]
fn fifo_with_a_writer_is_read() {
    let folder = Folder::new();
    let piped = |args: &[&str], bytes: &str| {
        let mut command = folder.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes.as_bytes()).unwrap();
        let ran = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{args:?}: {said}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let prompt = ["prompt", "photos/cat.jpg", "--min-score", "-1", "--format", "jsonl"];
    let own = piped(&[&prompt[..], &["--list", "own=/dev/stdin"]].concat(), "a hat\na cat\n");
    assert!(own.contains(r#""own":[{"label":"a cat""#), "{own}");
    let denied = piped(&[&prompt[..], &["--deny", "/dev/stdin"]].concat(), "spoons\n");
    assert!(denied.contains("cat photo") && !denied.contains("spoons"), "{denied}");

    let model = repository().join("tests/fixtures/clip/quick");
    let embed = ["embed", "images", "--model", model.to_str().unwrap(), "--filelist"];
    let rows = piped(&[&embed[..], &["/dev/stdin"]].concat(), "photos/cat.jpg\n");
    assert_eq!(rows, piped(&[&embed[..], &["-"]].concat(), "photos/cat.jpg\n"));
    assert!(rows.starts_with(r#"{"image":"photos/cat.jpg""#), "{rows}");

    let texts = "a cat\na hat\n";
    let rows = piped(&["embed", "prompts", "/dev/stdin"], texts);
    assert_eq!(rows.lines().count(), 2);
    assert_eq!(rows, piped(&["embed", "prompts", "-"], texts));
}
