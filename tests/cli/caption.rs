use serde_json::json;

use crate::run::{Folder, repository};

/// The path of a tiny seeded checkpoint. Its tokens decode to `w` and a number.
fn checkpoint(name: &str) -> String {
    repository().join("tests/fixtures/caption").join(name).to_str().unwrap().to_owned()
}

/// The tokens that `Blip2ForConditionalGeneration.generate` of transformers 5.23
/// (torch 2.15) generates for the cat, the coffee and the rocket from the pixels of
/// its `BlipImageProcessor`, with `max_new_tokens=20` and `min_new_tokens=5`: after
/// the prompt, up to end-of-text, 30.
const GREEDY: [&[u32]; 3] = [
    &[21, 6, 53, 48, 6, 6, 6, 91, 56, 6, 20, 6, 6, 6, 92, 92, 6, 6, 54, 91],
    &[53, 6, 53, 48, 6, 6, 6, 91, 56, 92, 20, 6, 6, 6, 44, 92, 6, 6, 54, 91],
    &[68, 36, 68, 94, 36, 6, 6, 50, 30],
];

/// The same with `num_beams=3`.
const BEAMS: [&[u32]; 3] = [
    &[21, 6, 53, 48, 6, 6, 6, 91, 56, 6, 20, 6, 6, 6, 92, 92, 6, 6, 54, 91],
    &[53, 6, 53, 48, 6, 6, 6, 91, 56, 92, 20, 6, 6, 6, 92, 92, 6, 6, 54, 91],
    &[68, 36, 68, 48, 36, 6, 6, 50, 30],
];

#[test]
fn captions_equal_those_of_transformers() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
    for (more, expected) in [(&[][..], GREEDY), (&["--num-beams", "3", "--batch-size", "2"], BEAMS)]
    {
        let rows = folder.run(&[&args, more].concat()).expect(0).rows();
        let names = ["cat", "coffee", "rocket"];
        assert_eq!(rows.len(), names.len());
        for ((row, name), expected) in rows.iter().zip(names).zip(expected) {
            assert_eq!(row["image"], format!("photos/{name}.jpg"));
            assert_eq!(row["tokens"], json!(expected), "{name} {more:?}");
        }
        assert!(rows[2]["caption"].as_str().unwrap().ends_with("w36 w6 w6 w50"), "{}", rows[2]);
    }
}

/// The texts of `GitForCausalLM.generate` of transformers 5.24 with `num_beams=3` for the cat, the
/// coffee and the rocket, from the pixels of `CLIPImageProcessor`.
const GIT: [&str; 3] = [
    "w14 w14s w58 w20 w58 w8 w8 w18 w23 on, w18 w12 w8 w22 w45ed w45",
    "w58ed w49 hat w13 w8 w8 w18 w23 on, w35 w12 w8 w45 w45ed w45",
    "w45 w18 tree w13 w62 hat w13 w56 w8 w18 w23 on, w35 w12. w45 w45ed w45",
];

#[test]
fn captions_of_git_equal_those_of_transformers() {
    let (folder, model) = (Folder::new(), checkpoint("git"));
    let args = ["caption", "photos", "--caption-model", &model, "--num-beams", "3"];
    let rows = folder.run(&[&args[..], &["--format", "jsonl"]].concat()).expect(0).rows();
    let captions: Vec<_> = rows.iter().map(|row| row["caption"].as_str().unwrap()).collect();
    assert_eq!(captions, GIT);
    // Doctor and setup know the type of the model.
    let output = folder.run(&["setup", "--caption-model", &model, "--yes"]).expect(0);
    assert!(output.stderr().contains("default caption-model"), "{}", output.stderr());
}

/// The tokens of `Florence2ForConditionalGeneration.generate` of transformers 5.24 for the coffee and
/// the rocket, with `<DETAILED_CAPTION>`, `num_beams=3`, `no_repeat_ngram_size=3`,
/// `early_stopping=True`, `forced_bos_token_id=0` and `max_new_tokens=16`.
const DETAILED: [[u32; 16]; 2] = [
    [0, 70, 70, 70, 27, 70, 149, 149, 70, 149, 27, 149, 70, 70, 149, 317],
    [0, 70, 149, 70, 70, 70, 149, 149, 149, 70, 27, 70, 70, 292, 70, 317],
];

#[test]
fn florence2_has_tasks_and_defaults_of_its_own() {
    let (folder, model) = (Folder::new(), checkpoint("florence2"));
    let args = ["caption", "photos/coffee.jpg", "photos/rocket.jpg", "--caption-model", &model];
    let run = |more: &[&str]| folder.run(&[&args[..], more].concat());
    let more = ["--max-length", "16", "--format", "jsonl", "--caption-task"];
    for task in ["detailed", "<DETAILED_CAPTION>"] {
        let rows = run(&[&more[..], &[task]].concat()).expect(0).rows();
        let tokens: Vec<_> = rows.iter().map(|row| row["tokens"].clone()).collect();
        assert_eq!(tokens, DETAILED.map(|tokens| json!(tokens)), "{task}");
    }
    for (more, expected) in [
        (&["--caption-task", "<OD>"][..], "possible values: caption, detailed, more-detailed"),
        (&["--max-length", "9", "--caption-prefix", "a"], "Florence-2 has tasks instead"),
        // The default length is the model's, and the fixture has 64 positions.
        (&[], "error: max_new_tokens is 128, expected 1 to 63"),
    ] {
        let output = run(more).expect(2);
        assert!(output.stderr().contains(expected), "{}", output.stderr());
    }
    let git = checkpoint("git");
    let args = ["caption", "photos", "--caption-model", &git, "--caption-task", "detailed"];
    let output = folder.run(&args).expect(2);
    assert!(output.stderr().contains("only Florence-2 has others"), "{}", output.stderr());
}

#[test]
fn lengths_count_tokens_and_f16_gives_the_same_captions() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos/rocket.jpg", "--caption-model", &model];
    let short = ["--max-length", "3", "--min-length", "1", "--caption-precision", "f16"];
    let output = folder.run(&[&args[..], &short].concat()).expect(0);
    assert_eq!(output.stdout(), "w68 w36 w68\n");
    // Invalid options are reported once, before an image is read.
    let output = folder.run(&[&args[..], &["--max-length", "4"]].concat()).expect(2);
    assert_eq!(output.stdout(), "");
    let expected = "error: min_new_tokens is 5, expected at most max_new_tokens, 4";
    assert!(output.stderr().starts_with(expected), "{}", output.stderr());
}

#[test]
fn captioning_speed_is_printed() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos", "--caption-model", &model];
    let output = folder.run(&[&args[..], &["--batch-size", "2"]].concat()).expect(0);
    let tokens: usize = GREEDY.iter().map(|caption| caption.len()).sum();
    let expected = format!("captions: 3 images, {tokens} tokens in ");
    let line = output.stderr().lines().find(|line| line.starts_with(&expected));
    let line = line.unwrap_or_else(|| panic!("{}", output.stderr()));
    assert!(line.contains(" images/s, ") && line.ends_with(" tokens/s"), "{line}");
    assert_eq!(folder.run(&[&args[..], &["--quiet"]].concat()).expect(0).stderr(), "");
}

#[test]
fn quantized_weights_caption_the_photos() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
    for precision in ["f16", "bf16", "q8"] {
        let rows = folder.run(&[&args[..], &["--caption-precision", precision]].concat());
        let rows = rows.expect(0).rows();
        let lengths = rows.iter().map(|row| row["tokens"].as_array().unwrap().len());
        assert!(lengths.clone().all(|tokens| (5..=20).contains(&tokens)), "{precision}: {rows:?}");
        if precision == "f16" {
            // The type of the file: nothing is rounded.
            assert!(
                rows.iter().zip(GREEDY).all(|(row, expected)| row["tokens"] == json!(expected))
            );
        }
    }
}

#[test]
fn options_reach_the_search() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let generate = |more: &[&str]| {
        let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
        let rows = folder.run(&[&args[..], more].concat()).expect(0).rows();
        rows.into_iter().map(|row| row["tokens"].clone()).collect::<Vec<_>>()
    };
    let greedy = generate(&[]);
    assert_ne!(generate(&["--caption-prefix", "w17 w30"]), greedy);
    assert_ne!(generate(&["--repetition-penalty", "1.5"]), greedy);
    let once = generate(&["--no-repeat-ngram-size", "1"]);
    for tokens in &once {
        let mut unique: Vec<u64> =
            tokens.as_array().unwrap().iter().map(|t| t.as_u64().unwrap()).collect();
        let all = unique.len();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all, "{tokens}");
    }
    let beams =
        |more: &[&str]| generate(&[&["--num-beams", "3", "--min-length", "1"], more].concat());
    let short = beams(&["--length-penalty", "-8", "--early-stopping", "full"]);
    let long = beams(&["--length-penalty", "8", "--early-stopping", "never"]);
    let length = |captions: &[serde_json::Value]| -> usize {
        captions.iter().map(|tokens| tokens.as_array().unwrap().len()).sum()
    };
    assert!(length(&short) < length(&long), "{short:?} {long:?}");
}

#[test]
fn sampling_does_not_depend_on_the_batch_size() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let generate = |more: &[&str]| {
        let args = ["caption", "photos", "--caption-model", &model, "--temperature", "3"];
        folder.run(&[&args[..], more].concat()).expect(0).stdout().to_owned()
    };
    let captions = generate(&["--top-p", "0.9", "--seed", "7"]);
    assert_eq!(generate(&["--top-p", "0.9", "--seed", "7", "--batch-size", "1"]), captions);
    assert_ne!(generate(&["--top-p", "0.9", "--seed", "8"]), captions);
    let args = ["caption", "photos", "--caption-model", &model, "--seed", "1", "--num-beams", "2"];
    let output = folder.run(&args).expect(2);
    let expected =
        "error: sampling is on with 2 beams, expected one beam, or no sampling\nhint: leave";
    assert!(output.stderr().starts_with(expected), "{}", output.stderr());
}

#[test]
fn invalid_generation_options_fail_before_images_are_read() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let generate = |more: &[&str]| {
        let args = ["caption", "gone.jpg", "--caption-model", &model];
        folder.run(&[&args[..], more].concat()).expect(2).stderr().to_owned()
    };
    let expected = "error: num_beams is 0, expected 1 to 48\nhint: one beam is greedy search";
    assert!(generate(&["--num-beams", "0"]).starts_with(expected));
    let long = ["w7"; 70].join(" ");
    let stderr = generate(&["--caption-prefix", &long]);
    let expected = "error: max_new_tokens is 20, expected a prompt shorter than ";
    assert!(stderr.starts_with(expected) && stderr.contains("\nhint: "), "{stderr}");
}

#[test]
fn captioning_first_gives_the_same_prompts() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    folder.write("photos/not.gif", "GIF it is not");
    let args = ["prompt", "photos", "--caption-model", &model, "--format", "jsonl"];
    let args = [&args[..], &["--max-length", "5", "--batch-size", "2"]].concat();
    let one = folder.run(&args).expect(1);
    let two = folder.run(&[&args[..], &["--two-pass"]].concat()).expect(1);
    assert_eq!(two.stdout(), one.stdout());
    assert_eq!(two.rows().len(), 4);
    assert_eq!(two.stderr().matches("not.gif").count(), 1, "reported once: {}", two.stderr());
    assert!(two.stderr().contains("captions: 3 images, 15 tokens in "), "{}", two.stderr());
    // An unknown model is reported before the first pass.
    let output = folder.run(&[&args[..], &["--two-pass", "--model", "clip"]].concat()).expect(2);
    assert!(
        output.stderr().contains("no model is named") && !output.stderr().contains("captions: ")
    );
    let output = folder.run(&["prompt", "photos", "--two-pass"]).expect(2);
    assert!(output.stderr().contains("--caption-model"), "{}", output.stderr());
}

#[test]
fn prompt_begins_with_the_images_caption() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["prompt", "photos", "--caption-model", &model, "--max-length", "5"];
    let output = folder.run(&args).expect(0);
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert!(
        lines[0].starts_with("photos/cat.jpg: w21 w6 w53 w48 w6, a photo of a cat"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("photos/rocket.jpg: w68 w36 w68 w94 w36, "), "{lines:?}");
    folder.run(&[&args[..], &["--caption", "a cat"]].concat()).expect(2);
    let output = folder.run(&["prompt", "photos", "--num-beams", "2"]).expect(2);
    assert!(output.stderr().contains("--caption-model"), "{}", output.stderr());
}

#[test]
fn one_invalid_image_fails_alone() {
    let (folder, model) = (Folder::new(), checkpoint("blip"));
    folder.write("photos/not.gif", "GIF it is not");
    let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
    let rows = folder.run(&args).expect(1).rows();
    let failed: Vec<bool> = rows.iter().map(|row| row.get("error").is_some()).collect();
    assert_eq!(failed, [false, false, true, false]);
}

#[test]
fn unknown_captioner_error_lists_the_valid_ones() {
    let folder = Folder::new();
    for name in ["starter", "blip-3"] {
        let output = folder.run(&["caption", "photos", "--caption-model", name]).expect(2);
        let expected = format!("error: unknown captioner {name:?}\nhint: a captioner is a folder");
        assert!(
            output.stderr().starts_with(&expected) && output.stderr().contains("blip2-2.7b"),
            "{}",
            output.stderr()
        );
    }
    let clip = repository().join("tests/fixtures/clip/quick");
    let args = ["caption", "photos", "--caption-model", clip.to_str().unwrap()];
    let output = folder.run(&args).expect(2);
    assert!(
        output.stderr().contains(r#"expected "blip", "blip-2", "git" or "florence2""#),
        "{}",
        output.stderr()
    );
}
