//! The first prompts of the starter, before its index is built.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::Folder;

/// The prompts of the whole index, as the README has them.
const PROMPTS: [&str; 3] = [
    "photos/cat.jpg: photo of a cat, cat photo, illustration of a cat",
    "photos/coffee.jpg: espresso machine, highly detailed vfx espresso, coffee machine",
    "photos/rocket.jpg: missiles, missiles explosions in the sky, missile explosions",
];

#[test]
fn starter_answers_before_its_index_is_built() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let mut command = folder.command(&["prompt", "photos"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found: Vec<String> = lines.by_ref().take(PROMPTS.len()).map(Result::unwrap).collect();
    assert_eq!(found, PROMPTS);
    assert!(!folder.path("indexes/starter/manifest.json").exists());
    // The build of the index begins; it is stopped, and the next run would continue it.
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("tokenized")));
    let term = ["-15".to_owned(), child.id().to_string()];
    assert!(Command::new("kill").args(term).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(lines.count(), 0);
    assert!(folder.path("indexes/starter").is_dir());
}

#[test]
fn a_missing_image_is_reported_at_once() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let output = folder.run(&["prompt", "photos/dog.jpg"]).expect(2);
    assert!(output.stderr().contains("cannot open photos/dog.jpg"), "{}", output.stderr());
    assert!(!output.stderr().contains("building"), "{}", output.stderr());
}

#[test]
fn other_forms_build_the_index_first() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let mut command = folder.command(&["prompt", "photos", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("tokenized")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(BufReader::new(child.stdout.take().unwrap()).lines().count(), 0);
}
