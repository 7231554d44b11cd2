//! The first prompts of the starter, before its index is built.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::{Folder, repository};

/// The prompts of the whole index, as the README has them.
const PROMPTS: [&str; 3] = [
    "photos/cat.jpg: photo of a cat, cat photo, illustration of a cat",
    "photos/coffee.jpg: espresso machine, highly detailed vfx espresso, coffee machine",
    "photos/rocket.jpg: missiles, missiles explosions in the sky, missile explosions",
];

/// Runs `prompt photos` with `args` until a line for each photo is printed, and stops it when it
/// builds the index. Returns the lines.
fn first_prompts(folder: &Folder, args: &[&str]) -> Vec<String> {
    let mut command = folder.command(&[&["prompt", "photos"], args].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found: Vec<String> = lines.by_ref().take(PROMPTS.len()).map(Result::unwrap).collect();
    assert!(!folder.path("indexes/starter/manifest.json").exists());
    // The build of the index begins; it is stopped, and the next run would continue it.
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("tokenized")));
    let term = ["-15".to_owned(), child.id().to_string()];
    assert!(Command::new("kill").args(term).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(lines.count(), 0);
    assert!(folder.path("indexes/starter").is_dir());
    found
}

#[test]
fn starter_answers_before_its_index_is_built() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    assert_eq!(first_prompts(&folder, &[]), PROMPTS);
}

#[test]
fn a_dictionary_with_a_count_is_in_the_first_prompts() {
    let folder = Folder::new();
    let flavors = fs::read(repository().join("dicts/flavors.txt")).unwrap();
    folder.write("dicts/flavors.txt", flavors);
    folder.write("dicts/things.top1.txt", "a cat\na cup of espresso\n");
    let found = first_prompts(&folder, &[]);
    assert_eq!(found[0], PROMPTS[0].replace(": ", ": a photo of a cat, a cat, "));
}

#[test]
fn a_missing_image_is_reported_at_once() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let output = folder.run(&["prompt", "photos/dog.jpg"]).expect(2);
    assert!(output.stderr().contains("cannot open photos/dog.jpg"), "{}", output.stderr());
    assert!(!output.stderr().contains("building"), "{}", output.stderr());
}

/// Runs `prompt photos` with `args` until it builds the index, and expects no prompt before that.
fn expect_index_first(args: &[&str]) {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    let mut command = folder.command(&[&["prompt", "photos"], args].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("tokenized")), "{args:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(BufReader::new(child.stdout.take().unwrap()).lines().count(), 0, "{args:?}");
}

#[test]
fn other_forms_and_named_tables_need_the_index_first() {
    expect_index_first(&["--format", "jsonl"]);
    expect_index_first(&["--without", "artists"]);
}
