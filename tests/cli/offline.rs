//! Where the program goes for what it is asked: nowhere, unless a hub id is named
//! that is not cached.

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use build_index::{Builder, open_all};

use crate::fake::Fake;
use crate::run::{Folder, repository};

/// A place that every connection would lead to: it stands for the hub and for the
/// proxy before all else, counts who comes, and answers nobody.
struct Watch {
    address: String,
    came: Arc<AtomicUsize>,
}

impl Watch {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let came = Arc::new(AtomicUsize::new(0));
        let counted = came.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Watch { address, came }
    }

    /// Runs the program and tells how many connections came of it.
    fn count(&self, folder: &Folder, args: &[&str]) -> (usize, Option<i32>) {
        let before = self.came.load(Ordering::SeqCst);
        let mut command: Command = folder.command(args);
        for name in ["HF_ENDPOINT", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"] {
            command.env(name, &self.address);
        }
        let ran = command.env("HF_TOKEN", "hf_secret").output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("hf_secret"), "{args:?}");
        (self.came.load(Ordering::SeqCst) - before, ran.status.code())
    }
}

#[test]
fn no_command_opens_a_connection_without_a_hub_id() {
    let folder = Folder::new();
    let clip = repository().join("tests/fixtures/clip/gelu");
    let blip = repository().join("tests/fixtures/caption/blip");
    let (clip, blip) = (clip.to_str().unwrap(), blip.to_str().unwrap());
    folder.write("texts.txt", "a cat\n");
    let watch = Watch::new();
    for args in [
        &["prompt", "photos"][..],
        &["prompt", "photos", "--report", "out.html"],
        &["rank", "photos/cat.jpg"],
        &["rank", "--query", "photos/cat.jpg - \"a cat\""],
        &["similarity", "photos/cat.jpg", "a cat"],
        &["embed", "images", "photos/cat.jpg"],
        &["verify"],
        &["info"],
        &["doctor"],
        &["caption", "photos/cat.jpg", "--caption-model", blip],
        &["prompt", "photos/cat.jpg", "--model", clip],
    ] {
        let (came, code) = watch.count(&folder, args);
        assert_eq!(came, 0, "{args:?}");
        assert_eq!(code, Some(0), "{args:?}");
    }
    // The watch sees what there is to see.
    let (came, code) = watch.count(&folder, &["prompt", "photos", "--model", "owner/name"]);
    assert!(came > 0 && code != Some(0));
}

/// Somebody's index may name any repository: only whoever runs the program starts a
/// download.
#[test]
fn a_model_that_an_index_names_is_not_downloaded() {
    let folder = Folder::new();
    let dictionaries = open_all(&[folder.path("dicts")]).unwrap();
    let encoder = Fake::new(2);
    let builder = Builder::new(&encoder, "owner/name", "its fingerprint");
    let index = folder.path("indexes/owner--name");
    builder.build(&dictionaries, &index, |_| ControlFlow::Continue(())).unwrap();
    let watch = Watch::new();
    for args in [
        &["prompt", "photos"][..],
        &["rank", "photos", "--index", "indexes/owner--name"],
        &["rank", "--query", "\"a cat\""],
    ] {
        assert_eq!(watch.count(&folder, args), (0, Some(2)), "{args:?}");
        let ran = folder.run(args).expect(2);
        assert!(ran.err().contains("owner/name: not in the cache"), "{}", ran.err());
        assert!(ran.err().contains("hint: pass --model owner/name to download it"));
    }
    // Typed, it is.
    let (came, _) = watch.count(&folder, &["rank", "photos", "--model", "owner/name"]);
    assert!(came > 0);
}

#[test]
fn offline_mode_downloads_nothing() {
    let folder = Folder::new();
    let watch = Watch::new();
    for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        let mut command = folder.command(&["prompt", "photos", "--model", "owner/name"]);
        let before = watch.came.load(Ordering::SeqCst);
        let ran = command.env("HF_ENDPOINT", &watch.address).env(variable, "1").output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.status.code(), watch.came.load(Ordering::SeqCst)), (Some(2), before));
        let told = format!("owner/name: not in the cache, and {variable} forbids downloads");
        assert!(said.contains(&told), "{said}");
    }
}
