//! Lists and configurations that are not regular files: pipes, devices and standard input.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::hostile::{expect, run_to_end};
use crate::run::{Folder, repository};

/// The commands that read a list or a configuration, here `LIST`.
const COMMANDS: [&[&str]; 5] = [
    &["prompt", "photos/cat.jpg", "--list", "own=LIST"],
    &["prompt", "photos/cat.jpg", "--deny", "LIST"],
    &["embed", "images", "--filelist", "LIST", "--model", "MODEL"],
    &["embed", "prompts", "LIST"],
    &["execute", "--model", "blip2", "--data-path", "photos", "--extend-path", "LIST"],
];

fn fill(args: &[&str], list: &str) -> Vec<String> {
    let model = repository().join("tests/fixtures/clip/quick");
    let filled = |arg: &&str| arg.replace("LIST", list).replace("MODEL", model.to_str().unwrap());
    args.iter().map(filled).collect()
}

#[track_caller]
fn stderr_of_failure(folder: &Folder, command: &[&str], list: &str) -> String {
    let args = fill(command, list);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    expect(&run_to_end(folder, &args), 2)
}

/// The pipe has no writer, and the device has no end.
#[test]
fn pipes_and_endless_devices_are_refused() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(folder.path("socket")).unwrap();
    for command in COMMANDS {
        for (list, found) in [("pipe", "a pipe"), ("socket", "a socket")] {
            let stderr = stderr_of_failure(&folder, command, list);
            let expected = format!("{list}: kind: expected a file, found {found}");
            assert!(stderr.contains(&expected), "{command:?}: {stderr}");
        }
        let stderr = stderr_of_failure(&folder, command, "/dev/zero");
        let contains = |part| stderr.contains(part);
        assert!(contains("/dev/zero") && contains(": expected at most "), "{command:?}: {stderr}");
    }
    // A folder's name is a valid prompt.
    for command in COMMANDS.iter().filter(|command| command[1] != "prompts") {
        let stderr = stderr_of_failure(&folder, command, "dicts");
        assert!(
            stderr.contains("dicts: kind: expected a file, found a folder"),
            "{command:?}: {stderr}"
        );
    }
}

/// A line without an end is refused once it exceeds the limit.
#[test]
fn endless_stdin_is_an_error() {
    let folder = Folder::new();
    let device = |name: &str| Stdio::from(File::open(name).unwrap());
    let mut command = folder.command(&["embed", "images", "--filelist", "/dev/stdin"]);
    let output = command.stdin(device("/dev/zero")).output().unwrap();
    let stderr = expect(&output, 2);
    assert!(
        stderr.contains("/dev/stdin:1: length: expected at most 65536 bytes, found more"),
        "{stderr}"
    );
    let output = folder.command(&["embed", "images", "--filelist", "/dev/null"]).output().unwrap();
    assert!(expect(&output, 2).contains("/dev/null: no path in this list"));
}

/// A shell's `<(…)` is a pipe below /dev, and so is `/dev/stdin` after `|`.
#[test]
fn fifo_with_a_writer_is_read() {
    let folder = Folder::new();
    let piped = |args: &[&str], bytes: &str| {
        let mut command = folder.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
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
