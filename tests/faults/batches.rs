//! `interrogate`'s batches, disturbed: killed_after, out of disk, out of permission, beside
//! another on the same file. After each the same command goes on, and what stands is
//! byte for byte what an undisturbed run writes. docs/runs has the counts of long
//! runs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "it prints counts and what is skipped")]

mod setup;
mod shared;
#[path = "../../crates/interrogate/src/models/hub/tests/stub_hub.rs"]
#[allow(dead_code, reason = "the tests of the library use more of it")]
mod stub_hub;
#[path = "../user_folders.rs"]
mod user_folders;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use shared::{
    Disk, Random, drafts, files, kill_count, killed_after, repository, stderr, timed, wait_until,
};
use tempfile::TempDir;
use user_folders::isolate;

/// Number of images; every ninth is invalid.
const IMAGES: usize = 48;

/// A folder of images, dictionaries and an index of a small model.
struct Workspace(TempDir);

impl Workspace {
    fn new() -> Self {
        let workspace = Workspace(tempfile::tempdir().unwrap());
        let photo = fs::read(repository().join("tests/fixtures/photos/coffee.jpg")).unwrap();
        for folder in ["photos", "dicts", "indexes"] {
            fs::create_dir(workspace.path(folder)).unwrap();
        }
        for image in 0..IMAGES {
            let bytes = if image % 9 == 4 { b"no image" } else { &photo[..] };
            fs::write(workspace.path(&format!("photos/{image:03}.jpg")), bytes).unwrap();
        }
        for (table, labels) in [
            ("mediums", "an oil painting\na photo, =1+1\n"),
            ("movements", "cubism\nminimalism\n"),
            ("flavors", "cat photo\nespresso \"in\" a cup\nmissile launch\nspoons\n"),
        ] {
            fs::write(workspace.path(&format!("dicts/{table}.txt")), labels).unwrap();
        }
        #[cfg(unix)]
        shared::set_mode(workspace.0.path(), 0o755);
        // The first run builds the index.
        let built = workspace.command("prompt", &["-o", "built.jsonl"]).output().unwrap();
        assert_eq!(built.status.code(), Some(1), "{}", stderr(&built));
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command over all images with the small model.
    fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interrogate"));
        command.current_dir(self.0.path()).args([name, "photos", "--batch-size", "3", "--model"]);
        command.arg(repository().join("tests/fixtures/clip/quick")).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        isolate(&mut command, self.0.path());
        command
    }

    /// What an undisturbed run writes to a file with this ending, and its time.
    fn whole(&self, name: &str, ending: &str, more: &[&str]) -> (Vec<u8>, Duration) {
        let out = format!("whole-{name}.{ending}");
        let (ran, took) = timed(&mut self.command(name, &[&["-o", &out], more].concat()));
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        (fs::read(self.path(&out)).unwrap(), took)
    }

    fn sidecars(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = files(&self.path("photos"));
        found.retain(|name, _| name.ends_with(".txt"));
        found
    }
}

#[test]
fn batch_killed_anywhere_resumes_to_the_same_bytes() {
    kill(6);
}

/// `tests/faults/run` sets the number.
#[test]
#[ignore = "minutes"]
fn many_kills() {
    kill(200);
}

fn kill(short: usize) {
    let (workspace, mut random, wanted) = (Workspace::new(), Random(2), kill_count(short));
    let commands = [("prompt", "jsonl"), ("rank", "csv"), ("prompt", "csv"), ("rank", "jsonl")];
    let sidecar = |name: &str| if name == "prompt" { vec!["--sidecar"] } else { Vec::new() };
    let wholes = commands.map(|(name, ending)| workspace.whole(name, ending, &sidecar(name)));
    let sidecars = workspace.sidecars();
    assert_eq!(sidecars.len(), IMAGES - IMAGES.div_ceil(9) + usize::from(IMAGES % 9 < 5));
    let (mut hit, mut rounds) = (0, 0);
    while hit < wanted {
        let (name, ending) = commands[rounds % commands.len()];
        let (whole, took) = &wholes[rounds % commands.len()];
        rounds += 1;
        assert!(rounds <= wanted * 20, "{hit} kills in {rounds} rounds");
        for name in sidecars.keys() {
            let _ = fs::remove_file(workspace.path("photos").join(name));
        }
        let out = format!("out-{rounds}.{ending}");
        let more = [&["-o", &out, "--resume"], &sidecar(name)[..]].concat();
        let mut written = 0;
        loop {
            let time = took.mul_f64(random.sample() * 1.05);
            if hit >= wanted || !killed_after(&mut workspace.command(name, &more), time, 1) {
                break;
            }
            hit += 1;
            let so_far = fs::read(workspace.path(&out)).unwrap_or_default();
            assert!(whole.starts_with(&so_far), "{out}: a prefix of the whole");
            assert!(so_far.len() >= written, "{out}: no written row is lost");
            written = so_far.len();
        }
        let (ran, _) = timed(&mut workspace.command(name, &more));
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        assert!(fs::read(workspace.path(&out)).unwrap() == *whole, "{out} after {hit} kills");
        if name == "prompt" {
            assert!(workspace.sidecars() == sidecars, "{out}: sidecars after {hit} kills");
        }
        assert_eq!(drafts(&workspace.path("photos")), 0);
    }
    println!("interrogate: {hit} kills in {rounds} batches; lost: 0");
}

/// Tables, pages and embeddings are written whole or not at all.
#[test]
fn killed_run_keeps_the_old_table_and_page_and_drafts_are_swept() {
    let workspace = Workspace::new();
    let folder = workspace.path("out");
    fs::create_dir(&folder).unwrap();
    let outputs: [&[&str]; 2] =
        [&["-o", "out/a.parquet"], &["-o", "out/a.jsonl", "--report", "out/a.html"]];
    for output in outputs {
        let more = [output, &["--overwrite"]].concat();
        let (ran, took) = timed(&mut workspace.command("prompt", &more));
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        let place = workspace.path(output[output.len() - 1]);
        let whole = fs::read(&place).unwrap();
        let (mut random, mut left) = (Random(3), 0);
        for _ in 0..kill_count(3) {
            let time = took.mul_f64(0.2 + 0.6 * random.sample());
            killed_after(&mut workspace.command("prompt", &more), time, 1);
            left += drafts(&folder);
            assert!(fs::read(&place).unwrap() == whole, "the old file is kept");
        }
        let (ran, _) = timed(&mut workspace.command("prompt", &more));
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        assert!(fs::read(&place).unwrap() == whole);
        assert_eq!(drafts(&folder), 0, "{left} drafts were left");
    }
}

#[test]
fn full_disk_is_reported_and_the_batch_resumes_with_space() {
    let workspace = Workspace::new();
    let mut filled = 0;
    for (name, ending) in [("prompt", "jsonl"), ("rank", "csv")] {
        let (whole, _) = workspace.whole(name, ending, &[]);
        // The smallest size of such a disk is one page.
        for pages in 1..=3 {
            let Some(disk) = Disk::new(workspace.path("disk"), pages << 12) else { return };
            let out = format!("disk/out.{ending}");
            let more = ["-o", &out, "--resume"];
            let (ran, _) = timed(&mut workspace.command(name, &more));
            if ran.status.code() != Some(1) {
                filled += 1;
                assert_eq!(ran.status.code(), Some(2), "{}", stderr(&ran));
                assert!(stderr(&ran).contains("No space left on device"), "{}", stderr(&ran));
                assert!(stderr(&ran).contains("hint: the disk is full"), "{}", stderr(&ran));
                assert!(whole.starts_with(&fs::read(workspace.path(&out)).unwrap_or_default()));
            }
            disk.grow(1 << 20);
            let (ran, _) = timed(&mut workspace.command(name, &more));
            assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
            assert!(fs::read(workspace.path(&out)).unwrap() == whole, "{pages} pages");
        }
    }
    assert!(filled > 0);
    println!("interrogate: {filled} full disks; lost: 0");
}

/// After the first row the folder of the sidecars becomes read-only.
#[test]
#[cfg(unix)]
fn lost_permission_is_reported_and_the_batch_resumes_with_it() {
    let workspace = Workspace::new();
    let (whole, _) = workspace.whole("prompt", "jsonl", &["--sidecar"]);
    let sidecars = workspace.sidecars();
    sidecars.keys().for_each(|name| fs::remove_file(workspace.path("photos").join(name)).unwrap());
    let photos = workspace.path("photos");
    fs::create_dir(workspace.path("out")).unwrap();
    shared::give_away(&photos);
    shared::give_away(&workspace.path("out"));
    let more = ["-o", "out/out.jsonl", "--resume", "--sidecar"];
    let mut command = workspace.command("prompt", &more);
    let child = shared::unprivileged(&mut command).stderr(Stdio::piped()).spawn();
    let out = workspace.path("out/out.jsonl");
    let has_rows = |_: &mut _| fs::metadata(&out).is_ok_and(|file| file.len() > 0);
    let Some(child) = child.ok().and_then(|child| wait_until(child, has_rows)) else {
        println!("skipped: the user nobody cannot run the program in its folder");
        return;
    };
    shared::set_mode(&photos, 0o555);
    let ended = child.wait_with_output().unwrap();
    shared::set_mode(&photos, 0o755);
    let stderr = stderr(&ended);
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    // A draft cannot be created or renamed.
    assert!(stderr.contains("error: cannot write "), "{stderr}");
    assert!(stderr.contains("photos") && stderr.contains("Permission denied"), "{stderr}");
    assert!(stderr.contains("hint: you lack the permission"), "{stderr}");
    let (ran, _) = timed(&mut workspace.command("prompt", &more));
    assert_eq!(ran.status.code(), Some(1));
    assert!(fs::read(&out).unwrap() == whole && workspace.sidecars() == sidecars);
}

#[test]
fn second_run_on_one_file_is_refused_with_the_holder() {
    let workspace = Workspace::new();
    let (whole, _) = workspace.whole("prompt", "jsonl", &[]);
    for resume in [&["--resume"][..], &["--overwrite"]] {
        let more = [&["-o", "out.jsonl"], resume].concat();
        let first = workspace.command("prompt", &more).stderr(Stdio::piped()).spawn().unwrap();
        let pid = format!("{} ", first.id());
        let record = workspace.path(".out.jsonl.run");
        let locked = |_: &mut _| fs::read(&record).is_ok_and(|t| t.starts_with(pid.as_bytes()));
        let first = wait_until(first, locked).unwrap();
        let second = workspace.command("prompt", &more).output().unwrap();
        assert_eq!(second.status.code(), Some(2), "{}", stderr(&second));
        let expected = format!("out.jsonl is being written by another run (pid {}", first.id());
        assert!(stderr(&second).contains(&expected), "{}", stderr(&second));
        assert!(stderr(&second).contains("hint: wait for the other run"), "{}", stderr(&second));
        assert_eq!(first.wait_with_output().unwrap().status.code(), Some(1));
        assert!(fs::read(workspace.path("out.jsonl")).unwrap() == whole);
    }
}

#[test]
fn killed_run_resumes_only_with_its_own_options() {
    let workspace = Workspace::new();
    let (whole, _) = workspace.whole("prompt", "jsonl", &[]);
    let out = workspace.path("out.jsonl");
    let child = workspace.command("prompt", &["-o", "out.jsonl"]).spawn().unwrap();
    let has_rows = |_: &mut _| fs::metadata(&out).is_ok_and(|file| file.len() > 0);
    let mut child = wait_until(child, has_rows).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let before = fs::read(&out).unwrap();
    // The same options in another spelling, and options that change no row.
    let own = || {
        let more = ["-o", "./out.jsonl", "--resume", "--mode", "seed", "--recursive"];
        let ran = workspace.command("prompt", &more).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
        assert!(fs::read(&out).unwrap() == whole);
        stderr(&ran)
    };
    let expected = format!("out.jsonl: lock taken over from a killed run (pid {}", child.id());
    let first = own();
    assert!(first.contains(&expected), "{first}");
    fs::write(&out, &before).unwrap();
    let refused = |more: &[&str], expected: &str| {
        let more = [&["-o", "out.jsonl", "--resume"], more].concat();
        let ran = workspace.command("prompt", &more).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{}", stderr(&ran));
        assert!(stderr(&ran).contains(expected), "{}", stderr(&ran));
        assert!(stderr(&ran).contains("hint: pass the options that it was started with"));
        assert_eq!(fs::read(&out).unwrap(), before);
    };
    refused(
        &["--mode", "fast", "--max-flavors", "1"],
        "out.jsonl was started with other options: --max-flavors was unset and is \"1\"; --mode was \"seed\" and is \"fast\"",
    );
    // An index of other labels.
    let dicts = workspace.path("dicts/flavors.txt");
    let labels = fs::read(&dicts).unwrap();
    fs::write(&dicts, "other labels\n").unwrap();
    fs::rename(workspace.path("indexes"), workspace.path("kept")).unwrap();
    fs::create_dir(workspace.path("indexes")).unwrap();
    refused(&[], "the index had other contents than indexes/quick");
    fs::remove_dir_all(workspace.path("indexes")).unwrap();
    fs::rename(workspace.path("kept"), workspace.path("indexes")).unwrap();
    fs::write(&dicts, labels).unwrap();
    let last = own();
    assert!(!last.contains("taken over"), "{last}");
}
