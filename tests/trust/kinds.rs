//! What stands in the place of a file and is none: a pipe that nobody writes to, a
//! device that never ends, and a file of a terabyte that has no bytes. Each reader ends,
//! says something, and takes little.

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

use crate::allocator::{alone, peak};
use crate::copy;
use crate::fake::Fake;

/// What a reader may take: what it does for the files as they are, and this.
const ROOM: usize = 64 << 20;

/// How long a reading may take. A person who measures may stop the process for minutes.
const PATIENCE: Duration = Duration::from_secs(600);

type Read = fn(&Path) -> Result<(), String>;

/// Puts each kind in the place of each file of `fixture`, and has the folder read.
fn kinds(fixture: &str, read: Read) {
    let _alone = alone();
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
            let (said, most) = peak(|| ends(folder.path(), read, &what));
            assert!(most <= usual + ROOM, "{what}: {most} bytes of memory");
            if let Err(said) = said {
                assert!(!said.trim().is_empty(), "{what}: an error without a word");
                refused += 1;
            }
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    // Some files are the tests' own, and some may be lacking.
    assert!(refused >= 6, "{fixture}: {refused} refused");
    read(folder.path()).unwrap();
}

/// What a reading gives, which must come to its end.
fn ends(folder: &Path, read: Read, what: &str) -> Result<(), String> {
    let (send, receive) = mpsc::channel();
    let folder = folder.to_owned();
    std::thread::spawn(move || send.send(read(&folder)));
    match receive.recv_timeout(PATIENCE) {
        Ok(said) => said,
        Err(error) => panic!("{what}: {error}"), // it hangs, or has panicked
    }
}

/// What a reader says in a line.
fn said<T, E: std::error::Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

#[test]
fn an_index() {
    let read = |folder: &Path| {
        let index = said(Index::open(folder))?;
        said(index.verify(|_| ()))
    };
    kinds("index-v1-codes", read);
}

#[test]
fn checkpoints() {
    let clip = |folder: &Path| {
        let checkpoint = said(Checkpoint::open(folder))?;
        said(checkpoint.text_encoder())?;
        said(checkpoint.image_encoder()).map(drop)
    };
    kinds("clip/gelu", clip);
    kinds("clip/quick", clip);
    kinds("openai", |folder| {
        said(said(Checkpoint::open(&folder.join("tiny.pt")))?.text_encoder()).map(drop)
    });
    kinds("sentence", |folder| said(MiniLm::open(folder)).map(drop));
    for captioner in ["caption/blip", "caption/blip2-opt", "caption/blip2-t5"] {
        kinds(captioner, |folder| said(caption::open(folder, Precision::F32)).map(drop));
    }
}

#[test]
fn caches_and_their_dictionaries() {
    kinds("caches", |folder| {
        for table in ["artists", "flavors"] {
            let dictionary = said(Dictionary::open(&folder.join(format!("{table}.txt"))))?;
            let cache = folder.join(format!("fake_one_{table}.safetensors"));
            said(Cache::open(&cache, &dictionary))?;
        }
        said(open_all(&[folder.to_owned()])).map(drop)
    });
}

/// A device is read as far as one types, as it was named; the pipe is refused.
#[test]
fn a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let open = |path: &Path| said(Config::open(path, Overrides::default()));
    assert!(open(&path).unwrap_err().ends_with("kind: expected a file, found a pipe"));
    let error = open(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(error, "/dev/zero: size: expected at most 1048576 bytes, found more");
}

/// What a builder leaves in a folder is read by the next, whatever stands there then.
#[test]
fn locks_and_journals() {
    let dictionary = || Dictionary::parse(Path::new("a.txt"), b"a\nb\n").unwrap();
    let _alone = alone();
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
                send.send(said(built).map(drop))
            });
            let built = receive.recv_timeout(PATIENCE);
            // It may stand in the way, and may be written over.
            match built.unwrap_or_else(|error| panic!("{name}, {kind}: {error}")) {
                Ok(()) => said(Index::open(folder.path())).map(drop).unwrap(),
                Err(said) => assert!(!said.trim().is_empty(), "{name}, {kind}"),
            }
        }
    }
}
