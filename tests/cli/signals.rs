//! Signals: which of them end a run, what is written by then, and the exit codes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::default_signals;
use crate::run::{Folder, repository};
use crate::user_folders::isolate;

const HUP: u32 = 1;
const INT: u32 = 2;
const TERM: u32 = 15;

/// The signals that end a run, with their exit codes.
const EXIT_CODES: [(u32, i32); 3] = [(INT, 130), (TERM, 143), (HUP, 129)];

fn model() -> String {
    repository().join("tests/fixtures/clip/quick").to_str().unwrap().to_owned()
}

fn captioner() -> String {
    repository().join("tests/fixtures/caption/blip").to_str().unwrap().to_owned()
}

/// Whether `signal` is in one of the sets of /proc/PID/status.
fn is_in(set: &str, child: &Child, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}

/// Waits until the run handles `signal`: the handlers are set one after another.
fn wait_for_handler(child: &Child, signal: u32) {
    while !is_in("SigCgt:", child, signal) {
        sleep(Duration::from_millis(1));
    }
}

fn send(child: &Child, signal: u32) {
    let args = [format!("-{signal}"), child.id().to_string()];
    assert!(Command::new("kill").args(args).status().unwrap().success());
}

/// Checks that the run exits with `code`. A run that hangs also hangs the test.
#[track_caller]
fn expect_exit(child: Child, code: i32) -> String {
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), ended.status.signal()), (Some(code), None), "{stderr}");
    stderr
}

#[test]
fn signal_ignored_at_the_start_stays_ignored() {
    let folder = Folder::new();
    let program = env!("CARGO_BIN_EXE_interrogate");
    let mut shell = Command::new("sh");
    // As nohup and a script's `&` start a program.
    shell.args(["-c", "trap '' HUP INT; exec \"$0\" \"$@\"", program]);
    shell.args(["embed", "images", "--filelist", "-", "--model", &model()]);
    isolate(shell.current_dir(folder.path("")), &folder.path(""));
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    // The shell catches no SIGTERM.
    wait_for_handler(&child, TERM);
    for ignored in [HUP, INT] {
        assert!(is_in("SigIgn:", &child, ignored) && !is_in("SigCgt:", &child, ignored));
    }
    send(&child, HUP);
    send(&child, INT);
    child.stdin.take().unwrap().write_all(b"photos/cat.jpg\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(ended.stdout.starts_with(br#"{"image":"photos/cat.jpg""#));
}

#[test]
fn signal_ends_a_run_that_waits_for_stdin() {
    let folder = Folder::new();
    default_signals::restore();
    for command in [
        &["embed", "images", "--filelist", "-", "--model", &model()][..],
        &["embed", "texts", "-"],
        &["embed", "prompts", "-"],
        &["rank", "--filelist", "-", "--model", &model()],
        &["prompt", "-", "--model", &model()],
        &["similarity", "photos/cat.jpg", "-", "--model", &model()],
        &["caption", "-", "--caption-model", &captioner()],
    ] {
        for (signal, code) in EXIT_CODES {
            let mut child = folder.command(command);
            let mut child = child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let stdin = child.stdin.take();
            wait_for_handler(&child, signal);
            send(&child, signal);
            expect_exit(child, code);
            drop(stdin);
        }
    }
}

/// Writes 400 images of one pixel whose names together fill a pipe.
fn write_images(folder: &Folder) {
    let mut bmp =
        b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bmp.resize(58, 0);
    for image in 0..400 {
        folder.write(&format!("many/{image:03}{}.bmp", "x".repeat(200)), &bmp);
    }
}

#[test]
fn signal_ends_a_run_whose_pipe_is_full() {
    default_signals::restore();
    let folder = Folder::new();
    write_images(&folder);
    for (signal, code) in EXIT_CODES {
        let mut command = folder.command(&["embed", "images", "many", "--model", &model()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // The run has begun to write; the pipe holds 64 KiB, less than all rows.
        stdout.read_exact(&mut [0]).unwrap();
        send(&child, signal);
        expect_exit(child, code);
        drop(stdout);
    }
}

#[test]
fn signal_keeps_written_rows_and_sets_the_exit_code() {
    default_signals::restore();
    let folder = Folder::new();
    write_images(&folder);
    for (signal, code) in EXIT_CODES {
        let args =
            ["embed", "images", "many", "--model", &model(), "-o", "out.jsonl", "--overwrite"];
        let args = [&args[..], &["--batch-size", "1"]].concat();
        let out = folder.path("out.jsonl");
        let _ = fs::remove_file(&out);
        let child = folder.command(&args).stderr(Stdio::piped()).spawn().unwrap();
        while fs::metadata(&out).map_or(0, |file| file.len()) == 0 {
            sleep(Duration::from_millis(1));
        }
        send(&child, signal);
        let stderr = expect_exit(child, code);
        assert!(stderr.contains("interrupted: continue with\n"), "{stderr}");
        let rows = fs::read_to_string(&out).unwrap();
        assert!(rows.ends_with('\n') && rows.lines().count() < 400);
        assert!(rows.lines().all(|row| serde_json::from_str::<serde_json::Value>(row).is_ok()));
    }
}

/// A second signal ends the process in its handler, whatever its threads do. A run that
/// exits between the two signals, with the code of the first, is repeated.
#[test]
fn second_signal_ends_a_run_immediately() {
    default_signals::restore();
    let folder = Folder::new();
    write_images(&folder);
    let code_of_second = || {
        let mut command = folder.command(&["embed", "images", "many", "--model", &model()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0]).unwrap();
        send(&child, INT);
        // The first message shows that the signal was handled.
        child.stderr.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
        send(&child, TERM);
        child.wait().unwrap().code()
    };
    let mut codes = (0..50).map(|_| code_of_second()).inspect(|&code| {
        assert!(matches!(code, Some(130 | 143)), "{code:?}");
    });
    assert!(codes.any(|code| code == Some(143)));
}

/// A file at the size limit is an error (EFBIG); SIGXFSZ does not end the process.
#[test]
fn file_size_limit_is_an_error() {
    let folder = Folder::new();
    write_images(&folder);
    for out in ["out.jsonl", "out.csv", "out.parquet"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_interrogate")]);
        shell.args(["embed", "images", "many", "--model", &model(), "-o", out]);
        isolate(shell.current_dir(folder.path("")), &folder.path(""));
        let ended = shell.output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), ended.status.signal()), (Some(2), None), "{stderr}");
        assert!(stderr.contains("File too large"), "{stderr}");
    }
}
