//! Where the program goes for what it is asked: nowhere, unless a hub id is named
//! that is not cached.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
