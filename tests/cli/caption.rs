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
fn photos_get_the_captions_that_transformers_gives_them() {
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
fn lengths_count_tokens_and_half_weights_say_the_same() {
    let (folder, model) = (Folder::new(), checkpoint("blip2-opt"));
    let args = ["caption", "photos/rocket.jpg", "--caption-model", &model];
    let short = ["--max-length", "3", "--min-length", "1", "--precision", "f16"];
    let ran = folder.run(&[&args[..], &short].concat()).expect(0);
    assert_eq!(ran.out(), "w68 w36 w68\n");
    // A wish that cannot be is told once, before an image is read.
    let ran = folder.run(&[&args[..], &["--max-length", "4"]].concat()).expect(2);
    assert_eq!(ran.out(), "");
    let told = "error: min_new_tokens is 5, expected at most max_new_tokens, 4";
    assert!(ran.err().starts_with(told), "{}", ran.err());
}

#[test]
fn a_prompt_begins_with_the_images_own_caption() {
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
fn one_bad_image_is_not_the_others_end() {
    let (folder, model) = (Folder::new(), checkpoint("blip"));
    folder.write("photos/not.gif", "GIF it is not");
    let args = ["caption", "photos", "--caption-model", &model, "--format", "jsonl"];
    let rows = folder.run(&args).expect(1).rows();
    let failed: Vec<bool> = rows.iter().map(|row| row.get("error").is_some()).collect();
    assert_eq!(failed, [false, false, true, false]);
}

#[test]
fn what_makes_no_captions_is_refused_with_what_does() {
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
