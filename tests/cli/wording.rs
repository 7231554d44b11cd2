//! How prompts and captions are written: separators, replacements, escapes, sidecars, and the
//! settings of chains.

use std::fs;

use crate::run::{Folder, repository};

#[test]
fn parts_are_joined_by_the_separator() {
    let folder = Folder::new();
    let prompt = ["prompt", "photos/cat.jpg", "--caption", "a pet, asleep"];
    let plain = folder.run(&prompt).expect(0).stdout().to_owned();
    assert!(plain.starts_with("a pet, asleep, a photo of a cat, cat photo"), "{plain}");
    let bars = folder.run(&[&prompt[..], &["--separator", " | "]].concat()).expect(0);
    assert_eq!(bars.stdout(), plain.replace(", ", " | "));
    let args = [&prompt[..], &["--separator", "; ", "--template", "{flavors}"]].concat();
    let output = folder.run(&args).expect(2);
    assert!(output.stderr().contains("cannot be used with '--template"), "{}", output.stderr());
}

#[test]
fn texts_are_replaced_and_parentheses_escaped_everywhere() {
    let folder = Folder::new();
    folder.write("dicts/flavors.txt", "cat (photo)\nespresso in a cup\n");
    let args = [
        "prompt",
        "photos/cat.jpg",
        "--caption",
        "araffe (big)",
        "--replace",
        "araffe=a cat",
        "--replace",
        "a photo of a cat=",
        "--escape-parens",
        "--format",
        "jsonl",
        "--sidecar",
        "--report",
        "out.html",
        "--max-flavors",
        "1",
    ];
    let row = &folder.run(&args).expect(0).rows()[0];
    let expected = r"a cat \(big\), cat \(photo\)";
    assert_eq!((&row["prompt"], &row["caption"]), (&expected.into(), &"araffe (big)".into()));
    assert_eq!(fs::read_to_string(folder.path("photos/cat.txt")).unwrap(), format!("{expected}\n"));
    assert!(fs::read_to_string(folder.path("out.html")).unwrap().contains(expected));
    let weights =
        ["prompt", "photos/cat.jpg", "--weights", "--escape-parens", "--max-flavors", "1"];
    let output = folder.run(&weights).expect(0);
    assert!(output.stdout().contains(r"(cat \(photo\):"), "{}", output.stdout());
    for replace in ["=x", "x"] {
        let output = folder.run(&["prompt", "photos", "--replace", replace]).expect(2);
        assert!(output.stderr().contains("expected A=B"), "{}", output.stderr());
    }
}

#[test]
fn captions_are_replaced_too() {
    let folder = Folder::new();
    let model = repository().join("tests/fixtures/caption/blip2-opt");
    let model = model.to_str().unwrap();
    let args = ["caption", "photos/rocket.jpg", "--caption-model", model];
    let plain = folder.run(&args).expect(0).stdout().to_owned();
    let replaced = folder.run(&[&args[..], &["--replace", "w36=(x)", "--escape-parens"]].concat());
    let expected = plain.replace("w36", r"\(x\)");
    assert_eq!(replaced.expect(0).stdout(), expected);
    assert_ne!(expected, plain);
}

#[test]
fn sidecars_have_another_extension() {
    let folder = Folder::new();
    folder.write("photos/cat.txt", "mine");
    let args = ["prompt", "photos", "--sidecar", "--caption-extension", ".caption"];
    let output = folder.run(&args).expect(0);
    assert!(output.stderr().contains("3 sidecars written"), "{}", output.stderr());
    let text = fs::read_to_string(folder.path("photos/cat.caption")).unwrap();
    assert_eq!(text, "a photo of a cat, cat photo\n");
    assert_eq!(fs::read_to_string(folder.path("photos/cat.txt")).unwrap(), "mine");
    fs::remove_file(folder.path("photos/coffee.caption")).unwrap();
    let output = folder.run(&[&args[..], &["--skip-existing"]].concat()).expect(0);
    assert!(
        output.stdout().starts_with("photos/coffee.jpg: ") && output.stdout().lines().count() == 1
    );
    // The images themselves are never replaced.
    let args = ["prompt", "photos", "--sidecar", "--caption-extension", "jpg", "--overwrite"];
    let output = folder.run(&args).expect(2);
    assert!(output.stderr().contains("expected a file to write, found one that is read"));
    let args = ["prompt", "photos", "--sidecar", "--caption-extension", "../x"];
    assert!(folder.run(&args).expect(2).stderr().contains("expected an extension"));
    let output = folder.run(&["prompt", "photos", "--caption-extension", "x"]).expect(2);
    assert!(output.stderr().contains("--sidecar"), "{}", output.stderr());
}

#[test]
fn chain_candidates_limit_what_a_chain_chooses_from() {
    let folder = Folder::new();
    let args = ["prompt", "photos/cat.jpg", "--mode", "best", "--format", "jsonl"];
    let candidates = |more: &[&str]| {
        let row = folder.run(&[&args[..], more].concat()).expect(0).rows().remove(0);
        row["tables"]["labels"].as_array().unwrap().len()
    };
    // Of the eight labels of the dictionaries.
    assert_eq!(candidates(&["--max-flavors", "2"]), 2);
    assert_eq!(candidates(&["--low-memory"]), candidates(&[]));
    assert_eq!(candidates(&["--max-flavors", "2", "--chain-candidates", "1"]), 2);
    let negative = |count| {
        let args = ["prompt", "photos/cat.jpg", "--mode", "negative", "--min-flavors", "9"];
        let output = folder.run(&[&args[..], &["--chain-candidates", count]].concat()).expect(0);
        output.stdout().trim().split(", ").count()
    };
    assert_eq!(negative("1"), 1);
    let output = folder.run(&[&args[..], &["--chain-candidates", "0"]].concat()).expect(2);
    assert!(output.stderr().contains("invalid value '0'"), "{}", output.stderr());
    let output = folder.run(&[&args[..], &["--chunk-size", "9"]].concat()).expect(2);
    assert!(output.stderr().contains("--compat"), "{}", output.stderr());
}

#[test]
fn chunk_size_changes_the_ranking_by_quota() {
    let folder = Folder::new();
    let args = ["prompt", "photos/cat.jpg", "--mode", "fast", "--max-flavors", "3", "--compat"];
    let prompt = |more: &[&str]| {
        folder.run(&[&args[..], more].concat()).expect(0).stdout().trim_end().to_owned()
    };
    let whole = prompt(&["--min-score", "-1"]);
    assert_eq!(whole.split(", ").count(), 3);
    // Eight labels in four chunks of two: none of them supplies a label.
    assert_eq!(prompt(&["--min-score", "-1", "--chunk-size", "2"]), "");
}

#[test]
fn low_memory_captions_in_two_passes() {
    let folder = Folder::new();
    let model = repository().join("tests/fixtures/caption/blip2-opt");
    let args = ["prompt", "photos", "--caption-model", model.to_str().unwrap()];
    let plain = folder.run(&args).expect(0).stdout().to_owned();
    let low = folder.run(&[&args[..], &["--low-memory"]].concat()).expect(0);
    assert_eq!(low.stdout(), plain);
    let two_pass = folder.run(&[&args[..], &["--two-pass"]].concat()).expect(0);
    assert_eq!(low.stderr().lines().count(), two_pass.stderr().lines().count());
}
