//! A working folder for the program, and the output of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::user_folders::isolate;

/// The path of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A working folder with three photos, small dictionaries, and a folder for indexes.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path("indexes")).unwrap();
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
        isolate(&mut command, self.0.path());
        command
    }

    /// Runs the program with `args`.
    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        RunOutput::of(self.command(args))
    }
}

/// The output of a run.
pub(crate) struct RunOutput(Output);

impl From<Output> for RunOutput {
    fn from(output: Output) -> Self {
        RunOutput(output)
    }
}

impl RunOutput {
    /// Runs `command` to its end.
    pub(crate) fn of(mut command: Command) -> Self {
        RunOutput(command.output().unwrap())
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    /// Checks the exit code; panics with the output if it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}\n{}", self.stdout(), self.stderr());
        self
    }

    /// Stdout as JSON lines.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
