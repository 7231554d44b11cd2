use std::fs;

use serde_json::Value;

use crate::run::{Folder, repository};

/// The path of a tiny seeded tagger.
fn tagger(name: &str) -> String {
    repository().join("tests/fixtures/tagger").join(name).to_str().unwrap().to_owned()
}

/// The scores of timm for a fixture, in the order of selected_tags.csv.
fn golden(tagger: &str, image: &str) -> Vec<f64> {
    let path = repository().join(format!("tests/fixtures/tagger/{tagger}/golden.json"));
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let images = golden["images"].as_array().unwrap();
    let found = images.iter().find(|found| found["image"] == image).unwrap();
    found["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect()
}

/// The names of the tags in a file of the fixture.
fn names(tagger: &str) -> Vec<String> {
    let path = repository().join(format!("tests/fixtures/tagger/{tagger}/selected_tags.csv"));
    let text = fs::read_to_string(path).unwrap();
    let names = text.lines().skip(1).map(|line| {
        let (_, rest) = line.split_once(',').unwrap();
        let (name, _) = rest.rsplit_once(',').unwrap().0.rsplit_once(',').unwrap();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        quoted.unwrap_or(name).replace("\"\"", "\"")
    });
    names.collect()
}

#[test]
fn scores_equal_those_of_timm() {
    let folder = Folder::new();
    for name in ["eva02", "vit"] {
        let model = tagger(name);
        let all = ["--general-threshold", "0", "--character-threshold", "0"];
        let args = ["tag", "photos", "--model", &model, "--format", "jsonl"];
        let rows = folder.run(&[&args[..], &all].concat()).expect(0).rows();
        assert_eq!(rows.len(), 3);
        for (row, image) in [(&rows[0], "photos/cat.jpg"), (&rows[2], "photos/rocket.jpg")] {
            assert_eq!(row["image"], image);
            let (expected, names) = (golden(name, image), names(name));
            let best = (0..4).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap();
            assert_eq!(row["rating"]["tag"], names[best].as_str());
            let mut found = 0;
            for key in ["general", "characters"] {
                let mut last = 1.0;
                for tag in row[key].as_array().unwrap() {
                    let score = tag["score"].as_f64().unwrap();
                    let at = names.iter().position(|it| tag["tag"] == it.as_str()).unwrap();
                    assert!((score - expected[at]).abs() < 0.01, "{name} {image}: {tag}");
                    assert!(score <= last, "best first");
                    (last, found) = (score, found + 1);
                }
            }
            assert_eq!(found, names.len() - 4);
        }
    }
}

#[test]
fn tags_are_written_as_the_options_say() {
    let (folder, model) = (Folder::new(), tagger("vit"));
    let tags = |more: &[&str]| {
        let args = ["tag", "photos/rocket.jpg", "--model", &model];
        folder.run(&[&args[..], more].concat()).expect(0).stdout().to_owned()
    };
    assert_eq!(
        tags(&[]),
        "cat, long_hair, solo, don't_say_\"lazy\", (o)_(o), :3, traditional_media\n"
    );
    let words = ["--replace-underscores", "--escape-parens", "--rating", "first"];
    let few = ["--general-threshold", "0.5", "--character-threshold", "0.6"];
    assert_eq!(
        tags(&[&words[..], &few].concat()),
        concat!(
            "explicit, cat, long hair, solo, don't say \"lazy\", \\(o\\)_\\(o\\), ",
            "saber \\(fate\\), artoria pendragon \\(lancer\\) \\(fate\\)\n"
        )
    );
    let order = ["--characters-first", "--rating", "last", "--separator", "; "];
    let left_out = ["--exclude-tags", "long hair,solo", "--exclude-tags", "explicit"];
    assert_eq!(
        tags(&[&order[..], &few, &left_out].concat()),
        concat!(
            "saber_(fate); artoria_pendragon_(lancer)_(fate); ",
            "cat; don't_say_\"lazy\"; (o)_(o)\n"
        )
    );
    assert_eq!(tags(&["--general-threshold", "1"]), "\n");
    for score in ["1.5", "x"] {
        let args = ["tag", "photos", "--model", &model, "--general-threshold", score];
        let output = folder.run(&args).expect(2);
        assert!(output.stderr().contains("expected a number from 0 to 1"), "{}", output.stderr());
    }
}

#[test]
fn transparent_images_are_on_white() {
    let (folder, model) = (Folder::new(), tagger("vit"));
    let image = repository().join("tests/fixtures/pictures/rgba.png");
    folder.write("rgba.png", fs::read(image).unwrap());
    let all = ["--general-threshold", "0", "--format", "jsonl"];
    let args = ["tag", "rgba.png", "--model", &model];
    let row = &folder.run(&[&args[..], &all].concat()).expect(0).rows()[0];
    let expected = golden("vit", "pictures/rgba.png");
    let best = row["general"][0]["score"].as_f64().unwrap();
    let expected = expected[4..15].iter().copied().fold(0.0, f64::max);
    assert!((best - expected).abs() < 1e-4, "{best}, not {expected}");
}

#[test]
fn tables_sidecars_and_resumed_runs() {
    let (folder, model) = (Folder::new(), tagger("vit"));
    let args = ["tag", "photos", "--model", &model, "-o", "tags.csv"];
    folder.run(&[&args[..], &["--sidecar"]].concat()).expect(0);
    let table = fs::read_to_string(folder.path("tags.csv")).unwrap();
    let header =
        "image,tags,rating,rating_score,characters,character_scores,general,general_scores,error";
    assert_eq!(table.lines().next(), Some(header));
    assert_eq!(table.lines().count(), 4);
    let sidecar = fs::read_to_string(folder.path("photos/rocket.txt")).unwrap();
    assert!(sidecar.starts_with("cat, long_hair, "), "{sidecar}");
    let cut = table.lines().take(2).collect::<Vec<_>>().join("\r\n") + "\r\n";
    folder.write("tags.csv", &cut);
    folder.run(&[&args[..], &["--resume"]].concat()).expect(0);
    assert_eq!(fs::read_to_string(folder.path("tags.csv")).unwrap(), table);
    let other = ["--resume", "--general-threshold", "0.5"];
    let output = folder.run(&[&args[..], &other].concat()).expect(2);
    assert!(output.stderr().contains("--general-threshold"), "{}", output.stderr());
}

#[test]
fn unusable_taggers_are_refused_by_name() {
    let folder = Folder::new();
    let error = |model: &str| {
        let output = folder.run(&["tag", "photos", "--model", model]).expect(2);
        assert_eq!(output.stdout(), "");
        output.stderr().to_owned()
    };
    let found = error("wd-v9");
    assert!(found.starts_with("error: unknown tagger \"wd-v9\"\n"), "{found}");
    assert!(found.contains("wd-eva02-large-v3"), "{found}");
    for name in ["selected_tags.csv", "model.safetensors"] {
        let bytes = fs::read(repository().join("tests/fixtures/tagger/vit").join(name)).unwrap();
        folder.write(&format!("swin/{name}"), bytes);
    }
    let config = "{\"architecture\": \"swinv2_base_window8_256\", \"num_classes\": 19}";
    folder.write("swin/config.json", config);
    let found = error("swin");
    assert!(found.contains("architecture: expected one of eva02_large_patch14_448"), "{found}");
}
