use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::run::{Folder, repository};

/// Embeds images with the smallest model. Returns the name of each image and whether it
/// succeeded.
fn embedded(folder: &Folder, args: &[&str], code: i32) -> Vec<(String, bool)> {
    let model = repository().join("tests/fixtures/clip/quick");
    let model = ["embed", "images", "--model", model.to_str().unwrap()];
    let rows = folder.run(&[&model, args].concat()).expect(code).rows();
    let row = |row: &serde_json::Value| {
        (row["image"].as_str().unwrap().to_owned(), row.get("features").is_some())
    };
    rows.iter().map(row).collect()
}

fn succeeded(names: &[&str]) -> Vec<(String, bool)> {
    names.iter().map(|name| ((*name).to_owned(), true)).collect()
}

#[test]
fn recursive_reads_subfolders() {
    let folder = Folder::new();
    folder.write("photos/more/cat.JPEG", fs::read(folder.path("photos/cat.jpg")).unwrap());
    let flat = ["photos/cat.jpg", "photos/coffee.jpg", "photos/rocket.jpg"];
    assert_eq!(embedded(&folder, &["photos"], 0), succeeded(&flat));
    let deep = [&flat[..2], &["photos/more/cat.JPEG"], &flat[2..]].concat();
    assert_eq!(embedded(&folder, &["photos", "--recursive"], 0), succeeded(&deep));
}

#[test]
fn filelist_keeps_its_order() {
    let folder = Folder::new();
    folder.write("list", "photos/rocket.jpg\r\n\nphotos/gone.jpg\nphotos/cat.jpg\n");
    let mut expected = succeeded(&["photos/rocket.jpg", "photos/gone.jpg", "photos/cat.jpg"]);
    expected[1].1 = false;
    assert_eq!(embedded(&folder, &["--filelist", "list"], 1), expected);
    folder.write("empty", "\n");
    let output = folder.run(&["embed", "images", "--filelist", "empty"]).expect(2);
    assert!(output.stderr().contains("empty: no path in this list\nhint: "), "{}", output.stderr());
}

#[test]
fn paths_from_stdin_end_with_newlines_or_nuls() {
    let folder = Folder::new();
    let piped = |bytes: &[u8], more: &[&str]| {
        let mut command = folder.command(&[&["embed", "images", "-"], more].concat());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let name = |line: &str| line.split('"').nth(3).unwrap().to_owned();
        out.lines().map(name).collect::<Vec<_>>()
    };
    let expected = ["photos/rocket.jpg", "photos/cat.jpg"];
    assert_eq!(piped(b"photos/rocket.jpg\nphotos/cat.jpg\n", &[]), expected);
    assert_eq!(piped(b"photos/rocket.jpg\0photos/cat.jpg\0", &["--null"]), expected);
}

#[test]
fn images_in_archives_are_read_in_place() {
    let folder = Folder::new();
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["rocket", "cat", "coffee"] {
        tar.append_path_with_name(
            folder.path(&format!("photos/{name}.jpg")),
            format!("{name}.jpg"),
        )
        .unwrap();
    }
    let tar = tar.into_inner().unwrap();
    folder.write("shards/a.tar", &tar);
    let all = ["shards/a.tar/rocket.jpg", "shards/a.tar/cat.jpg", "shards/a.tar/coffee.jpg"];
    assert_eq!(embedded(&folder, &["shards/*.tar"], 0), succeeded(&all));
    assert_eq!(fs::read_dir(folder.path("shards")).unwrap().count(), 1);
    // The features equal those of the files.
    let of = |from: &str| {
        let row = folder.run(&["embed", "images", from]).expect(0).rows();
        row.into_iter().find(|row| row["image"].as_str().unwrap().ends_with("cat.jpg")).unwrap()
    };
    assert_eq!(of("shards/a.tar")["features"], of("photos/cat.jpg")["features"]);
    // A truncated archive yields the members before the cut and an error with its path.
    folder.write("shards/a.tar", &tar[..tar.len() - 3000]);
    let mut expected = succeeded(&[all[0], all[1], "shards/a.tar"]);
    expected[2].1 = false;
    assert_eq!(embedded(&folder, &["shards/a.tar"], 1), expected);
    let output = folder.run(&["embed", "images", "shards/a.tar"]).expect(1);
    assert!(
        output.stderr().contains("shards/a.tar: archive cut short: expected "),
        "{}",
        output.stderr()
    );
    let output = folder.run(&["prompt", "shards/a.tar", "--sidecar"]).expect(2);
    assert!(output.stderr().contains("--sidecar does not support images in archives\nhint: "));
}

#[test]
fn rows_do_not_depend_on_the_batch_size() {
    let folder = Folder::new();
    let model = repository().join("tests/fixtures/clip/quick");
    for model in ["starter", model.to_str().unwrap()] {
        let embed = |size| {
            let args = ["embed", "images", "photos", "--model", model, "--batch-size", size];
            folder.run(&args).expect(0).stdout().to_owned()
        };
        assert_eq!(embed("1"), embed("16"), "{model}");
    }
}

#[test]
fn excluded_folders_are_not_read() {
    let folder = Folder::new();
    for name in ["photos/thumbs/a.jpg", "photos/more/thumbs-2/b.jpg", "photos/more/cat.jpg"] {
        folder.write(name, fs::read(folder.path("photos/cat.jpg")).unwrap());
    }
    let flat = ["photos/cat.jpg", "photos/coffee.jpg", "photos/more/cat.jpg", "photos/rocket.jpg"];
    let args = ["photos", "-r", "--exclude-dir", "thumbs", "--exclude-dir=thumbs-[0-9]"];
    assert_eq!(embedded(&folder, &args, 0), succeeded(&flat));
    let output = folder.run(&[&["embed", "images"], &args[..]].concat()).expect(0);
    assert!(output.stderr().contains("skipped 2 excluded folders\n"), "{}", output.stderr());
    for (value, expected) in [
        ("photos/thumbs", "expected the name of a folder, without the folders above it"),
        ("", "expected the name of a folder"),
        ("a[", "invalid range pattern"),
    ] {
        let args = ["embed", "images", "photos", "-r", "--exclude-dir", value];
        let output = folder.run(&args).expect(2);
        assert!(output.stderr().contains(expected), "{}", output.stderr());
    }
    let output = folder.run(&["embed", "images", "photos", "--exclude-dir", "x"]).expect(2);
    assert!(output.stderr().contains("--recursive"), "{}", output.stderr());
}

#[test]
fn filelist_may_be_a_table_with_a_column_of_paths() {
    let folder = Folder::new();
    let expected = succeeded(&["photos/rocket.jpg", "photos/cat.jpg"]);
    for (name, text) in [
        ("a.tsv", "label\tfile_name\r\na\tphotos/rocket.jpg\r\n\r\n\"b\tc\"\tphotos/cat.jpg\r\n"),
        ("a.CSV", "\u{feff}image,label\nphotos/rocket.jpg,\"a, b\"\nphotos/cat.jpg\n"),
        // Without a header, lines.
        ("b.tsv", "photos/rocket.jpg\nphotos/cat.jpg\n"),
    ] {
        folder.write(name, text);
        assert_eq!(embedded(&folder, &["--filelist", name], 0), expected, "{name}");
    }
    for (text, expected) in [
        ("image\tlabel\na.jpg\tx\n\ty\n", "error: a.tsv:3: record: expected a path, found none\n"),
        ("label\timage\nx\n", "error: a.tsv:2: record: expected a path, found none\n"),
        ("image\tlabel\n", "error: a.tsv: no path in this list\n"),
    ] {
        folder.write("a.tsv", text);
        let output = folder.run(&["embed", "images", "--filelist", "a.tsv"]).expect(2);
        assert!(output.stderr().starts_with(expected), "{}", output.stderr());
    }
}
