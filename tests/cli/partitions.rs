//! `rank` over several index folders.

use std::fs;
use std::path::Path;

use crate::run::{Folder, RunOutput, repository};

/// Builds the index of these flavors with the starter, in the folder `name`.
fn build(folder: &Folder, name: &str, flavors: &str) {
    fs::remove_dir_all(folder.path("dicts")).unwrap();
    folder.write("dicts/flavors.txt", flavors);
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    fs::rename(folder.path("indexes/starter"), folder.path(name)).unwrap();
}

fn folder() -> Folder {
    let folder = Folder::new();
    build(&folder, "whole", "cat photo\nespresso in a cup\nmissile launch\nspoons\n");
    build(&folder, "a", "cat photo\nespresso in a cup\n");
    build(&folder, "b", "missile launch\nspoons\n");
    folder
}

/// Each label with its score, of every image.
fn matches(output: &RunOutput) -> Vec<Vec<(String, f64)>> {
    let of = |row: &serde_json::Value| {
        assert_eq!(row["table"], "flavors");
        let matches = row["matches"].as_array().unwrap().iter();
        matches
            .map(|found| {
                assert!(found.get("table").is_none(), "{found}");
                (found["label"].as_str().unwrap().to_owned(), found["score"].as_f64().unwrap())
            })
            .collect()
    };
    output.rows().iter().map(of).collect()
}

#[test]
fn several_indexes_rank_as_one() {
    let folder = folder();
    let rank = |indexes: &[&str], more: &[&str]| {
        let named = indexes.iter().flat_map(|index| ["--index", index]);
        let mut args = vec!["rank", "photos/*.jpg", "--format", "jsonl"];
        args.extend(named.chain(more.iter().copied()));
        matches(&folder.run(&args).expect(0))
    };
    for more in [&["-k", "3"][..], &["-k", "9"], &["--reverse"], &["--probabilities"]] {
        let (whole, parts) = (rank(&["whole"], more), rank(&["a", "b"], more));
        assert_eq!((whole.len(), parts.len()), (3, 3));
        for (whole, parts) in whole.iter().flatten().zip(parts.iter().flatten()) {
            // Rows depend by rounding on the labels that they are encoded with.
            assert_eq!(whole.0, parts.0, "{more:?}");
            assert!((whole.1 - parts.1).abs() < 1e-3, "{more:?}: {whole:?} {parts:?}");
        }
    }
    let query = ["rank", "--query", "photos/cat.jpg", "--index", "b", "--index", "a", "-k", "1"];
    assert!(folder.run(&query).expect(0).stdout().ends_with("  cat photo\n"));
}

#[test]
fn index_named_twice_or_of_another_model_is_refused() {
    let folder = folder();
    let rank = |a: &str, b: &str| {
        folder.run(&["rank", "photos/cat.jpg", "--index", a, "--index", b]).expect(2)
    };
    let output = rank("a", "./a");
    assert!(output.stderr().contains("--index: ./a is named twice"), "{}", output.stderr());
    let output = rank("a", "gone");
    assert!(output.stderr().contains("no index in gone"), "{}", output.stderr());
    let model = repository().join("tests/fixtures/clip/quick");
    folder.run(&["rank", "photos/cat.jpg", "--model", model.to_str().unwrap()]).expect(0);
    let output = rank("a", "indexes/quick");
    let expected = "the index in indexes/quick is of the model ";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
    let prompt = ["prompt", "photos/cat.jpg", "--index", "a", "--index", "b"];
    let output = folder.run(&prompt).expect(2);
    assert!(output.stderr().contains("cannot be used multiple times"), "{}", output.stderr());
}

#[test]
fn resumed_run_needs_the_same_indexes() {
    let folder = folder();
    let rank = |indexes: &[&str], more: &[&str]| {
        let named = indexes.iter().flat_map(|index| ["--index", index]);
        let mut args = vec!["rank", "photos/cat.jpg", "-o", "out.jsonl"];
        args.extend(named.chain(more.iter().copied()));
        folder.run(&args)
    };
    rank(&["a", "b"], &[]).expect(0);
    rank(&["a", "b"], &["--resume"]).expect(0);
    let output = rank(&["a"], &["--resume"]).expect(2);
    assert!(output.stderr().contains("the index had other contents than a"), "{}", output.stderr());
    assert!(Path::new(&folder.path("out.jsonl")).is_file());
}
