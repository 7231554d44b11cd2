//! `rank --list` and `rank --probabilities`.

use std::fs;

use serde_json::Value;

use crate::run::Folder;

fn numbers(row: &Value, key: &str) -> Vec<f64> {
    let matches = row["matches"].as_array().unwrap().iter();
    matches.map(|found| found[key].as_f64().unwrap()).collect()
}

fn labels(row: &Value) -> Vec<&str> {
    let matches = row["matches"].as_array().unwrap().iter();
    matches.map(|found| found["label"].as_str().unwrap()).collect()
}

#[test]
fn probabilities_are_the_softmax_over_the_whole_table() {
    let folder = Folder::new();
    let args = ["rank", "photos", "--probabilities", "--format", "jsonl", "-t", "flavors,mediums"];
    let all = folder.run(&[&args[..], &["-k", "99"]].concat()).expect(0).rows();
    for row in &all {
        let (scores, found) = (numbers(row, "score"), numbers(row, "probability"));
        assert_eq!(scores.len(), 6);
        let weights: Vec<f64> = scores.iter().map(|score| (100.0 * score).exp()).collect();
        let sum: f64 = weights.iter().sum();
        for (weight, found) in weights.iter().zip(&found) {
            assert!((weight / sum - found).abs() < 1e-4 * (weight / sum), "{found}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    }
    // The labels that are not shown count too.
    let first = folder.run(&[&args[..], &["-k", "1"]].concat()).expect(0).rows();
    for (first, all) in first.iter().zip(&all) {
        assert_eq!(first["matches"][0], all["matches"][0]);
    }
    let worst = folder.run(&[&args[..], &["-k", "1", "--reverse"]].concat()).expect(0).rows();
    assert_eq!(worst[0]["matches"][0], all[0]["matches"][5]);
}

#[test]
fn probabilities_have_a_column_and_are_left_out_by_default() {
    let folder = Folder::new();
    let rank = ["rank", "photos/cat.jpg", "-k", "2"];
    let text = folder.run(&[&rank[..], &["--probabilities"]].concat()).expect(0);
    let line = text.stdout().lines().nth(1).unwrap();
    let fields: Vec<_> = line.split_whitespace().collect();
    assert_eq!(fields[2..], ["cat", "photo"], "{line}");
    assert!(fields[1].parse::<f64>().unwrap() > 0.9, "{line}");
    folder.run(&[&rank[..], &["--probabilities", "-o", "p.csv"]].concat()).expect(0);
    folder.run(&[&rank[..], &["-o", "r.csv"]].concat()).expect(0);
    let header =
        |name| fs::read_to_string(folder.path(name)).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(header("p.csv"), "image,table,labels,scores,rows,tables,probabilities,error");
    assert_eq!(header("r.csv"), "image,table,labels,scores,rows,tables,error");
    let json = folder.run(&[&rank[..], &["--format", "jsonl"]].concat()).expect(0);
    assert!(!json.stdout().contains("probability"), "{}", json.stdout());
}

#[test]
fn own_list_is_ranked_without_an_index() {
    let folder = Folder::new();
    folder.write("my/pets.txt", "a dog\na cat\na fish\n");
    let args = ["rank", "photos/cat.jpg", "--list", "my/pets.txt", "--format", "jsonl"];
    let row = &folder.run(&args).expect(0).rows()[0];
    assert_eq!((&row["table"], labels(row)[0]), (&"pets".into(), "a cat"));
    assert_eq!(row["matches"].as_array().unwrap().len(), 3);
    let indexes = fs::read_dir(folder.path("indexes")).unwrap().count();
    assert_eq!(indexes, 0, "no index is built");
    let query = ["rank", "--query", "photos/cat.jpg", "--list", "my/pets.txt", "--format", "jsonl"];
    assert_eq!(labels(&folder.run(&query).expect(0).rows()[0]), labels(row));
    // With --table, lists and tables are ranked as one.
    let both = [&args[..], &["-t", "flavors,own", "--list", "own=my/pets.txt"]].concat();
    let row = &folder.run(&both).expect(0).rows()[0];
    assert_eq!(row["table"], "flavors,own");
    let matches = row["matches"].as_array().unwrap();
    assert!(matches.iter().any(|m| m["table"] == "own") && matches.len() == 7);
}

#[test]
fn lists_of_one_name_or_none_are_refused() {
    let folder = Folder::new();
    folder.write("a/pets.txt", "a dog\n");
    folder.write("b/pets.txt", "a cat\n");
    let rank = |lists: &[&str]| {
        let output = folder.run(&[&["rank", "photos/cat.jpg"][..], lists].concat()).expect(2);
        assert_eq!(output.stdout(), "");
        output.stderr().to_owned()
    };
    let stderr = rank(&["--list", "a/pets.txt", "--list", "b/pets.txt"]);
    assert!(stderr.contains("--list: two lists are named pets\nhint: name one"), "{stderr}");
    assert!(rank(&["--list", "gone.txt"]).contains("gone.txt"));
    let stderr = rank(&["--list", "a/pets.txt", "-o", "a/pets.txt", "--overwrite"]);
    assert!(stderr.contains("found one that is read in this run (a list of labels)"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.path("a/pets.txt")).unwrap(), "a dog\n");
}

#[test]
fn resume_with_another_model_is_refused_without_an_index() {
    let folder = Folder::new();
    folder.write("pets.txt", "a dog\na cat\n");
    let args = ["rank", "photos", "--list", "pets.txt", "-o", "out.jsonl"];
    folder.run(&args).expect(0);
    folder.run(&[&args[..], &["--resume"]].concat()).expect(0);
    let model = crate::run::repository().join("tests/fixtures/clip/quick");
    let other = [&args[..], &["--resume", "--model", model.to_str().unwrap()]].concat();
    let output = folder.run(&other).expect(2);
    assert!(output.stderr().contains("the model was another than "), "{}", output.stderr());
}
