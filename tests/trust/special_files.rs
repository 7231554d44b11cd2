//! Special files in place of regular ones: a pipe without a writer, a device without an end,
//! and a sparse file of a terabyte. Each reader returns, with a message if it fails, and
//! takes bounded memory.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use build_index::{Builder, Cache, Dictionary, open_all};
use interrogate::clip::Checkpoint;
use interrogate::index::Index;
use interrogate::pipeline::{Config, Overrides};
use interrogate::sentence::MiniLm;
use interrogate::{Precision, caption};

use crate::allocator::{exclusive, peak};
use crate::copy;
use crate::fake::Fake;

/// Most bytes of memory of a reader beyond those for the original files.
const MEMORY: usize = 64 << 20;

/// Longest time of a read. A busy machine may stall the process for minutes.
const TIMEOUT: Duration = Duration::from_secs(600);

type Read = fn(&Path) -> Result<(), String>;

/// Replaces each file of `fixture` by each kind, and reads the folder.
fn check_kinds(fixture: &str, read: Read) {
    let _guard = exclusive();
    let folder = copy(fixture);
    let (whole, usual) = peak(|| read(folder.path()));
    whole.unwrap();
    let files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut refused = 0;
    for path in files {
        let bytes = fs::read(&path).unwrap();
        for kind in ["pipe", "device", "terabyte"] {
            fs::remove_file(&path).unwrap();
            match kind {
                "pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "device" => symlink("/dev/zero", &path).unwrap(),
                _ => File::create(&path).unwrap().set_len(1 << 40).unwrap(),
            }
            let what = format!("{}, {kind}", path.display());
            let (result, memory) = peak(|| read_in_time(folder.path(), read, &what));
            assert!(memory <= usual + MEMORY, "{what}: {memory} bytes of memory");
            if let Err(message) = result {
                assert!(!message.trim().is_empty(), "{what}: an empty error");
                refused += 1;
            }
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    // Some files are of the tests alone, and some are optional.
    assert!(refused >= 6, "{fixture}: {refused} refused");
    read(folder.path()).unwrap();
}

/// Reads on a thread; panics if that takes too long.
fn read_in_time(folder: &Path, read: Read, what: &str) -> Result<(), String> {
    let (send, receive) = mpsc::channel();
    let folder = folder.to_owned();
    std::thread::spawn(move || send.send(read(&folder)));
    match receive.recv_timeout(TIMEOUT) {
        Ok(result) => result,
        Err(error) => panic!("{what}: {error}"), // it hangs or has panicked
    }
}

/// The result with the error as its message.
fn with_message<T, E: std::error::Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

#[test]
fn special_files_in_an_index_are_refused() {
    let read = |folder: &Path| {
        let index = with_message(Index::open(folder))?;
        with_message(index.verify(|_| ()))
    };
    check_kinds("index-v1-codes", read);
}

#[test]
fn special_files_in_checkpoints_are_refused() {
    let clip = |folder: &Path| {
        let checkpoint = with_message(Checkpoint::open(folder))?;
        with_message(checkpoint.text_encoder())?;
        with_message(checkpoint.image_encoder()).map(drop)
    };
    check_kinds("clip/gelu", clip);
    check_kinds("clip/quick", clip);
    check_kinds("openai", |folder| {
        with_message(with_message(Checkpoint::open(&folder.join("tiny.pt")))?.text_encoder())
            .map(drop)
    });
    check_kinds("sentence", |folder| with_message(MiniLm::open(folder)).map(drop));
    for captioner in ["caption/blip", "caption/blip2-opt", "caption/blip2-t5"] {
        check_kinds(captioner, |folder| {
            with_message(caption::open(folder, Precision::F32)).map(drop)
        });
    }
}

#[test]
fn special_files_among_caches_are_refused() {
    check_kinds("caches", |folder| {
        for table in ["artists", "flavors"] {
            let dictionary = with_message(Dictionary::open(&folder.join(format!("{table}.txt"))))?;
            let cache = folder.join(format!("fake_one_{table}.safetensors"));
            with_message(Cache::open(&cache, &dictionary))?;
        }
        with_message(open_all(&[folder.to_owned()])).map(drop)
    });
}

/// A pipe is refused; a device is read up to the limit.
#[test]
fn special_config_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let open = |path: &Path| with_message(Config::open(path, Overrides::default()));
    assert!(open(&path).unwrap_err().ends_with("kind: expected a file, found a pipe"));
    let error = open(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(error, "/dev/zero: size: expected at most 1048576 bytes, found more");
}

/// A build reads the lock, the journal and the manifest of the build before.
#[test]
fn special_lock_journal_and_manifest_are_handled() {
    let dictionary = || Dictionary::parse(Path::new("a.txt"), b"a\nb\n").unwrap();
    let _guard = exclusive();
    for name in ["build.lock", "build.journal", "manifest.json"] {
        for kind in ["pipe", "device"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            match kind {
                "pipe" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                _ => symlink("/dev/zero", &path).unwrap(),
            }
            let (send, receive) = mpsc::channel();
            let at = folder.path().to_owned();
            std::thread::spawn(move || {
                let fake = Fake::new(8);
                let built = Builder::new(&fake, "fake", "fake")
                    .build(&[dictionary()], &at, |_| ControlFlow::Continue(()));
                send.send(with_message(built).map(drop))
            });
            let built = receive.recv_timeout(TIMEOUT);
            // A special file may stop the build, or be replaced.
            match built.unwrap_or_else(|error| panic!("{name}, {kind}: {error}")) {
                Ok(()) => with_message(Index::open(folder.path())).map(drop).unwrap(),
                Err(message) => assert!(!message.trim().is_empty(), "{name}, {kind}"),
            }
        }
    }
}
