use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::run::{Folder, repository};

const LINES: &str = r#"{"image":"photos/b.jpg","prompt":"a cat, a photo","caption":"a cat"}
{"image":"photos/a.jpg","prompt":"a café, \"blue\""}
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("prompts.jsonl", LINES);
    folder
}

fn jsonl(folder: &Folder) -> Vec<(String, Vec<f32>)> {
    let rows = folder.run(&["embed", "prompts", "prompts.jsonl"]).expect(0).rows();
    let values = |row: &Value| {
        let values = row["embedding"].as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap() as f32).collect()
    };
    rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), values(row))).collect()
}

fn embed_to_file(folder: &Folder, format: &str, name: &str) -> Vec<u8> {
    let args = ["embed", "prompts", "prompts.jsonl", "--format", format, "-o", name];
    assert_eq!(folder.run(&args).expect(0).stdout(), "");
    std::fs::read(folder.path(name)).unwrap()
}

/// The shape and the values of a .npy file.
fn npy(bytes: &[u8]) -> (String, Vec<f32>) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(start % 64, 0);
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    let shape = header.split_once("'shape': ").unwrap().1.split_once(", }").unwrap().0;
    let values = bytes[start..].chunks_exact(4).map(|v| f32::from_le_bytes(v.try_into().unwrap()));
    (shape.to_owned(), values.collect())
}

#[test]
fn every_format_has_the_values_of_jsonl() {
    let folder = folder();
    let rows = jsonl(&folder);
    let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["photos/b.jpg", "photos/a.jpg"]);
    let flat: Vec<f32> = rows.iter().flat_map(|(_, values)| values.clone()).collect();
    assert_eq!(flat.len(), 2 * 384);

    assert_eq!(
        npy(&embed_to_file(&folder, "npy", "rows.npy")),
        ("(2, 384)".to_owned(), flat.clone())
    );

    embed_to_file(&folder, "parquet", "rows.parquet");
    let file = File::open(folder.path("rows.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut found = Vec::new();
    for (row, (id, _)) in reader.get_row_iter(None).unwrap().zip(&rows) {
        let row = row.unwrap();
        let fields: Vec<(&String, &Field)> = row.get_column_iter().collect();
        assert_eq!(fields[0], (&"id".to_owned(), &Field::Str(id.clone())));
        assert_eq!(fields[1].0, "prompt");
        let Field::ListInternal(list) = fields[2].1 else { panic!("{fields:?}") };
        found.extend(list.elements().iter().map(|value| match value {
            Field::Float(value) => *value,
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(found, flat);

    let csv = String::from_utf8(embed_to_file(&folder, "submission", "submission.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("imgId_eId,val"));
    for (number, (line, value)) in lines.by_ref().zip(&flat).enumerate() {
        let stem = if number < 384 { "b" } else { "a" };
        let (id, found) = line.split_once(',').unwrap();
        assert_eq!(id, format!("{stem}_{}", number % 384));
        assert_eq!(found.parse::<f32>().unwrap().to_bits(), value.to_bits());
    }
    assert_eq!((lines.next(), csv.lines().count()), (None, 1 + 2 * 384));
    let plain = folder.run(&["embed", "prompts", "prompts.jsonl", "--submission"]).expect(0);
    assert_eq!(plain.stdout(), csv);
}

#[test]
fn prompts_come_from_arguments_files_and_stdin() {
    use std::io::Write;
    use std::process::Stdio;
    let folder = folder();
    folder.write("lines.txt", "a cat\n{b}\n");
    let ids = |args: &[&str]| {
        let rows = folder.run(&[&["embed", "prompts"], args].concat()).expect(0).rows();
        rows.iter().map(|row| (row["id"].clone(), row["prompt"].clone())).collect::<Vec<_>>()
    };
    let two = [("0".into(), "a cat".into()), ("1".into(), "{b}".into())];
    assert_eq!(ids(&["a cat", "{b}"]), two);
    assert_eq!(ids(&["lines.txt"]), two);
    let mut child = folder.command(&["embed", "prompts", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(LINES.as_bytes()).unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(out, folder.run(&["embed", "prompts", "prompts.jsonl"]).expect(0).stdout());
}

/// Regression: these files were once embedded line by line, byte order mark included.
#[test]
fn input_format_is_detected_from_content() {
    let folder = Folder::new();
    let cases = repository().join("tests/fixtures/cases");
    let run = |args: &[&str]| {
        let rows = folder.run(&[&["embed", "prompts"], args].concat()).expect(0).rows();
        rows.iter().map(|row| (row["id"].clone(), row["prompt"].clone())).collect::<Vec<_>>()
    };
    let ball = [("good.jpg".into(), "a red ball".into())];
    for name in ["prompts-bom.jsonl", "prompts-blank-first.jsonl", "prompts.csv"] {
        assert_eq!(run(&[cases.join(name).to_str().unwrap()]), ball, "{name}");
    }
    let texts = run(&[cases.join("texts-bom.txt").to_str().unwrap()]);
    assert_eq!(texts, [("0".into(), "a cat".into()), ("1".into(), "a cat".into())]);

    folder.write("braces.txt", "{red, blue} ball\n\na cat\n");
    let output = folder.run(&["embed", "prompts", "braces.txt"]).expect(0);
    assert_eq!(output.rows()[0]["prompt"], "{red, blue} ball");
    assert!(output.stderr().contains("braces.txt: 1 blank line left out"), "{}", output.stderr());
    folder.write("cut.jsonl", "{\"image\": \"a.jpg\", \"pro");
    let output = folder.run(&["embed", "prompts", "cut.jsonl"]).expect(2);
    let hint =
        "\nhint: name the format if the file is right: --input-format lines, jsonl, csv or tsv\n";
    assert!(output.stderr().ends_with(hint), "{}", output.stderr());
    let lines = run(&["cut.jsonl", "--input-format", "lines"]);
    assert_eq!(lines.len(), 1);
}

/// `embed prompts` reads what `prompt -o FILE` writes and skips failed images.
#[test]
fn output_of_prompt_is_read_back() {
    let folder = Folder::new();
    folder.write("photos/broken.jpg", "no image");
    for file in ["p.csv", "p.jsonl"] {
        folder.run(&["prompt", "photos", "-o", file]).expect(1);
        let output = folder.run(&["embed", "prompts", file]).expect(1);
        let rows = output.rows();
        assert_eq!(rows.len(), 3, "{file}");
        assert_eq!(rows[0]["id"], "photos/cat.jpg");
        assert!(rows[0]["prompt"].as_str().unwrap().starts_with("a photo of a cat"));
        let line = if file == "p.csv" { 2 } else { 1 };
        assert!(
            output.stderr().contains(&format!("{file}:{line}: left out: ")),
            "{}",
            output.stderr()
        );
    }
}

/// Runs `embed` over an existing output. Returns stderr, once the run has failed and kept that
/// output.
fn stderr_of_failure(folder: &Folder, args: &[&str]) -> String {
    folder.write("out", "kept");
    let output = folder.run(&[&["embed"], args, &["-o", "out"]].concat()).expect(2);
    assert_eq!(std::fs::read(folder.path("out")).unwrap(), b"kept");
    let left = std::fs::read_dir(folder.path(".")).unwrap();
    let left =
        left.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".rows"));
    assert_eq!(left.count(), 0);
    output.stderr().to_owned()
}

#[test]
fn two_images_with_one_name_are_refused_before_anything_is_written() {
    let folder = folder();
    let lines = LINES.replace("photos/a.jpg", "more/b.png");
    folder.write("twice.jsonl", &lines);
    let stderr = stderr_of_failure(&folder, &["prompts", "twice.jsonl", "--submission"]);
    let expected = "error: two images are called \"b\": photos/b.jpg and more/b.png\nhint: ";
    assert!(stderr.starts_with(expected), "{stderr}");
    let stderr = stderr_of_failure(&folder, &["prompts", "a cat", "--submission"]);
    let expected =
        "error: a submission names rows by image, and the prompt in row 0 has no image\nhint: ";
    assert!(stderr.starts_with(expected), "{stderr}");
    // Parquet rows have the paths, which differ.
    let args = ["embed", "prompts", "twice.jsonl", "--format", "parquet", "-o", "twice.parquet"];
    folder.run(&args).expect(0);
}

#[test]
fn unwritable_output_fails_and_overwrites_nothing() {
    let folder = folder();
    folder.write("bad.jsonl", format!("{LINES}{{\"image\": \"c\"}}\n"));
    let stderr = stderr_of_failure(&folder, &["prompts", "bad.jsonl", "--format", "npy"]);
    assert!(
        stderr.starts_with("error: bad.jsonl:3: record: expected a JSON object with"),
        "{stderr}"
    );
    let output = folder.run(&["embed", "prompts", "a", "--format", "npy"]).expect(2);
    assert_eq!(
        output.stderr(),
        "error: npy cannot be written to standard output\nhint: name a file with -o, \
         pass -o - to write to a pipe, or pass --format jsonl\n"
    );
    let args = ["embed", "prompts", "prompts.jsonl", "-o", "./prompts.jsonl"];
    let output = folder.run(&args).expect(2);
    let expected = ": expected a file to write, found one that is read in this run";
    assert!(
        output.stderr().starts_with(&format!("error: ./prompts.jsonl{expected}")),
        "{}",
        output.stderr()
    );
    assert_eq!(std::fs::read(folder.path("prompts.jsonl")).unwrap(), LINES.as_bytes());
    let output = folder.run(&["embed", "prompts", "a", "-o", "none/x.jsonl"]).expect(2);
    assert!(output.stderr().starts_with("error: cannot write to none: "), "{}", output.stderr());
    let output = folder.run(&["embed", "prompts", "a", "--embedding-model", "none"]).expect(2);
    assert!(
        output.stderr().starts_with("error: no model is named \"none\""),
        "{}",
        output.stderr()
    );
}

#[test]
fn failed_rows_of_the_input_are_skipped_and_counted() {
    let folder = folder();
    folder.write("some.jsonl", format!("{LINES}{{\"image\": \"c.jpg\", \"error\": \"broken\"}}\n"));
    let output = folder.run(&["embed", "prompts", "some.jsonl"]).expect(1);
    assert_eq!(output.rows().len(), 2);
    assert!(output.stderr().contains("some.jsonl:3: left out: broken"), "{}", output.stderr());
}

#[test]
fn average_is_the_weighted_sum_of_unit_rows() {
    let folder = folder();
    let (_, a) = npy(&embed_to_file(&folder, "npy", "a.npy"));
    folder.write("prompts.jsonl", LINES.replace("cat", "rocket"));
    let (_, b) = npy(&embed_to_file(&folder, "npy", "b.npy"));
    let args = ["embed", "average", "a.npy", "b.npy", "--weights", "0.6,0.4", "-o", "c.npy"];
    folder.run(&args).expect(0);
    let (shape, c) = npy(&std::fs::read(folder.path("c.npy")).unwrap());
    assert_eq!(shape, "(2, 384)");
    for ((a, b), c) in a.chunks(384).zip(b.chunks(384)).zip(c.chunks(384)) {
        let sum: Vec<f64> =
            a.iter().zip(b).map(|(&a, &b)| 0.6 * f64::from(a) + 0.4 * f64::from(b)).collect();
        let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (sum, &c) in sum.iter().zip(c) {
            assert!((sum / length - f64::from(c)).abs() < 1e-6);
        }
    }
}

#[test]
fn invalid_averages_are_refused() {
    let folder = folder();
    embed_to_file(&folder, "npy", "a.npy");
    let args = ["embed", "prompts", "one", "-o", "one.npy"];
    folder.run(&args).expect(0);
    let stderr = stderr_of_failure(&folder, &["average", "a.npy", "one.npy"]);
    let expected = "error: one.npy: shape: expected (2, 384) as in a.npy, found (1, 384)\nhint: ";
    assert!(stderr.starts_with(expected), "{stderr}");
    let stderr = stderr_of_failure(&folder, &["average", "a.npy", "a.npy", "--weights", "1"]);
    assert!(
        stderr.starts_with("error: expected 2 weights, one per file, found 1\nhint: "),
        "{stderr}"
    );
    let stderr = stderr_of_failure(&folder, &["average", "a.npy", "a.npy", "--weights", "1,-1"]);
    assert!(stderr.starts_with("error: out: row 0 is zero or not finite\nhint: "), "{stderr}");
    let whole = std::fs::read(folder.path("a.npy")).unwrap();
    for (bytes, expected) in [
        (&whole[..100], "error: cannot read x.npy"),
        (&whole[..whole.len() - 1], "error: x.npy: length: expected 2 rows of 384 values, found "),
        (b"not rows at all", "error: x.npy: magic: expected that of a .npy, found another"),
    ] {
        folder.write("x.npy", bytes);
        let stderr = stderr_of_failure(&folder, &["average", "x.npy"]);
        assert!(stderr.starts_with(expected), "{stderr}");
    }
    let output = folder.run(&["embed", "average", "a.npy", "-o", "a.npy"]).expect(2);
    assert!(
        output
            .stderr()
            .starts_with("error: a.npy: expected a file to write, found one that is read")
    );
    assert_eq!(std::fs::read(folder.path("a.npy")).unwrap(), whole);
}

#[test]
fn tsv_is_read_as_csv_is() {
    let folder = folder();
    let expected = jsonl(&folder);
    let tsv =
        "image\tprompt\nphotos/b.jpg\ta cat, a photo\nphotos/a.jpg\t\"a café, \"\"blue\"\"\"\n";
    folder.write("prompts.jsonl", tsv); // the name of the file is the helper's
    assert_eq!(jsonl(&folder), expected);
    folder.write(
        "p.tsv",
        tsv.replace("image\t", "").replace("photos/b.jpg\t", "").replace("photos/a.jpg\t", ""),
    );
    let rows = folder.run(&["embed", "prompts", "p.tsv", "--input-format", "tsv"]).expect(0).rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["embedding"][0].as_f64().unwrap() as f32, expected[0].1[0]);
}
