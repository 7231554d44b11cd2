//! Regression tests with files that once failed (tests/fixtures/cases): folders, archives,
//! sidecars and outputs.

use std::fs;
use std::path::Path;

use crate::run::{Folder, RunOutput, repository};

/// Creates a folder with a copy of the case `name`.
fn case(name: &str) -> Folder {
    let folder = Folder::new();
    copy(&repository().join("tests/fixtures/cases").join(name), &folder.path(name));
    folder
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// Runs `prompt` or `embed images` with the smallest model.
fn run(folder: &Folder, command: &[&str], more: &[&str]) -> RunOutput {
    let model = repository().join("tests/fixtures/clip/quick");
    folder.run(&[command, &["--model", model.to_str().unwrap()], more].concat())
}

fn embed(folder: &Folder, more: &[&str]) -> RunOutput {
    run(folder, &["embed", "images"], more)
}

fn prompt(folder: &Folder, more: &[&str]) -> RunOutput {
    run(folder, &["prompt"], more)
}

/// The name of each image and whether it succeeded.
fn results(output: &RunOutput) -> Vec<(String, bool)> {
    let row = |row: serde_json::Value| {
        (row["image"].as_str().unwrap().to_owned(), row.get("error").is_none())
    };
    output.rows().into_iter().map(row).collect()
}

fn succeeded(names: &[&str]) -> Vec<(String, bool)> {
    names.iter().map(|name| ((*name).to_owned(), true)).collect()
}

/// The path and the bytes of every file below `folder`.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn jfif_files_are_read_from_folders_and_archives() {
    for (name, image) in [("jfif-folder", "jfif-folder/a.jfif"), ("jfif.tar", "jfif.tar/0.jfif")] {
        let output = embed(&case(name), &[name]).expect(0);
        assert_eq!(results(&output), succeeded(&[image]));
    }
}

#[test]
fn archive_without_an_image_is_an_error() {
    let folder = case("no-image.tar");
    let output = embed(&folder, &["no-image.tar"]).expect(2);
    let expected = "error: no-image.tar: images: expected at least one, found none";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
    assert!(output.stderr().contains("skipped 2 files: 1 .cls, 1 .txt"), "{}", output.stderr());
    // Other inputs are still processed.
    let output = embed(&folder, &["no-image.tar", "photos/cat.jpg"]).expect(1);
    let expected = [("no-image.tar".to_owned(), false), ("photos/cat.jpg".to_owned(), true)];
    assert_eq!(results(&output), expected);
}

#[test]
fn member_names_begin_with_the_archive_path() {
    let folder = case("absolute-1.tar");
    let cases = repository().join("tests/fixtures/cases");
    copy(&cases.join("absolute-2.tar"), &folder.path("absolute-2.tar"));
    let names = ["absolute-1.tar/data/img/0001.jpg", "absolute-2.tar/data/img/0001.jpg"];
    let output = embed(&folder, &["absolute-1.tar", "absolute-2.tar"]).expect(0);
    assert_eq!(results(&output), succeeded(&names));
    let features = |row: usize| output.rows()[row]["features"].clone();
    assert_ne!(features(0), features(1));
    // A resumed run distinguishes them.
    embed(&folder, &["absolute-1.tar", "-o", "out.jsonl"]).expect(0);
    embed(&folder, &["absolute-1.tar", "absolute-2.tar", "-o", "out.jsonl", "--resume"]).expect(0);
    assert_eq!(fs::read_to_string(folder.path("out.jsonl")).unwrap(), output.stdout());
}

#[test]
fn hard_link_in_an_archive_is_an_image() {
    let output = embed(&case("hard-link.tar"), &["hard-link.tar"]).expect(0);
    assert_eq!(results(&output), succeeded(&["hard-link.tar/a.jpg", "hard-link.tar/b.jpg"]));
    assert_eq!(output.rows()[0]["features"], output.rows()[1]["features"]);
}

#[test]
fn appledouble_and_hidden_files_are_skipped_and_counted() {
    let folder = case("appledouble.tar");
    let output = embed(&folder, &["appledouble.tar"]).expect(0);
    assert_eq!(results(&output), succeeded(&["appledouble.tar/a.jpg"]));
    assert!(output.stderr().contains("skipped 1 hidden\n"), "{}", output.stderr());
    let output = embed(&folder, &["appledouble.tar", "--quiet"]).expect(0);
    assert_eq!(output.stderr(), "");

    let folder = case("hidden");
    folder.write("hidden/@eaDir/x.png", fs::read(folder.path("hidden/a/x.png")).unwrap());
    folder.write("hidden/notes.txt", "");
    let output = embed(&folder, &["hidden", "--recursive"]).expect(0);
    assert_eq!(results(&output), succeeded(&["hidden/a/x.png"]));
    assert!(output.stderr().contains("skipped 1 file: 1 .txt; 3 hidden\n"), "{}", output.stderr());
    let output = embed(&folder, &["hidden"]).expect(2);
    let expected = "error: hidden: no image in this folder; skipped 1 file: 1 .txt; 2 hidden; \
                1 folder, which --recursive enters\n";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn two_images_with_one_sidecar_are_refused_before_anything_is_written() {
    let folder = case("same-stem");
    let before = contents(&folder.path(""));
    for more in [&[][..], &["--overwrite"], &["--append"], &["--skip-existing"]] {
        let args = [&["same-stem", "--sidecar", "-o", "out.jsonl"], more].concat();
        let output = prompt(&folder, &args).expect(2);
        let expected = "error: same-stem/p.txt: the sidecar of same-stem/p.jpg and the sidecar of \
                    same-stem/p.png would both be written there\nhint: name another file";
        assert!(output.stderr().contains(expected), "{}", output.stderr());
        assert!(contents(&folder.path("")) == before, "{more:?}");
    }
}

#[test]
fn image_named_txt_is_not_its_own_sidecar() {
    let folder = case("named-txt");
    let before = contents(&folder.path(""));
    for more in [&[][..], &["--overwrite"], &["--append"]] {
        let output =
            prompt(&folder, &[&["named-txt/photo.txt", "--sidecar"], more].concat()).expect(2);
        let expected = "named-txt/photo.txt: expected a file to write, found one that is read";
        assert!(output.stderr().contains(expected), "{}", output.stderr());
        assert!(contents(&folder.path("")) == before, "{more:?}");
    }
}

#[test]
fn unreadable_sidecar_fails_alone() {
    let folder = case("old-sidecar");
    let old = fs::read(folder.path("old-sidecar/b.txt")).unwrap();
    let args = ["old-sidecar", "--sidecar", "--append", "-o", "out.jsonl"];
    let output = prompt(&folder, &args).expect(1);
    assert!(
        output.stderr().contains("error: old-sidecar/b.txt: text: expected UTF-8"),
        "{}",
        output.stderr()
    );
    assert!(output.stderr().contains("1 of 3 images failed"), "{}", output.stderr());
    assert!(output.stderr().contains("2 sidecars written"), "{}", output.stderr());
    assert_eq!(fs::read(folder.path("old-sidecar/b.txt")).unwrap(), old);
    assert!(folder.path("old-sidecar/a.txt").exists() && folder.path("old-sidecar/c.txt").exists());
    let rows = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<bool> = rows.iter().map(|row| row.get("error").is_some()).collect();
    assert_eq!(failed, [false, true, false]);
    // Once repaired, the image is retried and its error row is replaced.
    folder.write("old-sidecar/b.txt", "old tag");
    let resume = [&args[..], &["--resume"]].concat();
    let output = prompt(&folder, &resume).expect(1);
    assert!(
        output.stderr().contains("1 of them in earlier runs: --retry-failed tries them again"),
        "{}",
        output.stderr()
    );
    prompt(&folder, &[&resume[..], &["--retry-failed"]].concat()).expect(0);
    let rows = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    assert_eq!((rows.lines().count(), rows.contains("\"error\"")), (3, false), "{rows}");
    assert!(fs::read_to_string(folder.path("old-sidecar/b.txt")).unwrap().starts_with("old tag, "));
}
