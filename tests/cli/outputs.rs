use std::fs::{self, File};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use crate::run::Folder;

/// Creates a folder with an index and an invalid image among the photos.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("photos/d, \"e\".gif", "GIF it is not");
    folder.run(&["prompt", "photos/cat.jpg"]).expect(0);
    folder
}

fn rows(folder: &Folder, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a Parquet file as JSON.
fn parquet(folder: &Folder, name: &str) -> Vec<Value> {
    fn value(field: &Field) -> Value {
        match field {
            Field::Null => Value::Null,
            Field::Str(text) => json!(text),
            Field::Float(number) => json!(number),
            Field::Long(number) => json!(number),
            Field::ListInternal(list) => list.elements().iter().map(value).collect(),
            other => panic!("{other}"),
        }
    }
    let reader = SerializedFileReader::new(File::open(folder.path(name)).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let cells = rows.map(|row| {
        let cells = row.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
        Value::Object(cells.collect())
    });
    cells.collect()
}

fn csv(folder: &Folder, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(folder.path(name)).unwrap();
    let words = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let header = words(reader.headers().unwrap());
    (header, reader.records().map(|record| words(&record.unwrap())).collect())
}

#[test]
fn jsonl_file_equals_jsonl_on_stdout() {
    let folder = folder();
    let printed = folder.run(&["prompt", "photos", "--format", "jsonl"]).expect(1);
    let output = folder.run(&["prompt", "photos", "-o", "out.jsonl"]).expect(1);
    assert_eq!(output.stdout(), "");
    assert_eq!(fs::read_to_string(folder.path("out.jsonl")).unwrap(), printed.stdout());
    assert!(output.stderr().contains("1 of 4 images failed"), "{}", output.stderr());
    assert!(output.stderr().contains("out.jsonl: 4 images in "), "{}", output.stderr());
    assert!(output.stderr().contains(" images/s"), "{}", output.stderr());
}

#[test]
fn csv_has_a_column_for_each_part_and_json_lists() {
    let folder = folder();
    folder.run(&["prompt", "photos", "-o", "out.csv"]).expect(1);
    folder.run(&["prompt", "photos", "-o", "out.jsonl"]).expect(1);
    let bytes = fs::read(folder.path("out.csv")).unwrap();
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(bytes.windows(2).filter(|pair| pair == b"\r\n").count(), lines, "RFC 4180");
    let (header, records) = csv(&folder, "out.csv");
    let names = "image,prompt,caption,medium,medium_score,movement,movement_score,flavors,\
        flavor_scores,tables,mode,score,error";
    assert_eq!(header, names.split(',').collect::<Vec<_>>());
    let rows = rows(&folder, "out.jsonl");
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        assert_eq!(json!(record[0]), row["image"]);
        if row.get("error").is_some() {
            assert_eq!(json!(record[12]), row["error"]);
            assert!(record[1..12].iter().all(String::is_empty), "{record:?}");
            continue;
        }
        assert_eq!(json!(record[1]), row["prompt"]);
        assert_eq!((json!(record[3]), &record[12]), (row["medium"]["label"].clone(), &"".into()));
        assert_eq!(serde_json::from_str::<Value>(&record[4]).unwrap(), row["medium"]["score"]);
        let flavors: Vec<Value> = serde_json::from_str(&record[7]).unwrap();
        let scores: Vec<Value> = serde_json::from_str(&record[8]).unwrap();
        let found = row["flavors"].as_array().unwrap();
        assert_eq!(flavors, found.iter().map(|f| f["label"].clone()).collect::<Vec<_>>());
        assert_eq!(scores, found.iter().map(|f| f["score"].clone()).collect::<Vec<_>>());
    }
    // Standard output is the same.
    let printed = folder.run(&["prompt", "photos", "--format", "csv"]).expect(1);
    assert_eq!(printed.stdout().as_bytes(), bytes);
}

#[test]
fn parquet_has_the_same_columns() {
    let folder = folder();
    folder.run(&["rank", "photos", "-k", "2", "-o", "out.parquet"]).expect(1);
    let printed = folder.run(&["rank", "photos", "-k", "2", "--format", "jsonl"]).expect(1).rows();
    let rows = parquet(&folder, "out.parquet");
    assert_eq!(rows.len(), 4);
    for (row, printed) in rows.iter().zip(&printed) {
        assert_eq!((&row["image"], row.get("error")), (&printed["image"], Some(&printed["error"])));
        let found = printed["matches"].as_array().cloned().unwrap_or_default();
        let all = |key: &str| found.iter().map(|f| f[key].clone()).collect::<Vec<_>>();
        assert_eq!(row["labels"], json!(all("label")));
        assert_eq!(row["rows"], json!(all("row")));
        let scores = row["scores"].as_array().unwrap().iter();
        for (score, printed) in scores.zip(all("score")) {
            assert_eq!(score.as_f64().unwrap() as f32, printed.as_f64().unwrap() as f32);
        }
    }
    assert!(!folder.path("out.parquet.part").exists());
}

#[test]
fn features_are_written_in_every_format() {
    let folder = Folder::new();
    let printed = folder.run(&["embed", "images", "photos"]).expect(0).rows();
    folder.run(&["embed", "images", "photos", "-o", "out.csv"]).expect(0);
    folder.run(&["embed", "images", "photos", "-o", "out.parquet"]).expect(0);
    let (header, records) = csv(&folder, "out.csv");
    assert_eq!(header, ["image", "features", "error"]);
    let table = parquet(&folder, "out.parquet");
    for ((printed, record), row) in printed.iter().zip(&records).zip(table) {
        let cell: Value = serde_json::from_str(&record[1]).unwrap();
        let f32s = |list: &Value| -> Vec<f32> {
            list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
        };
        assert_eq!(f32s(&cell), f32s(&printed["features"]));
        assert_eq!(f32s(&row["features"]), f32s(&printed["features"]));
    }
}

#[test]
fn existing_output_is_kept_without_overwrite() {
    let folder = Folder::new();
    let photo = fs::read(folder.path("photos/cat.jpg")).unwrap();
    folder.write("out.jsonl", "mine\n");
    folder.write("out.parquet", "mine\n");
    let refuse = |args: &[&str]| {
        let output = folder.run(&[&["prompt", "photos"], args].concat()).expect(2);
        assert!(
            !output.stderr().contains("building"),
            "reported before the work: {}",
            output.stderr()
        );
        output.stderr().to_owned()
    };
    for (args, expected) in [
        (
            &["-o", "out.jsonl"][..],
            "out.jsonl already exists\nhint: pass --resume to continue it or --ov",
        ),
        (
            &["-o", "out.parquet"],
            "out.parquet already exists\nhint: pass --overwrite to replace it",
        ),
        (
            &["-o", "photos"],
            "photos: expected a file to write, found a folder\nhint: name a file in",
        ),
        (&["-o", "photos/cat.jpg"], "expected a file to write, found one that is read in this run"),
        (
            &["-o", "./photos/../photos/cat.jpg", "--overwrite"],
            "found one that is read in this run",
        ),
        (&["-o", "gone/out.csv"], "cannot write gone/out.csv: No such file"),
        (
            &["-o", "out.jsonl", "--resume"],
            "line 1: expected a JSON object with image, prompt, flavors",
        ),
        (
            &["-o", "new.parquet", "--resume"],
            "new.parquet: --resume does not support Parquet files\nhint: write JSONL or",
        ),
        (&["-o", "new.txt", "--resume"], "new.txt: --resume does not support text files"),
        (
            &["--format", "parquet"],
            "Parquet cannot be written to standard output\nhint: name a file",
        ),
        (&["--resume"], "--output"),
    ] {
        let stderr = refuse(args);
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
    assert_eq!(fs::read(folder.path("photos/cat.jpg")).unwrap(), photo);
    assert_eq!(fs::read(folder.path("out.jsonl")).unwrap(), b"mine\n");
    assert_eq!(fs::read(folder.path("out.parquet")).unwrap(), b"mine\n");
    // --overwrite replaces it.
    folder.run(&["prompt", "photos", "-o", "out.jsonl", "--overwrite"]).expect(0);
    assert_eq!(rows(&folder, "out.jsonl").len(), 3);
}

#[test]
fn full_disk_is_reported() {
    if !std::path::Path::new("/dev/full").exists() {
        return; // only Linux has it
    }
    let output = Folder::new().run(&["embed", "images", "photos", "-o", "/dev/full"]).expect(2);
    assert!(output.stderr().contains("error: cannot write /dev/full: "), "{}", output.stderr());
    assert!(output.stderr().contains("hint: the disk is full"), "{}", output.stderr());
}
