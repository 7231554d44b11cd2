//! Inputs that once failed (tests/fixtures/cases), as far as they are about files: folders,
//! archives, sidecars, outputs.

use std::fs;
use std::path::Path;

use crate::run::{Folder, Ran, repository};

/// A folder with the case `name` in it, copied.
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

/// Runs `prompt` or `embed images` with the smallest model there is.
fn run(folder: &Folder, command: &[&str], more: &[&str]) -> Ran {
    let model = repository().join("tests/fixtures/clip/quick");
    folder.run(&[command, &["--model", model.to_str().unwrap()], more].concat())
}

fn embed(folder: &Folder, more: &[&str]) -> Ran {
    run(folder, &["embed", "images"], more)
}

fn prompt(folder: &Folder, more: &[&str]) -> Ran {
    run(folder, &["prompt"], more)
}

/// The images that were answered and those that failed.
fn answers(ran: &Ran) -> Vec<(String, bool)> {
    let row = |row: serde_json::Value| {
        (row["image"].as_str().unwrap().to_owned(), row.get("error").is_none())
    };
    ran.rows().into_iter().map(row).collect()
}

fn good(names: &[&str]) -> Vec<(String, bool)> {
    names.iter().map(|name| ((*name).to_owned(), true)).collect()
}

/// All files below the folder and their bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn jfif_files_are_read_from_folders_and_archives() {
    for (name, image) in [("jfif-folder", "jfif-folder/a.jfif"), ("jfif.tar", "jfif.tar/0.jfif")] {
        let ran = embed(&case(name), &[name]).expect(0);
        assert_eq!(answers(&ran), good(&[image]));
    }
}

#[test]
fn an_archive_without_an_image_is_an_error() {
    let folder = case("no-image.tar");
    let ran = embed(&folder, &["no-image.tar"]).expect(2);
    let said = "error: no-image.tar: images: expected at least one, found none";
    assert!(ran.err().contains(said), "{}", ran.err());
    assert!(ran.err().contains("skipped 2 files: 1 .cls, 1 .txt"), "{}", ran.err());
    // Beside others it fails alone.
    let ran = embed(&folder, &["no-image.tar", "photos/cat.jpg"]).expect(1);
    let expected = [("no-image.tar".to_owned(), false), ("photos/cat.jpg".to_owned(), true)];
    assert_eq!(answers(&ran), expected);
}

#[test]
fn a_members_name_begins_with_its_archive() {
    let folder = case("absolute-1.tar");
    let cases = repository().join("tests/fixtures/cases");
    copy(&cases.join("absolute-2.tar"), &folder.path("absolute-2.tar"));
    let names = ["absolute-1.tar/data/img/0001.jpg", "absolute-2.tar/data/img/0001.jpg"];
    let ran = embed(&folder, &["absolute-1.tar", "absolute-2.tar"]).expect(0);
    assert_eq!(answers(&ran), good(&names));
    let features = |row: usize| ran.rows()[row]["features"].clone();
    assert_ne!(features(0), features(1));
    // So a run that goes on tells them apart.
    embed(&folder, &["absolute-1.tar", "-o", "out.jsonl"]).expect(0);
    embed(&folder, &["absolute-1.tar", "absolute-2.tar", "-o", "out.jsonl", "--resume"]).expect(0);
    assert_eq!(fs::read_to_string(folder.path("out.jsonl")).unwrap(), ran.out());
}

#[test]
fn a_hard_link_in_an_archive_is_an_image() {
    let ran = embed(&case("hard-link.tar"), &["hard-link.tar"]).expect(0);
    assert_eq!(answers(&ran), good(&["hard-link.tar/a.jpg", "hard-link.tar/b.jpg"]));
    assert_eq!(ran.rows()[0]["features"], ran.rows()[1]["features"]);
}

#[test]
fn appledouble_and_hidden_files_are_skipped_and_counted() {
    let folder = case("appledouble.tar");
    let ran = embed(&folder, &["appledouble.tar"]).expect(0);
    assert_eq!(answers(&ran), good(&["appledouble.tar/a.jpg"]));
    assert!(ran.err().contains("skipped 1 hidden\n"), "{}", ran.err());
    let ran = embed(&folder, &["appledouble.tar", "--quiet"]).expect(0);
    assert_eq!(ran.err(), "");

    let folder = case("hidden");
    folder.write("hidden/@eaDir/x.png", fs::read(folder.path("hidden/a/x.png")).unwrap());
    folder.write("hidden/notes.txt", "");
    let ran = embed(&folder, &["hidden", "--recursive"]).expect(0);
    assert_eq!(answers(&ran), good(&["hidden/a/x.png"]));
    assert!(ran.err().contains("skipped 1 file: 1 .txt; 3 hidden\n"), "{}", ran.err());
    let ran = embed(&folder, &["hidden"]).expect(2);
    let said = "error: hidden: no image in this folder; skipped 1 file: 1 .txt; 2 hidden; \
                1 folder, which --recursive enters\n";
    assert!(ran.err().contains(said), "{}", ran.err());
}

#[test]
fn two_images_with_one_sidecar_are_refused_before_anything_is_written() {
    let folder = case("same-stem");
    let before = contents(&folder.path(""));
    for more in [&[][..], &["--overwrite"], &["--append"], &["--skip-existing"]] {
        let args = [&["same-stem", "--sidecar", "-o", "out.jsonl"], more].concat();
        let ran = prompt(&folder, &args).expect(2);
        let said = "error: same-stem/p.txt: the sidecar of same-stem/p.jpg and the sidecar of \
                    same-stem/p.png would both be written there\nhint: name another file";
        assert!(ran.err().contains(said), "{}", ran.err());
        assert!(contents(&folder.path("")) == before, "{more:?}");
    }
}

#[test]
fn an_image_named_txt_is_not_its_own_sidecar() {
    let folder = case("named-txt");
    let before = contents(&folder.path(""));
    for more in [&[][..], &["--overwrite"], &["--append"]] {
        let ran =
            prompt(&folder, &[&["named-txt/photo.txt", "--sidecar"], more].concat()).expect(2);
        let said = "named-txt/photo.txt: expected a file to write, found one that is read";
        assert!(ran.err().contains(said), "{}", ran.err());
        assert!(contents(&folder.path("")) == before, "{more:?}");
    }
}

#[test]
fn unreadable_sidecar_fails_alone() {
    let folder = case("old-sidecar");
    let old = fs::read(folder.path("old-sidecar/b.txt")).unwrap();
    let args = ["old-sidecar", "--sidecar", "--append", "-o", "out.jsonl"];
    let ran = prompt(&folder, &args).expect(1);
    assert!(ran.err().contains("error: old-sidecar/b.txt: text: expected UTF-8"), "{}", ran.err());
    assert!(ran.err().contains("1 of 3 images failed"), "{}", ran.err());
    assert!(ran.err().contains("2 sidecars written"), "{}", ran.err());
    assert_eq!(fs::read(folder.path("old-sidecar/b.txt")).unwrap(), old);
    assert!(folder.path("old-sidecar/a.txt").exists() && folder.path("old-sidecar/c.txt").exists());
    let rows = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<bool> = rows.iter().map(|row| row.get("error").is_some()).collect();
    assert_eq!(failed, [false, true, false]);
    // Mended, it is tried again, and its error does not stay.
    folder.write("old-sidecar/b.txt", "old tag");
    let resume = [&args[..], &["--resume"]].concat();
    let ran = prompt(&folder, &resume).expect(1);
    assert!(
        ran.err().contains("1 of them before: --retry-failed tries them again"),
        "{}",
        ran.err()
    );
    prompt(&folder, &[&resume[..], &["--retry-failed"]].concat()).expect(0);
    let rows = fs::read_to_string(folder.path("out.jsonl")).unwrap();
    assert_eq!((rows.lines().count(), rows.contains("\"error\"")), (3, false), "{rows}");
    assert!(fs::read_to_string(folder.path("old-sidecar/b.txt")).unwrap().starts_with("old tag, "));
}
