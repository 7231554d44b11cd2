//! `rank --query` and `similarity`.

use std::io::Write;
use std::process::Stdio;

use crate::run::Folder;

#[test]
fn query_of_one_image_ranks_like_the_image() {
    let folder = Folder::new();
    let plain = folder.run(&["rank", "photos/cat.jpg", "--format", "jsonl"]).expect(0);
    let query = folder.run(&["rank", "--query", "photos/cat.jpg", "--format", "jsonl"]).expect(0);
    assert_eq!(query.rows()[0]["query"], "photos/cat.jpg");
    assert_eq!(query.rows()[0]["table"], "flavors");
    let labels = |rows: &serde_json::Value| {
        let found = rows["matches"].as_array().unwrap();
        found.iter().map(|found| found["label"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(labels(&query.rows()[0]), labels(&plain.rows()[0]));
    let scores = |rows: &serde_json::Value| rows["matches"][0]["score"].as_f64().unwrap();
    assert!((scores(&query.rows()[0]) - scores(&plain.rows()[0])).abs() < 1e-6);
}

#[test]
fn added_terms_rise_and_subtracted_terms_fall() {
    let folder = Folder::new();
    folder.run(&["prompt", "photos/cat.jpg"]).expect(0);
    let rank = |query: &str| {
        let output = folder.run(&["rank", "--query", query, "-k", "1"]).expect(0);
        output.stdout().trim().split_once("  ").unwrap().1.to_owned()
    };
    assert_eq!(rank("photos/cat.jpg"), "cat photo");
    assert_eq!(rank(r#"photos/cat.jpg + 3*"espresso in a cup""#), "espresso in a cup");
    assert_ne!(rank(r#"photos/cat.jpg - 2*"cat photo""#), "cat photo");
    let worst =
        folder.run(&["rank", "--query", r#"-"cat photo""#, "-k", "1", "--reverse"]).expect(0);
    assert!(worst.stdout().trim().ends_with("-1.0000  cat photo"), "{}", worst.stdout());
}

#[test]
fn query_syntax_error_names_the_column() {
    let folder = Folder::new();
    for (query, expected) in [
        (
            "photos/cat.jpg -",
            "column 17: expected an image or a text, found the end\nhint: a query is like",
        ),
        ("gone.jpg", "cannot open gone.jpg"),
        ("\"a\" - \"a\"", "the terms of text:\"a\" - text:\"a\" cancel each other out\nhint: "),
    ] {
        let output = folder.run(&["rank", "--query", query]).expect(2);
        assert!(
            output.stderr().contains(expected) && output.stdout().is_empty(),
            "{query}: {}",
            output.stderr()
        );
    }
    folder.run(&["rank"]).expect(2);
    folder.run(&["rank", "photos", "--query", "x.jpg"]).expect(2);
}

#[test]
fn similarity_is_the_cosine_of_each_text() {
    let folder = Folder::new();
    let texts = ["a cup of coffee", "a photo of a cat", "the stock market"];
    let args = [&["similarity", "photos/cat.jpg"][..], &texts, &["--format", "jsonl"]].concat();
    let rows = folder.run(&args).expect(0).rows();
    assert_eq!((rows.len(), &rows[0]["text"]), (3, &"a photo of a cat".into()));
    let scores: Vec<f64> = rows.iter().map(|row| row["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] <= 1.0, "{scores:?}");

    let ordered = folder.run(&[&args[..], &["--in-order"]].concat()).expect(0).rows();
    let order: Vec<_> = ordered.iter().map(|row| row["text"].as_str().unwrap()).collect();
    assert_eq!(order, texts);
    // The same scores from the embeddings.
    let values = |rows: Vec<serde_json::Value>| -> Vec<Vec<f64>> {
        let row =
            |row: &serde_json::Value| serde_json::from_value(row["features"].clone()).unwrap();
        rows.iter().map(row).collect()
    };
    let image = values(folder.run(&["embed", "images", "photos/cat.jpg"]).expect(0).rows());
    let embedded = values(folder.run(&[&["embed", "texts"][..], &texts].concat()).expect(0).rows());
    for (row, text) in ordered.iter().zip(&embedded) {
        let cosine: f64 = image[0].iter().zip(text).map(|(a, b)| a * b).sum();
        assert!((cosine - row["score"].as_f64().unwrap()).abs() < 1e-6);
    }
}

#[test]
fn similarity_reads_stdin_and_reports_failures() {
    let folder = Folder::new();
    let mut command = folder.command(&["similarity", "photos/cat.jpg", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"cats\nrockets\n").unwrap();
    let done = child.wait_with_output().unwrap();
    let lines = String::from_utf8(done.stdout).unwrap();
    assert!(lines.lines().next().unwrap().ends_with("  cats"), "{lines}");
    assert_eq!(lines.lines().count(), 2);
    let output = folder.run(&["similarity", "gone.jpg", "x"]).expect(2);
    assert!(output.stderr().contains("cannot open gone.jpg"), "{}", output.stderr());
}

#[test]
fn allow_truncated_reads_a_truncated_image() {
    let folder = Folder::new();
    let photo = std::fs::read(folder.path("photos/cat.jpg")).unwrap();
    folder.write("cut.jpg", &photo[..photo.len() * 9 / 10]);
    for command in [&["similarity", "cut.jpg", "a cat"][..], &["rank", "--query", "cut.jpg"]] {
        let output = folder.run(command).expect(2);
        assert!(output.stderr().contains("cut.jpg: "), "{}", output.stderr());
        let output = folder.run(&[command, &["--allow-truncated"]].concat()).expect(0);
        assert!(!output.stdout().is_empty());
    }
}

#[test]
fn jpeg_draft_decodes_at_a_reduced_size() {
    let folder = Folder::new();
    let rank = |options: &[&str]| {
        let command = [&["rank", "--query", "photos/cat.jpg"], options].concat();
        folder.run(&command).expect(0).stdout().to_owned()
    };
    let full = rank(&[]);
    assert_eq!(rank(&["--jpeg-draft", "4000"]), full, "the photo is smaller");
    assert_ne!(rank(&["--jpeg-draft", "64"]), full);
    let output = folder.run(&["rank", "--query", "photos/cat.jpg", "--jpeg-draft", "0"]).expect(2);
    assert!(output.stderr().contains("--jpeg-draft"), "{}", output.stderr());
}
