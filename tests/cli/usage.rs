//! Exit codes and streams of every command, for wrong and for valid input.

use std::fs;

use crate::run::{Folder, repository};

fn fixture(name: &str) -> String {
    repository().join("tests/fixtures").join(name).to_str().unwrap().to_owned()
}

#[test]
fn wrong_usage_is_exit_code_2_without_output() {
    let folder = Folder::new();
    for args in [
        &["nonsense"][..],
        &["--nonsense"],
        &["prompt"],
        &["prompt", "photos", "--mode", "nonsense"],
        &["rank"],
        &["rank", "photos", "--batch-size", "0"],
        &["similarity"],
        &["similarity", "photos/cat.jpg"],
        &["similarity", "photos/cat.jpg", "a cat", "--format", "csv"],
        &["caption", "photos"],
        &["caption", "--caption-model", "blip-base"],
        &["caption", "photos", "--caption-model", "blip-base", "--batch-size", "1025"],
        &["embed", "nonsense"],
        &["embed", "images"],
        &["embed", "images", "photos", "--append"],
        &["embed", "texts"],
        &["embed", "prompts"],
        &["embed", "average", "-o", "out.npy"],
        &["embed", "average", "a.npy"],
        &["execute"],
        &["verify", "indexes"],
        &["info", "--format", "csv"],
        &["doctor", "--format", "parquet"],
        &["setup"],
        &["models", "ViT-L-14"],
        &["config", "--format", "csv"],
        &["completions"],
        &["completions", "cmd"],
        &["man", "prompt"],
    ] {
        let output = folder.run(args).expect(2);
        assert_eq!(output.stdout(), "", "{args:?}");
        assert!(output.stderr().starts_with("error: "), "{args:?}: {}", output.stderr());
    }
    // Without a command, the help is the error.
    for args in [&[][..], &["embed"]] {
        let output = folder.run(args).expect(2);
        assert_eq!(output.stdout(), "", "{args:?}");
        assert!(output.stderr().contains("Usage: interrogate"), "{args:?}: {}", output.stderr());
    }
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 3, "nothing is written");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = Folder::new();
    for command in [
        &[][..],
        &["prompt"],
        &["rank"],
        &["similarity"],
        &["caption"],
        &["embed"],
        &["embed", "images"],
        &["embed", "texts"],
        &["embed", "prompts"],
        &["embed", "average"],
        &["execute"],
        &["verify"],
        &["info"],
        &["doctor"],
        &["setup"],
        &["models"],
        &["config"],
        &["completions"],
        &["man"],
    ] {
        let output = folder.run(&[command, &["--help"]].concat()).expect(0);
        let usage = ["Usage: interrogate"].iter().chain(command).copied().collect::<Vec<_>>();
        assert!(output.stdout().contains(&usage.join(" ")), "{command:?}: {}", output.stdout());
        assert_eq!(output.stderr(), "", "{command:?}");
    }
    let version = format!("interrogate {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(folder.run(&["-V"]).expect(0).stdout(), version);
    let output = folder.run(&["--version"]).expect(0);
    let rest = output.stdout().strip_prefix(&version).expect("the version comes first");
    assert!(rest.contains("features: starter") && rest.contains("\nkernels: products "), "{rest}");
}

/// Runs with and without `-q`. Standard output must be the same, and standard error empty.
#[test]
fn quiet_leaves_standard_output_alone() {
    let (folder, clip, blip) = (Folder::new(), fixture("clip/quick"), fixture("caption/blip2-opt"));
    folder.run(&["rank", "photos/cat.jpg"]).expect(0); // builds the index
    folder.run(&["embed", "prompts", "a cat", "--format", "npy", "-o", "a.npy"]).expect(0);
    for args in [
        &["prompt", "photos"][..],
        &["prompt", "photos", "--average"],
        &["prompt", "photos/cat.jpg", "--min-score", "1.1"],
        &["rank", "photos", "--format", "csv"],
        &["rank", "--query", "photos/cat.jpg"],
        &["similarity", "photos/cat.jpg", "a cat", "a dog"],
        &["caption", "photos", "--caption-model", &blip, "--max-length", "5"],
        &["embed", "images", "photos", "--model", &clip],
        &["embed", "texts", "a cat", "--model", &clip],
        &["embed", "prompts", "a cat"],
        &["verify"],
        &["info", "--format", "jsonl"],
        &["completions", "bash"],
        &["man"],
    ] {
        let plain = folder.run(args).expect(0);
        for option in ["-q", "--quiet"] {
            let quiet = folder.run(&[&[option], args].concat()).expect(0);
            assert!(quiet.stdout() == plain.stdout() && !quiet.stdout().is_empty(), "{args:?}");
            assert_eq!(quiet.stderr(), "", "{args:?}");
        }
    }
    for args in [
        &["embed", "average", "a.npy", "-o", "b.npy", "-q"][..],
        &["man", "--out", "pages", "-q"],
        &["prompt", "photos", "-o", "out.jsonl", "--sidecar", "--report", "out.html", "-q"],
    ] {
        let output = folder.run(args).expect(0);
        assert_eq!((output.stdout(), output.stderr()), ("", ""), "{args:?}");
    }
    // The values of a machine change between runs.
    let doctor = folder.run(&["doctor", "-q"]).expect(0);
    assert!(doctor.stderr().is_empty() && doctor.stdout().contains("starter"));
}

#[test]
fn exit_code_is_0_1_or_2_when_all_some_or_no_images_succeed() {
    let (folder, clip, blip) = (Folder::new(), fixture("clip/quick"), fixture("caption/blip2-opt"));
    let commands = [
        &["prompt", "--model", &clip, "--format", "jsonl"][..],
        &["rank", "--model", &clip, "--format", "jsonl"],
        &["embed", "images", "--model", &clip],
        &["caption", "--caption-model", &blip, "--format", "jsonl", "--max-length", "5"],
    ];
    folder.write("no-image.jpg", "text");
    for command in commands {
        for (images, code) in [
            (&["photos/cat.jpg"][..], 0),
            (&["no-image.jpg", "photos/cat.jpg"], 1),
            (&["photos/cat.jpg", "gone.jpg"], 1),
            (&["no-image.jpg", "gone.jpg"], 2),
        ] {
            let output = folder.run(&[command, &["-q"], images].concat()).expect(code);
            let rows = output.rows();
            let failed = rows.iter().filter(|row| row["error"].is_string()).count();
            assert_eq!((rows.len(), failed), (images.len(), code as usize), "{command:?}");
            // With -q, standard error has errors and their hints alone.
            let lines: Vec<&str> = output.stderr().lines().collect();
            assert_eq!(lines.iter().filter(|line| line.starts_with("error: ")).count(), failed);
            let known = |line: &&str| line.starts_with("error: ") || line.starts_with("hint: ");
            assert!(lines.iter().all(known), "{lines:?}");
        }
    }
}

#[test]
fn captions_are_written_as_sidecars_and_to_every_format() {
    let (folder, blip) = (Folder::new(), fixture("caption/blip2-opt"));
    let args = ["caption", "photos", "--caption-model", &blip, "--max-length", "5"];
    let rows = folder.run(&[&args[..], &["--format", "jsonl"]].concat()).expect(0).rows();
    let caption = |row: usize| rows[row]["caption"].as_str().unwrap();
    let text = folder.run(&args).expect(0);
    let lines: Vec<&str> = text.stdout().lines().collect();
    assert_eq!(lines.len(), rows.len());
    assert!(lines.iter().zip(0..).all(|(line, row)| line.ends_with(caption(row))), "{lines:?}");

    folder.write("photos/coffee.txt", "mine");
    folder.run(&[&args[..], &["--sidecar", "-o", "out.csv"]].concat()).expect(0);
    let sidecar = |name: &str| fs::read_to_string(folder.path(&format!("photos/{name}.txt")));
    assert_eq!(sidecar("cat").unwrap(), format!("{}\n", caption(0)));
    assert_eq!(sidecar("coffee").unwrap(), "mine");
    let mut reader = csv::Reader::from_path(folder.path("out.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = header.iter().position(|name| name == "caption").unwrap();
    let cells: Vec<_> = reader.records().map(|row| row.unwrap()[column].to_owned()).collect();
    assert_eq!(cells, [caption(0), caption(1), caption(2)]);

    let gone = ["caption", "gone.jpg", "--caption-model", &blip, "--format", "jsonl"];
    assert!(folder.run(&gone).expect(2).stderr().contains("gone.jpg"));
}

#[test]
fn invalid_texts_and_images_of_similarity_and_embed_are_refused() {
    let folder = Folder::new();
    folder.write("no-image.jpg", "text");
    for args in [
        &["similarity", "no-image.jpg", "a cat"][..],
        &["similarity", "photos", "a cat"],
        &["embed", "texts", "a cat", "--model", "gone"],
        &["embed", "images", "gone", "--filelist", "gone"],
        &["caption", "photos", "--caption-model", "gone"],
        &["info", "--index", "photos"],
        &["verify", "--index", "photos"],
        &["doctor", "--dicts"],
    ] {
        let output = folder.run(args).expect(2);
        assert_eq!(output.stdout(), "", "{args:?}");
        assert!(output.stderr().contains("error: "), "{args:?}: {}", output.stderr());
    }
}
