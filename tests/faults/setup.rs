//! `interrogate setup` on a full disk and in folders that may not be written.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::shared::{self, Disk, repository, stderr};
use crate::stub_hub::{StubFile, StubHub};
use crate::user_folders::isolate;

const REPO: &str = "owner/clip";

/// A working folder with a dictionary, and a hub with a small model.
struct Workspace {
    folder: TempDir,
    hub: StubHub,
}

impl Workspace {
    fn new() -> Self {
        let (folder, hub) = (tempfile::tempdir().unwrap(), StubHub::start([]));
        #[cfg(unix)]
        shared::set_mode(folder.path(), 0o755);
        for file in fs::read_dir(repository().join("tests/fixtures/clip/quick")).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let (bytes, large) = (fs::read(file.path()).unwrap(), name == "model.safetensors");
            hub.add(
                &format!("{REPO}/main/{name}"),
                StubFile { bytes, large, ..StubFile::default() },
            );
        }
        let labels: String = (0..3000).map(|number| format!("label {number}\n")).collect();
        fs::create_dir(folder.path().join("dicts")).unwrap();
        fs::write(folder.path().join("dicts/flavors.txt"), labels).unwrap();
        Workspace { folder, hub }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn setup(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interrogate"));
        command.args(["setup", REPO, "--yes"]).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        isolate(&mut command, self.folder.path()).env("HF_ENDPOINT", self.hub.endpoint());
        command
    }

    fn config(&self) -> PathBuf {
        self.path("user/config/interrogate/config.toml")
    }

    #[track_caller]
    fn refused(&self, output: &Output, message: &str, hint: &str) {
        let stderr = stderr(output);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message) && stderr.contains(hint), "{stderr}");
        assert!(!self.config().exists());
    }

    #[track_caller]
    fn completes(&self) {
        let output = self.setup().output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let config = fs::read_to_string(self.config()).unwrap();
        assert!(config.ends_with(&format!("model = \"{REPO}\"\n")), "{config}");
        let leftovers = shared::drafts(&self.path("user/config/interrogate"));
        assert_eq!(leftovers, 0);
    }
}

/// Runs setup with a disk of `small` bytes at `folder`, which fails; then with more.
fn full(folder: &str, small: usize) {
    let workspace = Workspace::new();
    let Some(disk) = Disk::new(workspace.path(folder), small) else { return };
    let output = workspace.setup().output().unwrap();
    workspace.refused(
        &output,
        "No space left on device",
        "hint: the disk is full; free some space and run the same command again",
    );
    workspace.hub.requests();
    disk.grow(32 << 20);
    workspace.completes();
    if folder == "hf" {
        let requests = workspace.hub.requests();
        let resumed = |line: &String| line.starts_with("GET /blobs/") && line.contains("bytes=");
        assert!(requests.iter().any(resumed), "{requests:?}");
    }
}

#[test]
fn full_disk_in_the_download_is_reported_and_continued() {
    full("hf", 160 << 10);
}

#[test]
fn full_disk_in_the_build_is_reported_and_continued() {
    full("user/data", 64 << 10);
}

#[cfg(target_os = "linux")]
#[test]
fn folders_that_may_not_be_written_are_named_with_the_next_command() {
    let workspace = Workspace::new();
    for (folder, hint) in [
        ("user/config", "hint: set XDG_CONFIG_HOME to a folder that you may write"),
        (
            "user/data",
            "hint: create the folder indexes in the working folder, or set XDG_DATA_HOME",
        ),
        ("hf", "hint: set HF_HOME to a folder that you may write"),
    ] {
        fs::create_dir_all(workspace.path(folder)).unwrap();
        shared::give_away(&workspace.path("user"));
        shared::give_away(&workspace.path(folder));
        shared::set_mode(&workspace.path(folder), 0o555);
        let output = shared::unprivileged(&mut workspace.setup()).output().unwrap();
        workspace.refused(&output, "Permission denied", hint);
        shared::set_mode(&workspace.path(folder), 0o755);
    }
    // What could not be written at the end was reported before the download.
    assert!(workspace.hub.requests().iter().all(|line| !line.contains("/blobs/")));
    let output = shared::unprivileged(&mut workspace.setup()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
