//! Network access: the program connects only to download a hub id that the user names and
//! that is not cached.

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use build_index::{Builder, open_all};

use crate::fake::Fake;
use crate::run::{Folder, repository};

/// A stub of the hub and of every proxy. Counts connections and closes them unanswered.
struct StubServer {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl StubServer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        StubServer { address, connections }
    }

    /// Runs the program. Returns the number of connections and the exit code.
    fn count(&self, folder: &Folder, args: &[&str]) -> (usize, Option<i32>) {
        let before = self.connections.load(Ordering::SeqCst);
        let mut command: Command = folder.command(args);
        for name in ["HF_ENDPOINT", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"] {
            command.env(name, &self.address);
        }
        let output = command.env("HF_TOKEN", "hf_secret").output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&printed).contains("hf_secret"), "{args:?}");
        (self.connections.load(Ordering::SeqCst) - before, output.status.code())
    }
}

#[test]
fn no_command_opens_a_connection_without_a_hub_id() {
    let folder = Folder::new();
    let clip = repository().join("tests/fixtures/clip/gelu");
    let blip = repository().join("tests/fixtures/caption/blip");
    let (clip, blip) = (clip.to_str().unwrap(), blip.to_str().unwrap());
    folder.write("texts.txt", "a cat\n");
    let server = StubServer::new();
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
        let (connections, code) = server.count(&folder, args);
        assert_eq!(connections, 0, "{args:?}");
        assert_eq!(code, Some(0), "{args:?}");
    }
    // The server does count connections.
    let (connections, code) = server.count(&folder, &["prompt", "photos", "--model", "owner/name"]);
    assert!(connections > 0 && code != Some(0));
}

/// An index may name any repository: only a name on the command line starts a download.
#[test]
fn model_named_by_an_index_is_not_downloaded() {
    let folder = Folder::new();
    let dictionaries = open_all(&[folder.path("dicts")]).unwrap();
    let encoder = Fake::new(2);
    let builder = Builder::new(&encoder, "owner/name", "its fingerprint");
    let index = folder.path("indexes/owner--name");
    builder.build(&dictionaries, &index, |_| ControlFlow::Continue(())).unwrap();
    let server = StubServer::new();
    for args in [
        &["prompt", "photos"][..],
        &["rank", "photos", "--index", "indexes/owner--name"],
        &["rank", "--query", "\"a cat\""],
    ] {
        assert_eq!(server.count(&folder, args), (0, Some(2)), "{args:?}");
        let output = folder.run(args).expect(2);
        assert!(output.stderr().contains("owner/name: not in the cache"), "{}", output.stderr());
        assert!(output.stderr().contains("hint: pass --model owner/name to download it"));
    }
    // A model named on the command line is.
    let (connections, _) = server.count(&folder, &["rank", "photos", "--model", "owner/name"]);
    assert!(connections > 0);
}

#[test]
fn offline_mode_downloads_nothing() {
    let folder = Folder::new();
    let server = StubServer::new();
    for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        let mut command = folder.command(&["prompt", "photos", "--model", "owner/name"]);
        let before = server.connections.load(Ordering::SeqCst);
        let output =
            command.env("HF_ENDPOINT", &server.address).env(variable, "1").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), server.connections.load(Ordering::SeqCst)),
            (Some(2), before)
        );
        let expected = format!("owner/name: not in the cache, and {variable} forbids downloads");
        assert!(stderr.contains(&expected), "{stderr}");
    }
}
