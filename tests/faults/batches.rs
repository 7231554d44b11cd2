//! `interrogate`'s batches, disturbed: killed, out of disk, out of permission, beside
//! another on the same file. After each the same command goes on, and what stands is
//! byte for byte what an undisturbed run writes. docs/runs has the counts of long
//! runs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "counts and what was skipped are told")]

mod shared;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use shared::{Chance, Disk, drafts, files, killed, kills, repository, said, timed, until};
use tempfile::TempDir;

/// Images: every ninth is none.
const IMAGES: usize = 48;

/// Images, an index of a small model, and what is asked.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Stage(tempfile::tempdir().unwrap());
        let photo = fs::read(repository().join("tests/fixtures/photos/coffee.jpg")).unwrap();
        for folder in ["photos", "dicts"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        for image in 0..IMAGES {
            let bytes = if image % 9 == 4 { b"no image" } else { &photo[..] };
            fs::write(stage.path(&format!("photos/{image:03}.jpg")), bytes).unwrap();
        }
        for (table, labels) in [
            ("mediums", "an oil painting\na photo, =1+1\n"),
            ("movements", "cubism\nminimalism\n"),
            ("flavors", "cat photo\nespresso \"in\" a cup\nmissile launch\nspoons\n"),
        ] {
            fs::write(stage.path(&format!("dicts/{table}.txt")), labels).unwrap();
        }
        #[cfg(unix)]
        shared::allow(stage.0.path(), 0o755);
        // The first run builds the index.
        let built = stage.command("prompt", &["-o", "built.jsonl"]).output().unwrap();
        assert_eq!(built.status.code(), Some(1), "{}", said(&built));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Asks about all images with the small model.
    fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interrogate"));
        command.current_dir(self.0.path()).args([name, "photos", "--batch-size", "3", "--model"]);
        command.arg(repository().join("tests/fixtures/clip/quick")).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// What an undisturbed run writes into a file that ends so, and how long it takes.
    fn whole(&self, name: &str, ending: &str, more: &[&str]) -> (Vec<u8>, Duration) {
        let out = format!("whole-{name}.{ending}");
        let (ran, took) = timed(&mut self.command(name, &[&["-o", &out], more].concat()));
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
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

/// `tests/faults/run` says how many.
#[test]
#[ignore = "minutes"]
fn many_kills() {
    kill(200);
}

fn kill(short: usize) {
    let (stage, mut chance, wanted) = (Stage::new(), Chance(2), kills(short));
    let commands = [("prompt", "jsonl"), ("rank", "csv"), ("prompt", "csv"), ("rank", "jsonl")];
    let sidecar = |name: &str| if name == "prompt" { vec!["--sidecar"] } else { Vec::new() };
    let wholes = commands.map(|(name, ending)| stage.whole(name, ending, &sidecar(name)));
    let sidecars = stage.sidecars();
    assert_eq!(sidecars.len(), IMAGES - IMAGES.div_ceil(9) + usize::from(IMAGES % 9 < 5));
    let (mut hit, mut rounds) = (0, 0);
    while hit < wanted {
        let (name, ending) = commands[rounds % commands.len()];
        let (whole, took) = &wholes[rounds % commands.len()];
        rounds += 1;
        assert!(rounds <= wanted * 20, "{hit} kills in {rounds} rounds");
        for name in sidecars.keys() {
            let _ = fs::remove_file(stage.path("photos").join(name));
        }
        let out = format!("out-{rounds}.{ending}");
        let more = [&["-o", &out, "--resume"], &sidecar(name)[..]].concat();
        let mut answered = 0;
        loop {
            let time = took.mul_f64(chance.share() * 1.05);
            if hit >= wanted || !killed(&mut stage.command(name, &more), time, 1) {
                break;
            }
            hit += 1;
            let so_far = fs::read(stage.path(&out)).unwrap_or_default();
            assert!(whole.starts_with(&so_far), "{out}: a beginning of the whole");
            assert!(so_far.len() >= answered, "{out}: nothing that was answered is lost");
            answered = so_far.len();
        }
        let (ran, _) = timed(&mut stage.command(name, &more));
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(fs::read(stage.path(&out)).unwrap() == *whole, "{out} after {hit} kills");
        if name == "prompt" {
            assert!(stage.sidecars() == sidecars, "{out}: sidecars after {hit} kills");
        }
        assert_eq!(drafts(&stage.path("photos")), 0);
    }
    println!("interrogate: {hit} kills in {rounds} batches; lost: 0");
}

/// What is whole or not at all: tables, pages, embeddings.
#[test]
fn killed_run_keeps_the_old_table_and_page_and_drafts_are_swept() {
    let stage = Stage::new();
    let folder = stage.path("out");
    fs::create_dir(&folder).unwrap();
    let outputs: [&[&str]; 2] =
        [&["-o", "out/a.parquet"], &["-o", "out/a.jsonl", "--report", "out/a.html"]];
    for output in outputs {
        let more = [output, &["--overwrite"]].concat();
        let (ran, took) = timed(&mut stage.command("prompt", &more));
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        let place = stage.path(output[output.len() - 1]);
        let whole = fs::read(&place).unwrap();
        let (mut chance, mut left) = (Chance(3), 0);
        for _ in 0..kills(3) {
            let time = took.mul_f64(0.2 + 0.6 * chance.share());
            killed(&mut stage.command("prompt", &more), time, 1);
            left += drafts(&folder);
            assert!(fs::read(&place).unwrap() == whole, "what stood there stands");
        }
        let (ran, _) = timed(&mut stage.command("prompt", &more));
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(fs::read(&place).unwrap() == whole);
        assert_eq!(drafts(&folder), 0, "{left} were left");
    }
}

#[test]
fn full_disk_is_reported_and_the_batch_resumes_with_space() {
    let stage = Stage::new();
    let mut filled = 0;
    for (name, ending) in [("prompt", "jsonl"), ("rank", "csv")] {
        let (whole, _) = stage.whole(name, ending, &[]);
        // A page of memory is the least that such a disk gives.
        for pages in 1..=3 {
            let Some(disk) = Disk::new(stage.path("disk"), pages << 12) else { return };
            let out = format!("disk/out.{ending}");
            let more = ["-o", &out, "--resume"];
            let (ran, _) = timed(&mut stage.command(name, &more));
            if ran.status.code() != Some(1) {
                filled += 1;
                assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
                assert!(said(&ran).contains("No space left on device"), "{}", said(&ran));
                assert!(said(&ran).contains("hint: the disk is full"), "{}", said(&ran));
                assert!(whole.starts_with(&fs::read(stage.path(&out)).unwrap_or_default()));
            }
            disk.grow(1 << 20);
            let (ran, _) = timed(&mut stage.command(name, &more));
            assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
            assert!(fs::read(stage.path(&out)).unwrap() == whole, "{pages} pages");
        }
    }
    assert!(filled > 0);
    println!("interrogate: {filled} full disks; lost: 0");
}

/// Once answers come, no sidecar may be written any more.
#[test]
#[cfg(unix)]
fn lost_permission_is_reported_and_the_batch_resumes_with_it() {
    let stage = Stage::new();
    let (whole, _) = stage.whole("prompt", "jsonl", &["--sidecar"]);
    let sidecars = stage.sidecars();
    sidecars.keys().for_each(|name| fs::remove_file(stage.path("photos").join(name)).unwrap());
    let photos = stage.path("photos");
    fs::create_dir(stage.path("out")).unwrap();
    shared::give(&photos);
    shared::give(&stage.path("out"));
    let more = ["-o", "out/out.jsonl", "--resume", "--sidecar"];
    let mut command = stage.command("prompt", &more);
    let child = shared::bound(&mut command).stderr(Stdio::piped()).spawn();
    let out = stage.path("out/out.jsonl");
    let answers = |_: &mut _| fs::metadata(&out).is_ok_and(|file| file.len() > 0);
    let Some(child) = child.ok().and_then(|child| until(child, answers)) else {
        println!("skipped: nobody may not run the program where it lies");
        return;
    };
    shared::allow(&photos, 0o555);
    let ended = child.wait_with_output().unwrap();
    shared::allow(&photos, 0o755);
    let said = said(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    // A draft cannot be begun, or not take its place.
    assert!(said.contains("error: cannot write "), "{said}");
    assert!(said.contains("photos") && said.contains("Permission denied"), "{said}");
    assert!(said.contains("hint: you lack the permission"), "{said}");
    let (ran, _) = timed(&mut stage.command("prompt", &more));
    assert_eq!(ran.status.code(), Some(1));
    assert!(fs::read(&out).unwrap() == whole && stage.sidecars() == sidecars);
}

#[test]
fn second_run_on_one_file_is_refused_with_the_holder() {
    let stage = Stage::new();
    let (whole, _) = stage.whole("prompt", "jsonl", &[]);
    for resume in [&["--resume"][..], &["--overwrite"]] {
        let more = [&["-o", "out.jsonl"], resume].concat();
        let first = stage.command("prompt", &more).stderr(Stdio::piped()).spawn().unwrap();
        let pid = format!("{} ", first.id());
        let record = stage.path(".out.jsonl.run");
        let locked = |_: &mut _| fs::read(&record).is_ok_and(|t| t.starts_with(pid.as_bytes()));
        let first = until(first, locked).unwrap();
        let second = stage.command("prompt", &more).output().unwrap();
        assert_eq!(second.status.code(), Some(2), "{}", said(&second));
        let expected = format!("out.jsonl is being written by another run (pid {}", first.id());
        assert!(said(&second).contains(&expected), "{}", said(&second));
        assert!(said(&second).contains("hint: wait for the other run"), "{}", said(&second));
        assert_eq!(first.wait_with_output().unwrap().status.code(), Some(1));
        assert!(fs::read(stage.path("out.jsonl")).unwrap() == whole);
    }
}

#[test]
fn killed_run_resumes_only_with_its_own_options() {
    let stage = Stage::new();
    let (whole, _) = stage.whole("prompt", "jsonl", &[]);
    let out = stage.path("out.jsonl");
    let child = stage.command("prompt", &["-o", "out.jsonl"]).spawn().unwrap();
    let answers = |_: &mut _| fs::metadata(&out).is_ok_and(|file| file.len() > 0);
    let mut child = until(child, answers).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let before = fs::read(&out).unwrap();
    // Its own options, however they are typed, and other ones that change no answer.
    let own = || {
        let more = ["-o", "./out.jsonl", "--resume", "--mode", "seed", "--recursive"];
        let ran = stage.command("prompt", &more).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(fs::read(&out).unwrap() == whole);
        said(&ran)
    };
    let expected = format!("out.jsonl: taken over from a run that was killed (pid {}", child.id());
    let first = own();
    assert!(first.contains(&expected), "{first}");
    fs::write(&out, &before).unwrap();
    let refused = |more: &[&str], expected: &str| {
        let more = [&["-o", "out.jsonl", "--resume"], more].concat();
        let ran = stage.command("prompt", &more).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
        assert!(said(&ran).contains(expected), "{}", said(&ran));
        assert!(said(&ran).contains("hint: give the options that it was begun with"));
        assert_eq!(fs::read(&out).unwrap(), before);
    };
    refused(
        &["--mode", "fast", "--max-flavors", "1"],
        "out.jsonl was begun with other options: --max-flavors was left out and is \"1\"; --mode was \"seed\" and is \"fast\"",
    );
    // The index of other labels.
    let dicts = stage.path("dicts/flavors.txt");
    let labels = fs::read(&dicts).unwrap();
    fs::write(&dicts, "other labels\n").unwrap();
    fs::rename(stage.path("indexes"), stage.path("kept")).unwrap();
    refused(&[], "the index was another one than indexes/quick is now");
    fs::remove_dir_all(stage.path("indexes")).unwrap();
    fs::rename(stage.path("kept"), stage.path("indexes")).unwrap();
    fs::write(&dicts, labels).unwrap();
    let last = own();
    assert!(!last.contains("taken over"), "{last}");
}
