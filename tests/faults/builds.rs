//! `build-index`, disturbed: killed_after, out of disk, out of permission, beside another,
//! under readers. After each the same command is run again, and the index is byte for
//! byte that of an undisturbed run. docs/runs has the counts of long runs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "it prints counts and what is skipped")]

mod shared;
#[path = "../user_folders.rs"]
mod user_folders;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use interrogate::Error;
use interrogate::encoder::Features;
use interrogate::error::IndexError;
use interrogate::index::{Index, Match};
use shared::{
    Disk, Random, drafts, files, kill_count, killed_after, repository, stderr, timed, wait_until,
};
use tempfile::TempDir;
use user_folders::isolate;

/// Labels of the dictionary: ten blocks of a build, which take some seconds.
const LABELS: usize = 20_000;

/// Dictionaries, and the files of undisturbed builds.
struct Workspace {
    folder: TempDir,
    /// Of the first dictionary and of the second.
    whole: [BTreeMap<String, Vec<u8>>; 2],
    /// The time of a build.
    took: Duration,
}

impl Workspace {
    fn new(labels: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(repository().join("dicts/flavors.txt")).unwrap();
        let lines: Vec<&str> = text.lines().take(labels + labels / 8).collect();
        for (name, lines) in [("first", &lines[..labels]), ("second", &lines[labels / 8..])] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("flavors.txt"), lines.join("\n")).unwrap();
        }
        #[cfg(unix)]
        shared::set_mode(folder.path(), 0o755);
        let mut workspace = Workspace { folder, whole: Default::default(), took: Duration::ZERO };
        for (at, dicts) in ["first", "second"].into_iter().enumerate() {
            let (output, took) = timed(&mut workspace.build(dicts, &workspace.path("whole")));
            assert!(output.status.success(), "{}", stderr(&output));
            workspace.took = took;
            workspace.whole[at] = files(&workspace.index("whole"));
            fs::remove_dir_all(workspace.path("whole")).unwrap();
        }
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the index below `output`.
    fn index(&self, output: &str) -> PathBuf {
        self.path(output).join("quick")
    }

    fn build(&self, dicts: &str, output: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_build-index"));
        command.arg(self.path(dicts)).arg("-o").arg(output).arg("--model");
        command.arg(repository().join("tests/fixtures/clip/quick"));
        command.args(["--shard-rows", "4096", "-q"]).stdin(Stdio::null());
        isolate(&mut command, self.folder.path());
        command
    }

    /// Builds to the end over the existing files, and expects the bytes of an undisturbed build.
    #[track_caller]
    fn completes(&self, dicts: &str, output: &Path, after: &str) {
        let (built, _) = timed(&mut self.build(dicts, output));
        assert!(built.status.success(), "{after}: {}", stderr(&built));
        let whole = &self.whole[usize::from(dicts == "second")];
        let found = files(&output.join("quick"));
        let names: Vec<_> = found.keys().collect();
        assert!(found == *whole, "{after}: other files or bytes: {names:?}");
    }
}

#[test]
fn killed_build_keeps_the_old_index_and_resumes() {
    kill(6, 2_000);
}

/// `tests/faults/run` sets the number.
#[test]
#[ignore = "minutes"]
fn many_kills() {
    kill(200, LABELS);
}

fn kill(short: usize, labels: usize) {
    let (workspace, mut random) = (Workspace::new(labels), Random(1));
    let (wanted, mut hit, mut rounds, mut left) = (kill_count(short), 0, 0, 0);
    while hit < wanted {
        rounds += 1;
        assert!(rounds <= wanted * 20, "{hit} kills in {rounds} rounds");
        let output = workspace.path(&format!("round-{rounds}"));
        let folder = output.join("quick");
        // Every second round starts with an index, which must stay intact.
        let has_index = rounds % 2 == 0;
        if has_index {
            workspace.completes("first", &output, "before");
        }
        let dicts = if has_index { "second" } else { "first" };
        loop {
            // A resumed build takes less time: short times are more likely.
            let time = workspace.took.mul_f64(random.sample().powi(2) * 1.05);
            if hit >= wanted || !killed_after(&mut workspace.build(dicts, &output), time, 0) {
                break;
            }
            hit += 1;
            left += usize::from(folder.exists() && drafts(&folder) > 0);
            match Index::open(&folder) {
                Ok(index) => {
                    index.verify(|_| ()).unwrap();
                    let manifest = fs::read(folder.join("manifest.json")).unwrap();
                    let matches = |whole: &BTreeMap<_, _>| whole["manifest.json"] == manifest;
                    assert!(workspace.whole.iter().any(matches));
                }
                Err(Error::Index(IndexError::Missing { .. } | IndexError::Unfinished { .. })) => {
                    assert!(!has_index, "the old index is lost");
                }
                Err(error) => panic!("after {hit} kills: {error}"),
            }
        }
        workspace.completes(dicts, &output, &format!("after {hit} kills"));
        fs::remove_dir_all(output).unwrap();
    }
    println!(
        "build-index: {hit} kills in {rounds} builds of {:.1} s, {left} of them left an unfinished file; lost: 0",
        workspace.took.as_secs_f64()
    );
}

#[test]
fn full_disk_is_reported_and_the_build_completes_with_space() {
    full(&[0.02, 0.7]);
}

#[test]
#[ignore = "minutes"]
fn many_full_disks() {
    full(&(0..20).map(|at| 0.005 + 0.07 * f64::from(at)).collect::<Vec<_>>());
}

/// Builds on disks of these shares of an index's size.
fn full(shares: &[f64]) {
    let workspace = Workspace::new(2_000);
    let size = |whole: &BTreeMap<String, Vec<u8>>| whole.values().map(Vec::len).sum::<usize>();
    let mut filled = 0;
    for share in shares {
        let bytes = (size(&workspace.whole[0]) as f64 * share) as usize;
        let Some(disk) = Disk::new(workspace.path("disk"), bytes) else { return };
        let (built, _) = timed(&mut workspace.build("first", &disk.0));
        if !built.status.success() {
            filled += 1;
            let stderr = stderr(&built);
            assert_eq!(built.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains("No space left on device"), "{stderr}");
            assert!(stderr.contains("hint: the disk is full; free some space"), "{stderr}");
            // A failed build removes its drafts.
            let folder = disk.0.join("quick");
            assert!(!folder.exists() || drafts(&folder) == 0, "{share}");
        }
        disk.grow(64 << 20);
        workspace.completes("first", &disk.0, &format!("a disk of {share}"));
        // An existing index, and too little space for the next.
        let used = size(&files(&disk.0.join("quick")));
        disk.grow(used + bytes / 2 + (64 << 10));
        let (built, _) = timed(&mut workspace.build("second", &disk.0));
        if !built.status.success() {
            filled += 1;
            assert!(stderr(&built).contains("No space left on device"), "{}", stderr(&built));
            let index = Index::open(&disk.0.join("quick")).unwrap();
            index.verify(|_| ()).unwrap();
            assert_eq!(index.tables()[0].len(), 2_000, "the old index is kept");
        }
        disk.grow(64 << 20);
        workspace.completes("second", &disk.0, &format!("a full disk after {share}"));
    }
    assert!(filled > 0);
    println!("build-index: {filled} full disks of {}; lost: 0", 2 * shares.len());
}

/// After the first block the folder becomes read-only.
#[test]
#[cfg(unix)]
fn lost_permission_is_reported_and_the_build_completes_with_it() {
    let workspace = Workspace::new(6_000);
    let (output, folder) = (workspace.path("out"), workspace.index("out"));
    fs::create_dir_all(&folder).unwrap();
    shared::give_away(&output);
    let mut build = workspace.build("first", &output);
    let child = shared::unprivileged(&mut build).stderr(Stdio::piped()).spawn();
    let has_journal = |_: &mut _| folder.join("build.journal").exists();
    let Some(child) = child.ok().and_then(|child| wait_until(child, has_journal)) else {
        println!("skipped: the user nobody cannot run the program in its folder");
        return;
    };
    shared::set_mode(&folder, 0o555);
    let ended = child.wait_with_output().unwrap();
    shared::set_mode(&folder, 0o755);
    let stderr = stderr(&ended);
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    // A draft cannot be created or renamed.
    assert!(stderr.contains("error: cannot write "), "{stderr}");
    assert!(stderr.contains(&*folder.to_string_lossy()), "{stderr}");
    assert!(stderr.contains("hint: you lack the permission"), "{stderr}");
    workspace.completes("first", &output, "permission removed");
}

#[test]
fn concurrent_build_is_refused_with_the_holder() {
    let workspace = Workspace::new(6_000);
    let output = workspace.path("out");
    let first = workspace.build("first", &output).stderr(Stdio::piped()).spawn().unwrap();
    let lock = workspace.index("out").join("build.lock");
    let locked = |_: &mut _| fs::read(&lock).is_ok_and(|text| !text.is_empty());
    let first = wait_until(first, locked).unwrap();
    let second = workspace.build("first", &output).output().unwrap();
    let expected = format!("is being built by another process (pid {}", first.id());
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains(&expected), "{}", stderr(&second));
    assert!(stderr(&second).contains("hint: wait for the other build"), "{}", stderr(&second));
    assert!(first.wait_with_output().unwrap().status.success());
    workspace.completes("first", &output, "two builders");
}

#[test]
fn lock_of_a_killed_build_is_taken_over_with_a_note() {
    let workspace = Workspace::new(6_000);
    let output = workspace.path("out");
    let child = workspace.build("first", &output).spawn().unwrap();
    let journal = workspace.index("out").join("build.journal");
    let mut child = wait_until(child, |_| journal.exists()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut build = Command::new(env!("CARGO_BIN_EXE_build-index"));
    build.args(workspace.build("first", &output).get_args().filter(|arg| *arg != "-q"));
    let built = build.output().unwrap();
    let expected = format!("took over from a build that was killed (pid {}", child.id());
    assert!(stderr(&built).contains(&expected), "{}", stderr(&built));
    workspace.completes("first", &output, "a lock left behind");
}

/// Readers open, rank and verify the index while it is rebuilt.
#[test]
fn reader_sees_the_old_or_the_new_index_complete() {
    let workspace = Workspace::new(2_000);
    let output = workspace.path("out");
    workspace.completes("first", &output, "before");
    let folder = workspace.index("out");
    let image = Features::new(vec![1.0; Index::open(&folder).unwrap().dim()]).unwrap();
    let best = |index: &Index| -> Vec<(String, u32)> {
        let ranked = index.tables()[0].rank(&image, 5).unwrap();
        ranked.iter().map(|&Match { label, score, .. }| (label.into(), score.to_bits())).collect()
    };
    let answer_of = |dicts: &str| {
        workspace.completes(dicts, &output, dicts);
        best(&Index::open(&folder).unwrap())
    };
    let answers = [answer_of("second"), answer_of("first")];
    assert_ne!(answers[0], answers[1]);
    let (done, rebuilds) = (AtomicBool::new(false), kill_count(4));
    let (opened, seen) = thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|reader| {
                let (done, answers, best, folder) = (&done, &answers, &best, &folder);
                scope.spawn(move || {
                    let (mut opened, mut seen) = (0, [false; 2]);
                    while !done.load(Ordering::Relaxed) {
                        let index = Index::open(folder).unwrap();
                        let answer = best(&index);
                        let which = answers.iter().position(|known| *known == answer).unwrap();
                        (opened, seen[which]) = (opened + 1, true);
                        if reader == 0 {
                            // Its files may be removed by now; the maps remain.
                            index.verify(|_| ()).unwrap();
                            assert_eq!(best(&index), answer);
                        }
                    }
                    (opened, seen)
                })
            })
            .collect();
        for build in 0..rebuilds {
            workspace.completes(["second", "first"][build % 2], &output, "under readers");
        }
        done.store(true, Ordering::Relaxed);
        let seen: Vec<(usize, [bool; 2])> =
            readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        seen.iter().fold((0, [false; 2]), |(n, [a, b]), (m, [c, d])| (n + m, [a | c, b | d]))
    });
    assert_eq!(seen, [true; 2]);
    println!(
        "build-index: {rebuilds} rebuilds under readers that opened it {opened} times; lost: 0"
    );
}

/// A shard truncated before it is opened is reported by its size, without a read.
#[test]
fn truncated_shard_is_reported_on_open() {
    let workspace = Workspace::new(2_000);
    let output = workspace.path("out");
    workspace.completes("first", &output, "before");
    let folder = workspace.index("out");
    for name in files(&folder).keys().filter(|name| name.ends_with(".safetensors")) {
        let path = folder.join(name);
        let whole = fs::read(&path).unwrap();
        for length in [0, 1, 8, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = Index::open(&folder).unwrap_err().to_string();
            let tail = format!("size: expected {}, found {length}", whole.len());
            assert!(error.contains(name.as_str()) && error.ends_with(&tail), "{error}");
        }
        fs::write(path, whole).unwrap();
    }
    fs::write(folder.join("manifest.json"), "{").unwrap();
    assert!(matches!(Index::open(&folder), Err(Error::Json { .. })));
    workspace.completes("first", &output, "a damaged manifest");
}
