use crate::run::{Folder, repository};

#[test]
fn labels_are_sorted_by_score_and_reversed_on_request() {
    let folder = Folder::new();
    let output = folder.run(&["rank", "photos/cat.jpg", "--format", "jsonl", "-k", "9"]).expect(0);
    let row = &output.rows()[0];
    assert_eq!((&row["image"], &row["table"]), (&"photos/cat.jpg".into(), &"flavors".into()));
    let labels = |row: &serde_json::Value| -> Vec<(String, u64)> {
        let matches = row["matches"].as_array().unwrap().iter();
        matches.map(|m| (m["label"].as_str().unwrap().into(), m["row"].as_u64().unwrap())).collect()
    };
    let best = labels(row);
    assert_eq!(best.len(), 4, "k beyond the table gives the table");
    assert_eq!(best[0], ("cat photo".to_owned(), 0));

    let output = folder
        .run(&["rank", "photos/cat.jpg", "--format", "jsonl", "-k", "9", "--reverse"])
        .expect(0);
    let mut worst = labels(&output.rows()[0]);
    worst.reverse();
    assert_eq!(worst, best);
}

#[test]
fn text_shows_scores_and_labels() {
    let folder = Folder::new();
    let output = folder.run(&["rank", "photos/*.jpg", "-t", "mediums", "-k", "1"]).expect(0);
    let lines: Vec<_> = output.stdout().lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0], "photos/cat.jpg");
    assert!(lines[1].trim_start().starts_with("0."), "{}", lines[1]);
    assert!(lines[1].ends_with("  a photo of a cat"), "{}", lines[1]);
}

#[test]
fn merged_tables_rank_as_one() {
    let folder = Folder::new();
    let args =
        ["rank", "photos/cat.jpg", "-t", "movements,flavors", "-k", "2", "--format", "jsonl"];
    let row = &folder.run(&args).expect(0).rows()[0];
    assert_eq!(row["table"], "movements,flavors");
    assert_eq!(row["matches"][0]["table"], "flavors");
}

#[test]
fn k_of_zero_is_refused() {
    let output = Folder::new().run(&["rank", "photos/cat.jpg", "-k", "0"]).expect(2);
    assert!(output.stderr().contains("invalid value '0' for '-k <N>'"), "{}", output.stderr());
}

#[test]
fn no_mmap_gives_the_same_answers() {
    let folder = Folder::new();
    let args = ["rank", "photos/cat.jpg", "-k", "3", "--format", "jsonl"];
    let mapped = folder.run(&args).expect(0).rows();
    assert_eq!(folder.run(&[&args[..], &["--no-mmap"]].concat()).expect(0).rows(), mapped);
}

#[test]
fn unknown_table_error_lists_the_tables() {
    let output = Folder::new().run(&["rank", "photos/cat.jpg", "--table", "colours"]).expect(2);
    assert!(output.stderr().contains("no table \"colours\""), "{}", output.stderr());
    assert!(
        output.stderr().contains("hint: its tables are flavors, mediums, movements"),
        "{}",
        output.stderr()
    );
}

#[test]
fn index_of_another_model_is_refused() {
    let folder = Folder::new();
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    let clip = repository().join("tests/fixtures/clip/quick");
    let args = ["rank", "photos/cat.jpg", "--index", "indexes/starter", "--model"];
    let output = folder.run(&[&args[..], &[clip.to_str().unwrap()]].concat()).expect(2);
    assert!(
        output.stderr().contains("the index in indexes/starter is of the model starter"),
        "{}",
        output.stderr()
    );
    assert!(output.stderr().contains("hint: "), "{}", output.stderr());
}

#[test]
fn index_with_different_text_cleaning_is_refused() {
    let folder = Folder::new();
    let model = folder.path("tiny");
    std::fs::create_dir(&model).unwrap();
    let files =
        ["open_clip_model.safetensors", "open_clip_config.json", "vocab.json", "merges.txt"];
    for name in files {
        let from = repository().join("tests/fixtures/openai").join(name);
        std::fs::copy(from, model.join(name)).unwrap();
    }
    let args = ["rank", "photos/cat.jpg", "--model", model.to_str().unwrap(), "-k", "1"];
    let transformers = [&args[..], &["--text-cleaning", "transformers"]].concat();
    folder.run(&transformers).expect(0);
    let output = folder.run(&args).expect(2);
    let expected = "indexes/tiny: text cleaning: expected auto, found transformers";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
    assert!(output.stderr().contains("hint: pass --text-cleaning"), "{}", output.stderr());
    folder.run(&transformers).expect(0);
    let output = folder.run(&["rank", "photos/cat.jpg", "--text-cleaning", "openai"]).expect(2);
    assert!(output.stderr().contains("indexes/tiny: text cleaning"), "{}", output.stderr());
    let output = folder.run(&["embed", "texts", "a", "--text-cleaning", "openai"]).expect(2);
    assert!(
        output.stderr().contains("starter: --text-cleaning: expected auto"),
        "{}",
        output.stderr()
    );
}

#[test]
fn each_checkpoint_gets_its_own_index() {
    let folder = Folder::new();
    folder.run(&["rank", "photos/cat.jpg"]).expect(0);
    let clip = repository().join("tests/fixtures/clip/quick");
    let clip = clip.to_str().unwrap();
    let output = folder.run(&["rank", "photos/cat.jpg", "--model", clip, "-k", "2"]).expect(0);
    assert!(!output.stderr().contains("starter"), "{}", output.stderr());
    assert!(folder.path("indexes/quick/manifest.json").is_file());
    // With two indexes, --index is required.
    let output = folder.run(&["info"]).expect(2);
    assert!(output.stderr().contains("indexes holds 2 indexes"), "{}", output.stderr());
    folder.run(&["info", "--index", "indexes/quick"]).expect(0);
}

#[test]
fn unknown_model_error_lists_the_valid_names() {
    let output = Folder::new().run(&["rank", "photos/cat.jpg", "--model", "clip"]).expect(2);
    assert!(output.stderr().contains("hint: a model is starter, a folder"), "{}", output.stderr());
}
