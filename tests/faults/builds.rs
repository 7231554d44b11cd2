//! `build-index`, disturbed: killed, out of disk, out of permission, beside another,
//! under readers. After each the same command is run again, and the index is byte for
//! byte that of an undisturbed run. docs/runs has the counts of long runs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "counts and what was skipped are told")]

mod shared;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use interrogate::Error;
use interrogate::encoder::Features;
use interrogate::index::{Index, Match};
use shared::{Chance, Disk, drafts, files, killed, kills, repository, said, timed, until};
use tempfile::TempDir;

/// Labels of the dictionary: ten blocks of a build, some seconds' worth.
const LABELS: usize = 20_000;

/// Dictionaries, and what undisturbed builds make of them.
struct Stage {
    folder: TempDir,
    /// Of all labels, and of these and some more.
    whole: [BTreeMap<String, Vec<u8>>; 2],
    /// How long one takes.
    took: Duration,
}

impl Stage {
    fn new(labels: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(repository().join("dicts/flavors.txt")).unwrap();
        let lines: Vec<&str> = text.lines().take(labels + labels / 8).collect();
        for (name, lines) in [("first", &lines[..labels]), ("second", &lines[labels / 8..])] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("flavors.txt"), lines.join("\n")).unwrap();
        }
        #[cfg(unix)]
        shared::allow(folder.path(), 0o755);
        let mut stage = Stage { folder, whole: Default::default(), took: Duration::ZERO };
        for (at, dicts) in ["first", "second"].into_iter().enumerate() {
            let (output, took) = timed(&mut stage.build(dicts, &stage.path("whole")));
            assert!(output.status.success(), "{}", said(&output));
            stage.took = took;
            stage.whole[at] = files(&stage.index("whole"));
            fs::remove_dir_all(stage.path("whole")).unwrap();
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the index that is built in `output`.
    fn index(&self, output: &str) -> PathBuf {
        self.path(output).join("quick")
    }

    fn build(&self, dicts: &str, output: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_build-index"));
        command.arg(self.path(dicts)).arg("-o").arg(output).arg("--model");
        command.arg(repository().join("tests/fixtures/clip/quick"));
        command.args(["--shard-rows", "4096", "-q"]).stdin(Stdio::null());
        command
    }

    /// Builds to the end, over what stands there, to the bytes of an undisturbed build.
    #[track_caller]
    fn ends_whole(&self, dicts: &str, output: &Path, after: &str) {
        let (built, _) = timed(&mut self.build(dicts, output));
        assert!(built.status.success(), "{after}: {}", said(&built));
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

/// `tests/faults/run` says how many.
#[test]
#[ignore = "minutes"]
fn many_kills() {
    kill(200, LABELS);
}

fn kill(short: usize, labels: usize) {
    let (stage, mut chance) = (Stage::new(labels), Chance(1));
    let (wanted, mut hit, mut rounds, mut left) = (kills(short), 0, 0, 0);
    while hit < wanted {
        rounds += 1;
        assert!(rounds <= wanted * 20, "{hit} kills in {rounds} rounds");
        let output = stage.path(&format!("round-{rounds}"));
        let folder = output.join("quick");
        // Every second time there is an index, whose readers must not notice.
        let standing = rounds % 2 == 0;
        if standing {
            stage.ends_whole("first", &output, "before");
        }
        let dicts = if standing { "second" } else { "first" };
        loop {
            // A build that goes on has less to do: it is killed earlier as well.
            let time = stage.took.mul_f64(chance.share().powi(2) * 1.05);
            if hit >= wanted || !killed(&mut stage.build(dicts, &output), time, 0) {
                break;
            }
            hit += 1;
            left += usize::from(folder.exists() && drafts(&folder) > 0);
            match Index::open(&folder) {
                Ok(index) => {
                    index.verify(|_| ()).unwrap();
                    let manifest = fs::read(folder.join("manifest.json")).unwrap();
                    let known = |whole: &BTreeMap<_, _>| whole["manifest.json"] == manifest;
                    assert!(stage.whole.iter().any(known));
                }
                Err(Error::IndexMissing { .. } | Error::IndexUnfinished { .. }) => {
                    assert!(!standing, "the index before is lost");
                }
                Err(error) => panic!("after {hit} kills: {error}"),
            }
        }
        stage.ends_whole(dicts, &output, &format!("after {hit} kills"));
        fs::remove_dir_all(output).unwrap();
    }
    println!(
        "build-index: {hit} kills in {rounds} builds of {:.1} s, {left} of them left a file in the making; lost: 0",
        stage.took.as_secs_f64()
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

/// Disks of so many times an index's size.
fn full(shares: &[f64]) {
    let stage = Stage::new(2_000);
    let size = |whole: &BTreeMap<String, Vec<u8>>| whole.values().map(Vec::len).sum::<usize>();
    let mut filled = 0;
    for share in shares {
        let bytes = (size(&stage.whole[0]) as f64 * share) as usize;
        let Some(disk) = Disk::new(stage.path("disk"), bytes) else { return };
        let (built, _) = timed(&mut stage.build("first", &disk.0));
        if !built.status.success() {
            filled += 1;
            let said = said(&built);
            assert_eq!(built.status.code(), Some(2), "{said}");
            assert!(said.contains("No space left on device"), "{said}");
            assert!(said.contains("hint: the disk is full; free some space"), "{said}");
            // A draft that is given up goes with its process.
            let folder = disk.0.join("quick");
            assert!(!folder.exists() || drafts(&folder) == 0, "{share}");
        }
        disk.grow(64 << 20);
        stage.ends_whole("first", &disk.0, &format!("a disk of {share}"));
        // An index that stands, and no room for the next.
        let used = size(&files(&disk.0.join("quick")));
        disk.grow(used + bytes / 2 + (64 << 10));
        let (built, _) = timed(&mut stage.build("second", &disk.0));
        if !built.status.success() {
            filled += 1;
            assert!(said(&built).contains("No space left on device"), "{}", said(&built));
            let index = Index::open(&disk.0.join("quick")).unwrap();
            index.verify(|_| ()).unwrap();
            assert_eq!(index.tables()[0].len(), 2_000, "the index before stands");
        }
        disk.grow(64 << 20);
        stage.ends_whole("second", &disk.0, &format!("a full disk behind {share}"));
    }
    assert!(filled > 0);
    println!("build-index: {filled} full disks of {}; lost: 0", 2 * shares.len());
}

/// From the first block on the folder takes no new file.
#[test]
#[cfg(unix)]
fn lost_permission_is_reported_and_the_build_completes_with_it() {
    let stage = Stage::new(6_000);
    let (output, folder) = (stage.path("out"), stage.index("out"));
    fs::create_dir_all(&folder).unwrap();
    shared::give(&output);
    let mut build = stage.build("first", &output);
    let child = shared::bound(&mut build).stderr(Stdio::piped()).spawn();
    let begun = |_: &mut _| folder.join("build.journal").exists();
    let Some(child) = child.ok().and_then(|child| until(child, begun)) else {
        println!("skipped: nobody may not run the program where it lies");
        return;
    };
    shared::allow(&folder, 0o555);
    let ended = child.wait_with_output().unwrap();
    shared::allow(&folder, 0o755);
    let said = said(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    // A draft cannot be begun, or not take its place.
    assert!(said.contains("error: cannot write "), "{said}");
    assert!(said.contains(&*folder.to_string_lossy()), "{said}");
    assert!(said.contains("hint: you lack the permission"), "{said}");
    stage.ends_whole("first", &output, "permission removed");
}

#[test]
fn concurrent_build_is_refused_with_the_holder() {
    let stage = Stage::new(6_000);
    let output = stage.path("out");
    let first = stage.build("first", &output).stderr(Stdio::piped()).spawn().unwrap();
    let lock = stage.index("out").join("build.lock");
    let locked = |_: &mut _| fs::read(&lock).is_ok_and(|text| !text.is_empty());
    let first = until(first, locked).unwrap();
    let second = stage.build("first", &output).output().unwrap();
    let expected = format!("is being built by another process (pid {}", first.id());
    assert_eq!(second.status.code(), Some(2));
    assert!(said(&second).contains(&expected), "{}", said(&second));
    assert!(said(&second).contains("hint: wait for the other build"), "{}", said(&second));
    assert!(first.wait_with_output().unwrap().status.success());
    stage.ends_whole("first", &output, "two builders");
}

#[test]
fn lock_of_a_killed_build_is_taken_over_with_a_note() {
    let stage = Stage::new(6_000);
    let output = stage.path("out");
    let child = stage.build("first", &output).spawn().unwrap();
    let journal = stage.index("out").join("build.journal");
    let mut child = until(child, |_| journal.exists()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut build = Command::new(env!("CARGO_BIN_EXE_build-index"));
    build.args(stage.build("first", &output).get_args().filter(|arg| *arg != "-q"));
    let built = build.output().unwrap();
    let expected = format!("took over from a build that was killed (pid {}", child.id());
    assert!(said(&built).contains(&expected), "{}", said(&built));
    stage.ends_whole("first", &output, "a lock left behind");
}

/// Readers open, rank and verify all the while that a folder is rebuilt.
#[test]
fn reader_sees_the_old_or_the_new_index_complete() {
    let stage = Stage::new(2_000);
    let output = stage.path("out");
    stage.ends_whole("first", &output, "before");
    let folder = stage.index("out");
    let image = Features::new(vec![1.0; Index::open(&folder).unwrap().dim()]).unwrap();
    let best = |index: &Index| -> Vec<(String, u32)> {
        let ranked = index.tables()[0].rank(&image, 5).unwrap();
        ranked.iter().map(|&Match { label, score, .. }| (label.into(), score.to_bits())).collect()
    };
    let answer_of = |dicts: &str| {
        stage.ends_whole(dicts, &output, dicts);
        best(&Index::open(&folder).unwrap())
    };
    let answers = [answer_of("second"), answer_of("first")];
    assert_ne!(answers[0], answers[1]);
    let (done, rebuilds) = (AtomicBool::new(false), kills(4));
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
                            // Its files may be gone by now: the maps are not.
                            index.verify(|_| ()).unwrap();
                            assert_eq!(best(&index), answer);
                        }
                    }
                    (opened, seen)
                })
            })
            .collect();
        for build in 0..rebuilds {
            stage.ends_whole(["second", "first"][build % 2], &output, "under readers");
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

/// What was cut short before it was opened is told by its size; nothing of it is read.
#[test]
fn truncated_shard_is_reported_on_open() {
    let stage = Stage::new(2_000);
    let output = stage.path("out");
    stage.ends_whole("first", &output, "before");
    let folder = stage.index("out");
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
    stage.ends_whole("first", &output, "a damaged manifest");
}
