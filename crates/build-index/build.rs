//! Passes the commit to the code as the variable `COMMIT`, for `--version`, and sets the cfg
//! `dictionaries` if the repository's are here: a package of a registry lacks them.
//!
//! The commit is the variable `INTERROGATE_COMMIT` or, in a release build, git's HEAD. Other
//! builds ignore git: they would have to be built again after each commit. Without either
//! there is no variable.

use std::env;
use std::path::Path;
use std::process::Command;

/// This package's folder in its repository, as git prints it.
const FOLDER: &str = "crates/build-index/";

/// The repository's dictionaries, and one of them.
const DICTIONARIES: (&str, &str) = ("../../dicts", "flavors.txt");

fn main() {
    println!("cargo::rustc-check-cfg=cfg(dictionaries)");
    let (folder, file) = DICTIONARIES;
    println!("cargo::rerun-if-changed={folder}");
    if Path::new(folder).join(file).is_file() {
        println!("cargo::rustc-cfg=dictionaries");
    } else {
        println!(
            "cargo::warning=no dictionaries are embedded: no dicts/{file}; build from the repository"
        );
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=INTERROGATE_COMMIT");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var("INTERROGATE_COMMIT").ok().filter(|given| !given.is_empty());
    let commit = given.or_else(|| if is_release { head() } else { None });
    match commit {
        Some(commit) if commit.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            println!("cargo::rustc-env=COMMIT={:.12}", commit.to_ascii_lowercase());
        }
        Some(_) => println!("cargo::error=INTERROGATE_COMMIT: expected hexadecimal digits"),
        None => {}
    }
}

/// Returns the commit of HEAD; `None` without git, and for a copy of this package in another
/// repository.
fn head() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != FOLDER {
        return None;
    }
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    // Every commit and checkout appends to logs/HEAD. A repository without it changes the
    // file of the branch. Cargo takes a missing file for a changed one.
    for name in ["HEAD", "logs/HEAD", "packed-refs", &branch] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).is_file() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

/// Returns the output of git, run in this package's folder; `None` if it fails.
fn git(args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // A build that a git hook starts has the variables of the hook's repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command.args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
