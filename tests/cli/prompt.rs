use std::io::Read;
use std::process::Stdio;

use crate::run::{Folder, repository};

#[test]
fn photos_become_prompts_and_the_index_is_built_once() {
    let folder = Folder::new();
    let first = folder.run(&["prompt", "photos"]).expect(0);
    let lines: Vec<_> = first.stdout().lines().collect();
    assert!(lines[0].starts_with("photos/cat.jpg: a photo of a cat"), "{}", first.stdout());
    assert!(lines[1].starts_with("photos/coffee.jpg: espresso in a cup"), "{}", first.stdout());
    assert_eq!(lines.len(), 3);
    assert!(first.stderr().contains("building indexes/starter from dicts"), "{}", first.stderr());
    assert_eq!(first.stderr().matches("model: starter").count(), 1, "{}", first.stderr());

    let second = folder.run(&["prompt", "photos"]).expect(0);
    assert_eq!(second.stdout(), first.stdout());
    assert!(!second.stderr().contains("building"), "{}", second.stderr());
}

#[test]
fn jsonl_has_labels_below_the_minimum_score() {
    let folder = Folder::new();
    let args = ["prompt", "photos/cat.jpg", "--format", "jsonl", "--max-flavors", "2", "--quiet"];
    let output = folder.run(&args).expect(0);
    assert_eq!(output.stderr(), "");
    let row = &output.rows()[0];
    assert_eq!(row["image"], "photos/cat.jpg");
    assert!(row["caption"].is_null());
    assert_eq!(row["medium"]["label"], "a photo of a cat");
    assert!(["cubism", "minimalism"].contains(&row["movement"]["label"].as_str().unwrap()));
    assert_eq!(row["flavors"].as_array().unwrap().len(), 2);
    assert_eq!(row["flavors"][0]["label"], "cat photo");
    let scores: Vec<f64> =
        row["flavors"].as_array().unwrap().iter().map(|f| f["score"].as_f64().unwrap()).collect();
    assert!(scores[0] > scores[1] && scores[0] <= 1.0);
    assert_eq!(row["prompt"], "a photo of a cat, cat photo"); // the rest scores below the minimum
}

#[test]
fn caption_comes_first_and_min_score_is_applied() {
    let folder = Folder::new();
    let args = ["prompt", "photos/cat.jpg", "--caption", "a tabby", "--min-score"];
    let none = folder.run(&[&args[..], &["1.1"]].concat()).expect(0);
    assert_eq!(none.stdout(), "a tabby\n");
    let all = folder.run(&[&args[..], &["-1"]].concat()).expect(0);
    assert_eq!(all.stdout().trim_end().split(", ").count(), 1 + 1 + 1 + 3, "{}", all.stdout());
}

#[test]
fn empty_prompt_is_explained() {
    let output = Folder::new().run(&["prompt", "photos/cat.jpg", "--min-score", "1.1"]).expect(0);
    assert_eq!(output.stdout(), "\n");
    assert!(
        output.stderr().contains("no label reaches 1.1; --min-score 0 shows"),
        "{}",
        output.stderr()
    );
}

#[test]
fn label_count_in_the_file_name_is_the_default() {
    let folder = Folder::new();
    folder.write("dicts/animals.top1.txt", "cats\nhorses\n");
    let output = folder.run(&["prompt", "photos/cat.jpg", "--format", "jsonl"]).expect(0);
    assert_eq!(output.rows()[0]["tables"]["animals"][0]["label"], "cats");
}

#[test]
fn one_invalid_image_fails_alone() {
    let folder = Folder::new();
    folder.write("photos/empty.png", "");
    folder.write("photos/not.gif", "GIF it is not");
    std::fs::create_dir(folder.path("photos/x.jpg")).unwrap();
    let output = folder.run(&["prompt", "photos", "--format", "jsonl"]).expect(1);
    let rows = output.rows();
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| row.get("error").is_some())
        .map(|row| row["image"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["photos/empty.png", "photos/not.gif", "photos/x.jpg"]);
    assert_eq!(rows.len(), 6);
    let order: Vec<_> = rows.iter().map(|row| row["image"].as_str().unwrap()).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(output.stderr().contains("3 of 6 images failed"), "{}", output.stderr());
    assert!(output.stderr().contains("hint: "), "{}", output.stderr());
}

#[test]
fn exit_code_is_2_when_every_image_fails() {
    let folder = Folder::new();
    let output = folder.run(&["prompt", "gone.jpg", "gone too.jpg"]).expect(2);
    assert_eq!(output.stdout(), "");
    assert!(output.stderr().contains("cannot open gone.jpg"), "{}", output.stderr());
}

#[test]
fn closed_pipe_is_success() {
    let folder = Folder::new();
    folder.run(&["prompt", "photos/cat.jpg"]).expect(0);
    let mut command = folder.command(&["prompt", "photos", "--batch-size", "1", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and closes it
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
}

#[test]
fn missing_dictionaries_and_missing_images_differ_in_their_errors() {
    let folder = Folder::new();
    let output = folder.run(&["prompt", "photos", "--dicts", "gone"]).expect(2);
    assert!(
        output.stderr().contains("gone") && output.stderr().contains("hint: "),
        "{}",
        output.stderr()
    );
    let output = folder.run(&["prompt", "dicts"]).expect(2);
    assert!(
        output.stderr().contains("dicts: no image in this folder; skipped 3 files: 3 .txt\nhint: "),
        "{}",
        output.stderr()
    );
}

#[test]
fn modes_tables_and_custom_lists_are_applied() {
    let folder = Folder::new();
    let classic = ["prompt", "photos/cat.jpg", "--mode", "classic", "--min-score", "-1"];
    let plain = folder.run(&[&classic[..], &["--caption", "a tabby"]].concat()).expect(0);
    assert!(plain.stdout().starts_with("a tabby, a photo of a cat, "), "{}", plain.stdout());
    let excluded = [&classic[..], &["--without", "mediums,movements", "--max-flavors", "1"]];
    let excluded = folder.run(&excluded.concat()).expect(0);
    assert_eq!(excluded.stdout(), "cat photo\n");
    let output = folder.run(&[&classic[..], &["--without", "hats"]].concat()).expect(2);
    assert!(
        output.stderr().contains("no table \"hats\"\nhint: its tables are"),
        "{}",
        output.stderr()
    );

    folder.write("hats.top2.txt", "a cat in a hat\na bowler\nfedoras\n");
    let args = ["prompt", "photos/cat.jpg", "--list", "hats.top2.txt", "--format", "jsonl"];
    let row = &folder.run(&args).expect(0).rows()[0];
    assert_eq!(row["tables"]["hats"].as_array().unwrap().len(), 2);
    assert_eq!(row["tables"]["hats"][0]["label"], "a cat in a hat");
    let args = ["prompt", "photos/cat.jpg", "--list", "mediums=hats.top2.txt", "--format", "jsonl"];
    assert_eq!(folder.run(&args).expect(0).rows()[0]["medium"]["label"], "a cat in a hat");
}

#[test]
fn best_mode_reports_its_score_and_choice() {
    let folder = Folder::new();
    let args =
        ["prompt", "photos", "--mode", "best", "--caption", "a picture", "--min-score", "-1"];
    let args = [&args[..], &["--max-flavors", "3", "--min-flavors", "1", "--format", "jsonl"]];
    let output = folder.run(&args.concat()).expect(0);
    assert_eq!(output.rows().len(), 3);
    for row in output.rows() {
        assert!(["caption", "classic", "fast", "chain"].contains(&row["chosen"].as_str().unwrap()));
        let score = row["score"].as_f64().unwrap();
        assert!((0.2..1.0).contains(&score), "{row}");
        assert_eq!(row["mode"], "best");
    }
    let again = folder.run(&args.concat()).expect(0);
    assert_eq!(again.stdout(), output.stdout());
    let negative = ["prompt", "photos/cat.jpg", "--mode", "negative", "--min-flavors", "0"];
    let negative = folder.run(&negative).expect(0);
    assert!(!negative.stdout().contains("cat"), "{}", negative.stdout());
}

/// Without a caption a chain begins with a label, which may exceed the limit by itself.
#[test]
fn chain_without_a_caption_keeps_the_token_limit() {
    let folder = Folder::new();
    let dicts = repository().join("tests/fixtures/cases/dicts-long");
    let args = ["prompt", "photos/cat.jpg", "--dicts", dicts.to_str().unwrap(), "--max-tokens"];
    for mode in ["best", "negative", "fast", "classic", "seed"] {
        let args = [&args[..], &["20", "--mode", mode, "--min-score", "-1"]];
        let output = folder.run(&args.concat()).expect(0);
        assert!(output.stdout().split_whitespace().count() <= 18, "{mode}: {}", output.stdout());
        assert!(!output.stdout().trim().is_empty(), "{mode}");
    }
}

#[test]
fn deny_list_weights_prefix_and_suffix_are_applied() {
    let folder = Folder::new();
    folder.write("deny.txt", "# not these\nPhoto\n/^an oil/\n");
    let args = ["prompt", "photos/cat.jpg", "--min-score", "-1", "--deny", "deny.txt"];
    let output =
        folder.run(&[&args[..], &["--prefix", "tok", "--suffix", "8k"]].concat()).expect(0);
    let prompt = output.stdout().trim_end();
    assert!(prompt.starts_with("tok, ") && prompt.ends_with(", 8k"), "{prompt}");
    assert!(!prompt.contains("photo") && !prompt.contains("oil"), "{prompt}");
    let short = [&args[..], &["--max-tokens", "9", "--prefix", "tok"]].concat();
    let short = folder.run(&short).expect(0);
    assert!(short.stdout().split_whitespace().count() < 7, "{}", short.stdout());
    let output = folder.run(&[&args[..], &["--max-tokens", "3", "--prefix", "one two"]].concat());
    let output = output.expect(2);
    assert!(
        output.stderr().contains("takes 4 tokens, expected at most 3\nhint: "),
        "{}",
        output.stderr()
    );
    folder.write("deny.txt", "/(/\n");
    let output = folder.run(&args).expect(2);
    assert!(output.stderr().contains("deny.txt:1: invalid pattern"), "{}", output.stderr());

    let weights = ["prompt", "photos/cat.jpg", "--caption", "a tabby", "--weights"];
    let output = folder.run(&weights).expect(0);
    assert!(output.stdout().starts_with("a tabby, (a photo of a cat:1."), "{}", output.stdout());
}

#[test]
fn template_formats_and_average_gives_one_prompt() {
    let folder = Folder::new();
    let args = ["prompt", "photos/cat.jpg", "--caption", "a tabby", "--template"];
    let output = folder.run(&[&args[..], &["{flavor} <- {caption}"]].concat()).expect(0);
    assert_eq!(output.stdout(), "cat photo <- a tabby\n");
    let around =
        ["{flavor} <- {caption}", "--prefix", "tok", "--suffix", "8k", "--max-tokens", "12"];
    let output = folder.run(&[&args[..], &around].concat()).expect(0);
    let prompt = output.stdout().trim_end();
    assert!(
        prompt.starts_with("tok, a") && prompt.ends_with(", 8k") && !prompt.contains("photo"),
        "{prompt}"
    );
    let output = folder.run(&[&args[..], &["{hat}"]].concat()).expect(2);
    assert!(
        output.stderr().contains("no field \"hat\"\nhint: its fields are"),
        "{}",
        output.stderr()
    );
    let output = folder.run(&[&args[..], &["{flavor}", "--mode", "fast"]].concat()).expect(2);
    assert!(output.stderr().contains("a template is for seed prompts"), "{}", output.stderr());

    let one = ["prompt", "photos/cat.jpg", "--average", "--format", "jsonl"];
    let one = &folder.run(&one).expect(0).rows()[0];
    assert_eq!(one["image"], "average of 1 images");
    assert_eq!(one["medium"]["label"], "a photo of a cat");
    let all = folder.run(&["prompt", "photos", "--average", "--min-score", "-1"]).expect(0);
    assert_eq!(all.stdout().lines().count(), 1);
    let output = folder.run(&["prompt", "photos", "--average", "--format", "csv"]).expect(2);
    assert!(
        output.stderr().contains("--format csv needs a record for each image"),
        "{}",
        output.stderr()
    );
}

#[test]
fn repeated_labels_of_a_list_are_kept_on_request() {
    let folder = Folder::new();
    folder.write("animals.top3.txt", "cat photo\nhorses\ncat photo\n");
    let args = ["prompt", "photos/cat.jpg", "--list", "animals.top3.txt", "--format", "jsonl"];
    let labels = |more: &[&str]| {
        let rows = folder.run(&[&args, more].concat()).expect(0).rows();
        let labels = rows[0]["tables"]["animals"].as_array().unwrap();
        labels.iter().map(|row| row["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(labels(&[]), ["cat photo", "horses"]);
    assert_eq!(labels(&["--keep-duplicates"]), ["cat photo", "cat photo", "horses"]);
    let output = folder.run(&["prompt", "photos/cat.jpg", "--keep-duplicates"]).expect(2);
    assert!(output.stderr().contains("--list"), "{}", output.stderr());
}
