use serde_json::json;

use crate::run::{Folder, repository};

/// The tiny seeded checkpoint of that name, whose words are `w` and a number.
fn checkpoint(name: &str) -> String {
    repository().join("tests/fixtures/caption").join(name).to_str().unwrap().to_owned()
}

/// What `Blip2ForConditionalGeneration.generate` of transformers 5.23 (torch
/// 2.15) says of the cat, the coffee and the rocket, on the pixels that its
/// `BlipImageProcessor` makes of them, with `max_new_tokens=20` and
/// `min_new_tokens=5`: the tokens behind the prompt, up to the end, 30.
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
    for (more, wanted) in [(&[][..], GREEDY), (&["--num-beams", "3", "--batch-size", "2"], BEAMS)] {
        let rows = folder.run(&[&args, more].concat()).expect(0).rows();
        let names = ["cat", "coffee", "rocket"];
        assert_eq!(rows.len(), names.len());
        for ((row, name), wanted) in rows.iter().zip(names).zip(wanted) {
            assert_eq!(row["image"], format!("photos/{name}.jpg"));
            assert_eq!(row["tokens"], json!(wanted), "{name} {more:?}");
        }
        assert!(rows[2]["caption"].as_str().unwrap().ends_with("w36 w6 w6 w50"), "{}", rows[2]);
    }
}

#[test]
fn lengths_count_tokens_and_f16_gives_the_same_captions() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos/rocket.jpg", "--caption-model", &model];
    let short = ["--max-length", "3", "--min-length", "1", "--caption-precision", "f16"];
    let ran = folder.run(&[&args[..], &short].concat()).expect(0);
    assert_eq!(ran.out(), "w68 w36 w68\n");
    // A wish that cannot be is told once, before an image is read.
    let ran = folder.run(&[&args[..], &["--max-length", "4"]].concat()).expect(2);
    assert_eq!(ran.out(), "");
    let told = "error: min_new_tokens is 5, expected at most max_new_tokens, 4";
    assert!(ran.err().starts_with(told), "{}", ran.err());
}

#[test]
fn captioning_speed_is_printed() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos", "--caption-model", &model];
    let ran = folder.run(&[&args[..], &["--batch-size", "2"]].concat()).expect(0);
    let tokens: usize = GREEDY.iter().map(|caption| caption.len()).sum();
    let told = format!("captions: 3 images, {tokens} tokens in ");
    let line = ran.err().lines().find(|line| line.starts_with(&told));
    let line = line.unwrap_or_else(|| panic!("{}", ran.err()));
    assert!(line.contains(" images/s, ") && line.ends_with(" tokens/s"), "{line}");
    assert_eq!(folder.run(&[&args[..], &["--quiet"]].concat()).expect(0).err(), "");
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
            // The file's own type: nothing is rounded.
            assert!(rows.iter().zip(GREEDY).all(|(row, wanted)| row["tokens"] == json!(wanted)));
        }
    }
}

#[test]
fn options_reach_the_search() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let ask = |more: &[&str]| {
        let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
        let rows = folder.run(&[&args[..], more].concat()).expect(0).rows();
        rows.into_iter().map(|row| row["tokens"].clone()).collect::<Vec<_>>()
    };
    let greedy = ask(&[]);
    assert_ne!(ask(&["--caption-prefix", "w17 w30"]), greedy);
    assert_ne!(ask(&["--repetition-penalty", "1.5"]), greedy);
    let once = ask(&["--no-repeat-ngram-size", "1"]);
    for tokens in &once {
        let mut seen: Vec<u64> =
            tokens.as_array().unwrap().iter().map(|t| t.as_u64().unwrap()).collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "{tokens}");
    }
    let beams = |more: &[&str]| ask(&[&["--num-beams", "3", "--min-length", "1"], more].concat());
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
    let ask = |more: &[&str]| {
        let args = ["caption", "photos", "--caption-model", &model, "--temperature", "3"];
        folder.run(&[&args[..], more].concat()).expect(0).out().to_owned()
    };
    let drawn = ask(&["--top-p", "0.9", "--seed", "7"]);
    assert_eq!(ask(&["--top-p", "0.9", "--seed", "7", "--batch-size", "1"]), drawn);
    assert_ne!(ask(&["--top-p", "0.9", "--seed", "8"]), drawn);
    let args = ["caption", "photos", "--caption-model", &model, "--seed", "1", "--num-beams", "2"];
    let ran = folder.run(&args).expect(2);
    let told = "error: sampling is on with 2 beams, expected one beam, or no sampling\nhint: leave";
    assert!(ran.err().starts_with(told), "{}", ran.err());
}

#[test]
fn invalid_generation_options_fail_before_images_are_read() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let ask = |more: &[&str]| {
        let args = ["caption", "gone.jpg", "--caption-model", &model];
        folder.run(&[&args[..], more].concat()).expect(2).err().to_owned()
    };
    let told = "error: num_beams is 0, expected 1 to 48\nhint: one beam is greedy search";
    assert!(ask(&["--num-beams", "0"]).starts_with(told));
    let long = ["w7"; 70].join(" ");
    let said = ask(&["--caption-prefix", &long]);
    let told = "error: max_new_tokens is 20, expected a prompt shorter than ";
    assert!(said.starts_with(told) && said.contains("\nhint: "), "{said}");
}

#[test]
fn captioning_first_gives_the_same_prompts() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    folder.write("photos/not.gif", "GIF it is not");
    let args = ["prompt", "photos", "--caption-model", &model, "--format", "jsonl"];
    let args = [&args[..], &["--max-length", "5", "--batch-size", "2"]].concat();
    let one = folder.run(&args).expect(1);
    let two = folder.run(&[&args[..], &["--two-pass"]].concat()).expect(1);
    assert_eq!(two.out(), one.out());
    assert_eq!(two.rows().len(), 4);
    assert_eq!(two.err().matches("not.gif").count(), 1, "told once: {}", two.err());
    assert!(two.err().contains("captions: 3 images, 15 tokens in "), "{}", two.err());
    // A model that can be no model is told before the first pass.
    let ran = folder.run(&[&args[..], &["--two-pass", "--model", "clip"]].concat()).expect(2);
    assert!(ran.err().contains("no model is named") && !ran.err().contains("captions: "));
    let ran = folder.run(&["prompt", "photos", "--two-pass"]).expect(2);
    assert!(ran.err().contains("--caption-model"), "{}", ran.err());
}

#[test]
fn prompt_begins_with_the_images_caption() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["prompt", "photos", "--caption-model", &model, "--max-length", "5"];
    let ran = folder.run(&args).expect(0);
    let lines: Vec<&str> = ran.out().lines().collect();
    assert!(
        lines[0].starts_with("photos/cat.jpg: w21 w6 w53 w48 w6, a photo of a cat"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("photos/rocket.jpg: w68 w36 w68 w94 w36, "), "{lines:?}");
    folder.run(&[&args[..], &["--caption", "a cat"]].concat()).expect(2);
    let ran = folder.run(&["prompt", "photos", "--num-beams", "2"]).expect(2);
    assert!(ran.err().contains("--caption-model"), "{}", ran.err());
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
        let ran = folder.run(&["caption", "photos", "--caption-model", name]).expect(2);
        let told = format!("error: no captioner is named {name:?}\nhint: a captioner is a folder");
        assert!(ran.err().starts_with(&told) && ran.err().contains("blip2-2.7b"), "{}", ran.err());
    }
    let clip = repository().join("tests/fixtures/clip/quick");
    let args = ["caption", "photos", "--caption-model", clip.to_str().unwrap()];
    let ran = folder.run(&args).expect(2);
    assert!(ran.err().contains(r#"expected "blip" or "blip-2""#), "{}", ran.err());
}
