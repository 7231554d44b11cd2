//! Shards: one Parquet file for each input, repeated, killed and shared between processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use crate::run::{Folder, RunOutput, repository};

/// Writes an archive of `samples` images, each with a .json and a .txt; every fifth image is
/// broken.
fn tar(folder: &Folder, name: &str, first: usize, samples: usize) {
    let photos = ["cat", "coffee", "rocket"];
    let photos = photos.map(|name| fs::read(folder.path(&format!("photos/{name}.jpg"))).unwrap());
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    for sample in first..first + samples {
        let bytes = if sample % 5 == 4 { &b"broken"[..] } else { &photos[sample % 3] };
        add(format!("{sample:09}.jpg"), bytes);
        add(format!("{sample:09}.json"), format!("{{\"number\":{sample}}}").as_bytes());
        add(format!("{sample:09}.txt"), b"a caption");
    }
    folder.write(name, tar.into_inner().unwrap());
}

/// The shards in `out`, by name.
fn shards(folder: &Folder, out: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.path(out)).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

/// The rows of all shards in `out`: columns by name. A column without a value is left out.
fn rows(folder: &Folder, out: &str) -> Vec<BTreeMap<String, Value>> {
    let mut all = Vec::new();
    for name in shards(folder, out).keys() {
        let file = File::open(folder.path(&format!("{out}/{name}"))).unwrap();
        for row in SerializedFileReader::new(file).unwrap().get_row_iter(None).unwrap() {
            let columns = row.unwrap().into_columns().into_iter();
            let columns = columns.filter(|(_, field)| *field != Field::Null);
            all.push(columns.map(|(name, field)| (name, json(field))).collect());
        }
    }
    all
}

fn json(field: Field) -> Value {
    match field {
        Field::Str(text) => text.into(),
        Field::Long(number) => number.into(),
        other => other.to_string().into(),
    }
}

/// Runs `prompt` over the archives in `data`.
fn prompt(folder: &Folder, out: &str, more: &[&str]) -> RunOutput {
    folder.run(&[&["prompt", "data/*.tar", "--shards", out], more].concat())
}

/// Runs `embed images` over the archives in `data`, with a tiny model.
fn embed(folder: &Folder, out: &str, more: &[&str]) -> RunOutput {
    folder.run(&embedding(&[&["data/*.tar", "--shards", out], more].concat()))
}

/// The arguments of `embed images` with a tiny model.
fn embedding<'a>(more: &[&'a str]) -> Vec<&'a str> {
    static MODEL: LazyLock<String> = LazyLock::new(|| {
        repository().join("tests/fixtures/clip/quick").to_str().unwrap().to_owned()
    });
    [&["embed", "images", "--model", &MODEL], more].concat()
}

/// The image, prompt and error of each row of a plain run, which writes JSON lines.
fn plain(folder: &Folder) -> Vec<[Value; 3]> {
    let output = folder.run(&["prompt", "data/*.tar", "--format", "jsonl"]);
    output.rows().iter().map(|row| ["image", "prompt", "error"].map(|at| row[at].clone())).collect()
}

fn as_plain(rows: &[BTreeMap<String, Value>]) -> Vec<[Value; 3]> {
    let cell = |row: &BTreeMap<String, Value>, at| row.get(at).cloned().unwrap_or_default();
    rows.iter().map(|row| ["image", "prompt", "error"].map(|at| cell(row, at))).collect()
}

fn success(folder: &Folder, out: &str) -> Option<Value> {
    let text = fs::read_to_string(folder.path(&format!("{out}/_SUCCESS"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn shards_have_the_rows_of_a_plain_run_and_the_keys_and_texts_of_their_input() {
    let folder = Folder::new();
    tar(&folder, "data/00000.tar", 0, 6);
    tar(&folder, "data/00001.tar", 6, 4);
    let first = prompt(&folder, "out", &[]).expect(1);
    assert!(first.stderr().contains("out: 2 shards written, 0 finished before"));
    let files = shards(&folder, "out");
    let names: Vec<_> = files.keys().cloned().collect();
    assert!(names[0].starts_with("00000-") && names[1].starts_with("00001-"), "{names:?}");
    assert_eq!(success(&folder, "out").unwrap()["shards"], serde_json::json!(names));
    let found = rows(&folder, "out");
    assert_eq!(as_plain(&found), plain(&folder));
    for (number, row) in found.iter().enumerate() {
        assert_eq!(row["key"], format!("{number:09}"));
        assert_eq!(row["json"], format!("{{\"number\":{number}}}"));
        assert_eq!(row["txt"], "a caption");
        assert_eq!(row.contains_key("error"), number % 5 == 4, "{row:?}");
    }
    // Again: nothing is written, and the exit code is the same.
    let again = prompt(&folder, "out", &["--batch-size", "3"]).expect(1);
    assert!(again.stderr().contains("out: 0 shards written, 2 finished before"));
    assert_eq!(shards(&folder, "out"), files);
}

#[test]
fn other_settings_and_other_contents_have_other_names() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 2);
    embed(&folder, "out", &[]).expect(0);
    let first = shards(&folder, "out");
    let other = embed(&folder, "out", &["--allow-truncated"]).expect(0);
    assert!(other.stderr().contains("out: 1 other shard, of other settings or inputs"));
    assert_eq!(shards(&folder, "out").len(), 2);
    tar(&folder, "data/0.tar", 5, 2);
    embed(&folder, "out", &[]).expect(0);
    assert_eq!(shards(&folder, "out").len(), 3);
    let last = success(&folder, "out").unwrap();
    assert_eq!(last["shards"].as_array().unwrap().len(), 1);
    // The first content again, under another path.
    tar(&folder, "elsewhere/0.tar", 0, 2);
    folder.run(&embedding(&["elsewhere/0.tar", "--shards", "out"])).expect(0);
    assert_eq!(shards(&folder, "out").len(), 3);
    let name = &success(&folder, "out").unwrap()["shards"][0];
    assert!(first.contains_key(name.as_str().unwrap()));
}

#[test]
fn contents_of_a_list_of_labels_are_a_setting() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 1);
    for (labels, shards_then) in [("hats", 1), ("coats", 2), ("coats", 2)] {
        folder.write("own.txt", labels);
        prompt(&folder, "out", &["--list", "own.txt"]).expect(0);
        assert_eq!(shards(&folder, "out").len(), shards_then, "{labels}");
    }
}

#[test]
fn parts_have_each_input_once_and_the_last_writes_the_mark() {
    let folder = Folder::new();
    for number in 0..3 {
        tar(&folder, &format!("data/{number}.tar"), number * 2, 2);
    }
    embed(&folder, "whole", &[]).expect(1);
    let first = embed(&folder, "out", &["--part", "1/2"]).expect(1);
    assert!(first.stderr().contains("out: no _SUCCESS yet: other parts are not finished"));
    assert_eq!((shards(&folder, "out").len(), success(&folder, "out")), (2, None));
    embed(&folder, "out", &["--part", "2/2"]).expect(0);
    assert_eq!(shards(&folder, "out"), shards(&folder, "whole"));
    assert_eq!(success(&folder, "out"), success(&folder, "whole"));
    // A part that has nothing to do leaves the mark.
    embed(&folder, "out", &["--part", "4/4"]).expect(0);
    assert!(success(&folder, "out").is_some());
}

/// Ends the process with SIGKILL.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_run_leaves_whole_shards_and_the_next_writes_the_others() {
    let folder = Folder::new();
    for number in 0..3 {
        tar(&folder, &format!("data/{number}.tar"), number * 3, 3);
    }
    prompt(&folder, "whole", &[]).expect(1);
    fs::create_dir(folder.path("out")).unwrap();
    let args = ["prompt", "data/*.tar", "--shards", "out", "--batch-size", "1"];
    let child = folder.command(&args).spawn().unwrap();
    let start = Instant::now();
    while shards(&folder, "out").is_empty() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(2));
    }
    kill(child);
    let left = shards(&folder, "out");
    let whole = shards(&folder, "whole");
    assert!((1..3).contains(&left.len()), "{:?}", left.keys());
    assert!(left.iter().all(|(name, bytes)| whole[name] == *bytes), "a shard is not whole");
    assert!(success(&folder, "out").is_none());
    prompt(&folder, "out", &[]).expect(1);
    assert_eq!(shards(&folder, "out"), whole);
    assert_eq!(success(&folder, "out"), success(&folder, "whole"));
    let names = fs::read_dir(folder.path("out")).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let drafts: Vec<_> = names.filter(|name| name.ends_with(".part")).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
}

#[test]
fn processes_with_the_same_inputs_write_the_same_shards() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 4);
    tar(&folder, "data/1.tar", 4, 4);
    embed(&folder, "whole", &[]).expect(1);
    let args = embedding(&["data/*.tar", "--shards", "out"]);
    let children: Vec<_> = (0..3).map(|_| folder.command(&args).spawn().unwrap()).collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
    assert_eq!(shards(&folder, "out"), shards(&folder, "whole"));
    assert_eq!(success(&folder, "out"), success(&folder, "whole"));
}

#[test]
fn truncated_shard_is_written_again() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 2);
    embed(&folder, "out", &[]).expect(0);
    let (name, bytes) = shards(&folder, "out").pop_first().unwrap();
    folder.write(&format!("out/{name}"), &bytes[..bytes.len() / 2]);
    embed(&folder, "out", &[]).expect(0);
    assert_eq!(shards(&folder, "out")[&name], bytes);
}

#[test]
fn folders_and_lists_are_inputs_and_a_lost_input_fails_alone() {
    let folder = Folder::new();
    folder.write("list.txt", "photos/cat.jpg\nphotos/gone.jpg\n");
    let inputs = embedding(&["photos", "list.txt", "gone.tar", "--shards", "out"]);
    let output = folder.run(&inputs).expect(2);
    assert!(output.stderr().contains("error: 1 of 3 inputs failed"), "{}", output.stderr());
    assert!(success(&folder, "out").is_none());
    let found = rows(&folder, "out");
    let keys: Vec<_> = found.iter().map(|row| (&row["image"], &row["key"])).collect();
    let expected = [
        ("photos/cat.jpg", "cat"),
        ("photos/gone.jpg", "gone"),
        ("photos/cat.jpg", "cat"),
        ("photos/coffee.jpg", "coffee"),
        ("photos/rocket.jpg", "rocket"),
    ];
    assert_eq!(keys.len(), expected.len());
    assert!(keys.iter().zip(expected).all(|((a, b), (c, d))| *a == c && *b == d), "{keys:?}");
    // The content of a folder's files counts.
    folder.write("photos/rocket.jpg", "broken");
    folder.run(&embedding(&["photos", "--shards", "out"])).expect(1);
    assert_eq!(shards(&folder, "out").len(), 3);
}

/// Writes a Parquet file with the columns key, caption, jpg (the second is null), width and a
/// list.
fn parquet(folder: &Folder, name: &str, compression: Compression, image: &str) {
    let schema = format!(
        "message m {{ optional binary key (STRING); optional binary caption (STRING); \
         optional binary {image}; optional int32 width; \
         optional group tags (LIST) {{ repeated group list {{ optional int32 element; }} }} }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    folder.write(name, "");
    let file = File::create(folder.path(name)).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let photo = |name: &str| ByteArray::from(fs::read(folder.path(name)).unwrap());
    let groups = [["photos/cat.jpg"], ["photos/coffee.jpg"]];
    for (number, [name]) in groups.into_iter().enumerate() {
        let mut group = writer.next_row_group().unwrap();
        let text = |text: String| ByteArray::from(text.into_bytes());
        let keys = [text(format!("{number}a")), text(format!("{number}b"))];
        let columns: [(&[ByteArray], &[i16]); 3] =
            [(&keys, &[1, 1]), (&[text("theirs".into())], &[0, 1]), (&[photo(name)], &[1, 0])];
        for (values, defined) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(values, Some(defined), None).unwrap();
            column.close().unwrap();
        }
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[7, -8], Some(&[1, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0]), Some(&[0, 0])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn images_of_a_parquet_file_are_read_in_the_order_of_its_rows() {
    let folder = Folder::new();
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::default());
    let gzip = Compression::GZIP(parquet::basic::GzipLevel::default());
    for (name, compression, image) in [
        ("plain", Compression::UNCOMPRESSED, "jpg"),
        ("snappy", Compression::SNAPPY, "image"),
        ("zstd", zstd, "webp"),
        ("gzip", gzip, "jpg"),
    ] {
        let file = format!("data/{name}.parquet");
        parquet(&folder, &file, compression, image);
        let found = folder.run(&embedding(&[&file])).expect(1).rows();
        let images: Vec<_> = found.iter().map(|row| row["image"].as_str().unwrap()).collect();
        let expected = [0, 1, 2, 3].map(|row| format!("data/{name}.parquet/{row}"));
        assert_eq!(images, expected, "{name}");
        let photos = embedding(&["photos/cat.jpg", "photos/coffee.jpg"]);
        let photos = folder.run(&photos).expect(0).rows();
        for (row, photo) in [(0, &photos[0]), (2, &photos[1])] {
            assert_eq!(found[row]["features"], photo["features"], "{name}");
        }
        let error = "encoded image: expected at most 1073741824 bytes, found null";
        assert!(found[1]["error"].as_str().unwrap().ends_with(error), "{:?}", found[1]);
    }
}

#[test]
fn scalar_columns_of_a_parquet_file_pass_through() {
    let folder = Folder::new();
    parquet(&folder, "data/0.parquet", Compression::SNAPPY, "jpg");
    let args = ["prompt", "data/0.parquet", "--shards", "out", "--caption", "ours"];
    let output = folder.run(&args).expect(1);
    assert!(output.stderr().contains("data/0.parquet: columns left out: tags"));
    let found = rows(&folder, "out");
    let keys: Vec<_> = found.iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["0a", "0b", "1a", "1b"]);
    assert!(found[0]["caption"] == "ours" && !found[0].contains_key("input_caption"));
    assert!(found[1]["input_caption"] == "theirs" && found[1].contains_key("error"));
    assert_eq!([&found[2]["width"], &found[3]["width"]], [7, -8]);
}

#[test]
fn parquet_file_without_images_names_its_columns() {
    let folder = Folder::new();
    parquet(&folder, "data/0.parquet", Compression::SNAPPY, "pixels");
    let error = "error: data/0.parquet: column of images: expected bytes in one of image, jpg, \
                 jpeg, png, webp, img, image_bytes, bytes, found key, caption, pixels, width, tags";
    for args in [&["prompt", "data/0.parquet"][..], &["prompt", "data/0.parquet", "--shards", "o"]]
    {
        let output = folder.run(args).expect(2);
        assert!(output.stderr().contains(error), "{}", output.stderr());
    }
}

/// Each byte of a file's footer and of its pages is changed; nothing panics, and each run ends in
/// time.
#[test]
fn damaged_parquet_file_is_an_error() {
    let folder = Folder::new();
    parquet(&folder, "whole.parquet", Compression::SNAPPY, "jpg");
    let whole = fs::read(folder.path("whole.parquet")).unwrap();
    let offsets = (4..whole.len()).rev().step_by(whole.len() / 24).chain([whole.len() - 5]);
    for (number, offset) in offsets.enumerate() {
        let mut bytes = whole.clone();
        if number % 3 == 0 {
            bytes.truncate(offset);
        } else {
            bytes[offset - 4..offset].fill([0xff, 0x7f][number % 2]);
        }
        folder.write("damaged.parquet", bytes);
        let output = folder.run(&embedding(&["damaged.parquet"]));
        assert!(!output.stderr().contains("panicked"), "{offset}: {}", output.stderr());
        assert!(output.rows().iter().any(|row| !row["error"].is_null()), "{offset}");
    }
}

#[test]
fn embeddings_and_captions_are_written_in_shards() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 3);
    let captioner = repository().join("tests/fixtures/caption/blip");
    let embed = embedding(&["data/0.tar"]);
    let caption = ["caption", "data/0.tar", "--caption-model", captioner.to_str().unwrap()];
    for (out, column, args) in [("e", "features", &embed[..]), ("c", "caption", &caption[..])] {
        let shard = [args, &["--shards", out]].concat();
        folder.run(&shard).expect(0);
        let expected = folder.run(&[args, &["--format", "jsonl"]].concat()).expect(0).rows();
        let found = rows(&folder, out);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found["image"] == expected["image"] && found.contains_key("key"), "{found:?}");
            assert!(found.contains_key(column), "{found:?}");
        }
        let again = folder.run(&shard).expect(0);
        assert!(again.stderr().contains("0 shards written, 1 finished before"));
    }
}

#[test]
fn arguments_that_shards_do_not_support_are_refused() {
    let folder = Folder::new();
    tar(&folder, "data/0.tar", 0, 1);
    let refused = |args: &[&str], error: &str| {
        let output = folder.run(&[&["prompt"], args].concat()).expect(2);
        assert!(output.stderr().contains(error), "{args:?}: {}", output.stderr());
    };
    refused(&["data/0.tar", "--shards", "out", "-o", "x.jsonl"], "cannot be used with");
    refused(&["data/0.tar", "--shards", "out", "--average"], "cannot be used with");
    refused(&["data/0.tar", "--shards", "out", "--sidecar"], "cannot be used with");
    refused(&["data/0.tar", "--part", "1/2"], "--shards <DIR>");
    refused(&["data/0.tar", "--shards", "out", "--part", "3/2"], "expected K/N");
    let expected = "photos/cat.jpg: --shards expects an archive, a Parquet file, a folder or a";
    refused(&["photos/cat.jpg", "--shards", "out"], expected);
    refused(&["tar:-", "--shards", "out"], "tar:-: --shards expects");
    refused(&["data/0.tar", "--shards", "data"], "an input in the folder of the shards");
    assert!(!folder.path("out").exists(), "nothing is written");
}

#[cfg(unix)]
mod cluster {
    use std::process::Command;

    use super::*;
    use crate::user_folders::isolate;

    /// Task `task` of two of the script for Slurm.
    fn task(folder: &Folder, task: usize) -> Command {
        let script = repository().join("examples/cluster/prompt.sbatch");
        let mut command = Command::new("bash");
        command.arg(script).args(["data/*.tar", "out", "--batch-size", "1"]);
        command.current_dir(folder.path(".")).env("INTERROGATE", env!("CARGO_BIN_EXE_interrogate"));
        command.env("SLURM_ARRAY_TASK_ID", task.to_string()).env("SLURM_ARRAY_TASK_COUNT", "2");
        isolate(&mut command, &folder.path("."));
        command
    }

    /// Kills the program that `script` runs, and the script, at once.
    fn kill_group(script: Child) {
        let group = format!("-{}", script.id());
        assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
        kill(script);
    }

    #[test]
    fn slurm_tasks_of_which_one_is_killed_give_the_rows_of_a_plain_run() {
        use std::os::unix::process::CommandExt;
        let folder = Folder::new();
        for number in 0..6 {
            tar(&folder, &format!("data/{number}.tar"), number * 3, 3);
        }
        let plain = plain(&folder);
        let mut second = task(&folder, 2).spawn().unwrap();
        let first = task(&folder, 1).process_group(0).spawn().unwrap();
        let start = Instant::now();
        let is_first = |name: &String| ["0-", "2-", "4-"].iter().any(|stem| name.starts_with(stem));
        let begun = || folder.path("out").exists() && shards(&folder, "out").keys().any(is_first);
        while !begun() && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(2));
        }
        kill_group(first);
        assert_eq!(second.wait().unwrap().code(), Some(0), "failed images do not fail a task");
        assert!(success(&folder, "out").is_none() && shards(&folder, "out").len() < 6);
        assert_eq!(task(&folder, 1).status().unwrap().code(), Some(0));
        assert_eq!(as_plain(&rows(&folder, "out")), plain);
        assert_eq!(success(&folder, "out").unwrap()["shards"].as_array().unwrap().len(), 6);
        let output = RunOutput::of(task(&folder, 3)).expect(2);
        assert!(output.stderr().contains("expected K/N"), "{}", output.stderr());
    }
}
