//! `search`, and the features that `embed images` writes for it.

use std::fs;

use serde_json::Value;

use crate::run::{Folder, repository};

/// A folder with the features of its photos.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.run(&["embed", "images", "photos", "-o", "f.npy"]).expect(0);
    folder
}

/// The images of a result, and their scores.
fn found(row: &Value) -> (Vec<String>, Vec<f64>) {
    let matches = row["matches"].as_array().unwrap().iter();
    matches.map(|m| (m["image"].as_str().unwrap().into(), m["score"].as_f64().unwrap())).unzip()
}

/// The f32 values of a .npy of `rows` rows.
fn npy(bytes: &[u8], rows: usize) -> Vec<Vec<f32>> {
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "{:?}", &bytes[..16]);
    let values = bytes[128..].chunks_exact(4);
    let values: Vec<f32> = values.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let rows: Vec<_> = values.chunks(values.len() / rows).map(<[f32]>::to_vec).collect();
    rows
}

fn features(row: &Value) -> Vec<f32> {
    serde_json::from_value(row["features"].clone()).unwrap()
}

#[test]
fn images_are_found_by_text_best_first() {
    let folder = folder();
    let args = ["search", "a cat", "a cup of coffee", "--in", "f.npy", "--format", "jsonl"];
    let rows = folder.run(&args).expect(0).rows();
    assert_eq!((rows.len(), &rows[1]["query"]), (2, &"a cup of coffee".into()));
    let images = folder.run(&["embed", "images", "photos"]).expect(0).rows();
    let texts = folder.run(&["embed", "texts", "a cat", "a cup of coffee"]).expect(0).rows();
    for (row, (text, best)) in
        rows.iter().zip(texts.iter().zip(["photos/cat.jpg", "photos/coffee.jpg"]))
    {
        let (names, scores) = found(row);
        assert_eq!((names[0].as_str(), names.len()), (best, 3));
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        for m in row["matches"].as_array().unwrap() {
            let image = &images[m["row"].as_u64().unwrap() as usize];
            assert_eq!(image["image"], m["image"]);
            let (image, text) = (features(image), features(text));
            let cosine: f64 =
                image.iter().zip(&text).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            // Rows are rounded to f16.
            assert!((cosine - m["score"].as_f64().unwrap()).abs() < 1e-3);
        }
    }
    let text = folder.run(&["search", "a cat", "--in", "f.npy", "-k", "1"]).expect(0);
    assert!(text.stdout().ends_with("  photos/cat.jpg\n"), "{}", text.stdout());
    assert_eq!(text.stdout().lines().count(), 1);
    let text = folder.run(&["search", "a cat", "tea", "--in", "f.npy", "-k", "1"]).expect(0);
    let lines: Vec<_> = text.stdout().lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (4, "a cat", "tea"));
}

#[test]
fn query_of_images_and_texts_is_a_sum() {
    let folder = folder();
    let search = |query: &[&str]| {
        let args = [&["search", "--in", "f.npy", "--format", "jsonl"][..], query].concat();
        found(&folder.run(&args).expect(0).rows()[0])
    };
    let (names, scores) = search(&["--query", "photos/rocket.jpg"]);
    assert_eq!(names[0], "photos/rocket.jpg");
    assert!((scores[0] - 1.0).abs() < 1e-3, "{scores:?}");
    let (names, _) = search(&["--query", r#"-photos/rocket.jpg + "espresso in a cup""#]);
    assert_eq!((&*names[0], &*names[2]), ("photos/coffee.jpg", "photos/rocket.jpg"));
}

#[test]
fn equal_images_are_ordered_by_row() {
    let folder = Folder::new();
    let cat = fs::read(folder.path("photos/cat.jpg")).unwrap();
    for name in ["b.jpg", "a.jpg", "c.jpg"] {
        folder.write(&format!("same/{name}"), &cat);
    }
    folder.run(&["embed", "images", "same", "-o", "f.npy"]).expect(0);
    let args = ["search", "a cat", "--in", "f.npy", "-k", "2", "--format", "jsonl"];
    let (names, scores) = found(&folder.run(&args).expect(0).rows()[0]);
    assert_eq!((names, scores[0]), (vec!["same/a.jpg".into(), "same/b.jpg".into()], scores[1]));
}

#[test]
fn features_and_their_names_are_two_files() {
    let folder = Folder::new();
    folder.write("photos/broken.gif", "GIF it is not");
    let printed = folder.run(&["embed", "images", "photos"]).expect(1).rows();
    let output = folder.run(&["embed", "images", "photos", "-o", "f.npy"]).expect(1);
    assert!(output.stderr().contains("1 of 4 images failed"), "{}", output.stderr());
    let rows = npy(&fs::read(folder.path("f.npy")).unwrap(), 3);
    let json: Value =
        serde_json::from_slice(&fs::read(folder.path("f.npy.json")).unwrap()).unwrap();
    assert_eq!(json["model"], "starter");
    let done: Vec<&Value> = printed.iter().filter(|row| row.get("error").is_none()).collect();
    let names: Vec<&Value> = done.iter().map(|row| &row["image"]).collect();
    assert_eq!(json["images"].as_array().unwrap().iter().collect::<Vec<_>>(), names);
    for (row, printed) in rows.iter().zip(done) {
        assert_eq!(*row, features(printed));
    }
    // Neither file is replaced by accident.
    let stderr = |args: &[&str], code| folder.run(args).expect(code).stderr().to_owned();
    let again = ["embed", "images", "photos/cat.jpg", "-o", "f.npy"];
    assert!(stderr(&again, 2).contains("f.npy already exists\nhint: pass --overwrite"));
    fs::remove_file(folder.path("f.npy")).unwrap();
    assert!(stderr(&again, 2).contains("f.npy.json already exists\nhint: pass --overwrite"));
    folder.run(&[&again[..], &["--overwrite"]].concat()).expect(0);
    assert_eq!(npy(&fs::read(folder.path("f.npy")).unwrap(), 1).len(), 1);
    assert!(stderr(&[&again[..], &["--resume"]].concat(), 2).contains("support .npy files"));
    // Without an image that can be read there is no file.
    stderr(&["embed", "images", "photos/broken.gif", "-o", "none.npy"], 2);
    assert!(!folder.path("none.npy").exists() && !folder.path("none.npy.json").exists());
}

#[test]
fn npy_on_stdout_has_no_names_and_is_refused() {
    let folder = Folder::new();
    for args in [&["--format", "npy"][..], &["--format", "npy", "-o", "-"]] {
        let output = folder.run(&[&["embed", "images", "photos"], args].concat()).expect(2);
        let expected = ".npy cannot be written to standard output\nhint: name a file with -o";
        assert!(output.stderr().contains(expected), "{}", output.stderr());
        assert_eq!(output.stdout(), "");
    }
    let output = folder.run(&["prompt", "photos", "--format", "npy"]).expect(2);
    assert!(output.stderr().contains("invalid value 'npy'"), "{}", output.stderr());
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let folder = folder();
    let search = |file: &str, more: &[&str]| {
        let output = folder.run(&[&["search", "a cat", "--in", file][..], more].concat()).expect(2);
        assert_eq!(output.stdout(), "");
        assert!(output.stderr().contains("\nhint: "), "{file}: {}", output.stderr());
        output.stderr().to_owned()
    };
    let (rows, json) = (fs::read(folder.path("f.npy")).unwrap(), folder.path("f.npy.json"));
    let description = fs::read_to_string(json).unwrap();
    folder.write("alone.npy", &rows);
    let stderr = search("alone.npy", &[]);
    assert!(stderr.contains("alone.npy.json: no such file: it names the images of alone.npy"));
    folder.write("few.npy", &rows);
    folder.write("few.npy.json", r#"{"model": "starter", "images": ["a", "b"]}"#);
    let stderr = search("few.npy", &[]);
    let expected = "few.npy: rows: expected 2, one for each image of few.npy.json, found 3";
    assert!(stderr.contains(expected), "{stderr}");
    let mut changed = rows.clone();
    *changed.last_mut().unwrap() ^= 1;
    folder.write("changed.npy", &changed);
    folder.write("changed.npy.json", &description);
    let stderr = search("changed.npy", &[]);
    assert!(stderr.contains("changed.npy: SHA-256 of the values: expected "), "{stderr}");
    let zero: Vec<u8> = rows[..128].iter().copied().chain(vec![0; rows.len() - 128]).collect();
    folder.write("zero.npy", zero);
    folder.write("zero.npy.json", r#"{"model": "starter", "images": ["a", "b", "c"]}"#);
    assert!(search("zero.npy", &[]).contains("zero.npy: row 0 is zero or not finite"));
    let clip = repository().join("tests/fixtures/clip/quick");
    let stderr = search("f.npy", &["--model", clip.to_str().unwrap()]);
    assert!(stderr.contains("f.npy: model: expected starter ("), "{stderr}");
    assert!(search("photos/cat.jpg", &[]).contains("magic: expected that of a .npy"));
    assert!(search("gone.npy", &[]).contains("cannot open gone.npy"));
}

#[test]
fn features_of_another_program_need_a_model_and_names_alone() {
    let folder = folder();
    let rows = fs::read(folder.path("f.npy")).unwrap();
    folder.write("own.npy", rows);
    let description = r#"{"model": "starter", "images": ["x\n1", "y", "z"]}"#;
    folder.write("own.npy.json", description);
    let output = folder.run(&["search", "a cat", "--in", "own.npy", "-k", "1"]).expect(0);
    assert!(output.stdout().ends_with("  x\\n1\n"), "{}", output.stdout());
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let folder = Folder::new();
    folder.write("f.npy.json", fs::read(folder.path("photos/cat.jpg")).unwrap());
    let args = ["embed", "images", "f.npy.json", "-o", "f.npy", "--overwrite"];
    let output = folder.run(&args).expect(2);
    assert!(
        output.stderr().contains("f.npy.json: expected a file to write, found one that is read")
    );
}

#[test]
fn texts_are_embedded_into_npy_and_parquet() {
    let folder = Folder::new();
    let texts = ["embed", "texts", "a cat", "a\ttab", "-o"];
    let printed = folder.run(&["embed", "texts", "a cat", "a\ttab"]).expect(0);
    let expected: Vec<_> = printed.rows().iter().map(features).collect();
    folder.run(&[&texts[..], &["t.npy"]].concat()).expect(0);
    assert_eq!(npy(&fs::read(folder.path("t.npy")).unwrap(), 2), expected);
    let piped = folder.command(&[&texts[..], &["-", "--format", "npy"]].concat()).output().unwrap();
    assert_eq!(piped.stdout, fs::read(folder.path("t.npy")).unwrap());
    folder.run(&[&texts[..], &["t.parquet"]].concat()).expect(0);
    let file = fs::read(folder.path("t.parquet")).unwrap();
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    let parquet = [&texts[..], &["-", "--format", "parquet"]].concat();
    assert_eq!(folder.command(&parquet).output().unwrap().stdout, file);
    folder.run(&[&texts[..], &["t.jsonl"]].concat()).expect(0);
    assert_eq!(fs::read_to_string(folder.path("t.jsonl")).unwrap(), printed.stdout());
    let output = folder.run(&["embed", "texts", "a", "--format", "npy"]).expect(2);
    let expected = "npy cannot be written to standard output\nhint: name a file with -o, pass -o -";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn dash_is_standard_output() {
    let folder = Folder::new();
    let args = ["embed", "images", "photos", "--format", "jsonl"];
    let plain = folder.run(&args).expect(0).stdout().to_owned();
    assert_eq!(folder.run(&[&args[..], &["-o", "-"]].concat()).expect(0).stdout(), plain);
    assert!(!folder.path("-").exists());
    let args = ["embed", "images", "photos", "-o", "-", "--format", "parquet"];
    let piped = folder.command(&args).output().unwrap().stdout;
    folder.run(&["embed", "images", "photos", "-o", "p.parquet"]).expect(0);
    assert_eq!(piped, fs::read(folder.path("p.parquet")).unwrap());
    let output = folder.run(&["prompt", "photos", "-o", "-", "--resume"]).expect(2);
    let expected = "--resume needs a file to continue, found standard output\nhint: name the file";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}
