//! A folder to run the program in, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A working folder with three photos and small dictionaries.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for name in ["cat.jpg", "coffee.jpg", "rocket.jpg"] {
            let from = repository().join("tests/fixtures/photos").join(name);
            folder.write(&format!("photos/{name}"), fs::read(from).unwrap());
        }
        folder.write("dicts/mediums.txt", "an oil painting\na photo of a cat\n");
        folder.write("dicts/movements.txt", "cubism\nminimalism\n");
        folder.write("dicts/flavors.txt", "cat photo\nespresso in a cup\nmissile launch\nspoons\n");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interrogate"));
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        // No hub is in reach, and no cache of the machine's is looked into.
        command.env("HF_HOME", self.path("hf")).env("HF_ENDPOINT", "http://127.0.0.1:9");
        command
    }

    /// Runs the program with `args`.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran(self.command(args).output().unwrap())
    }
}

/// What came of a run.
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    pub(crate) fn err(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    /// The exit code, or a panic that shows what was said instead.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}\n{}", self.out(), self.err());
        self
    }

    /// Stdout as JSON lines.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
