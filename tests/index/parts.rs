//! Builds in parts, and their merge.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{Builder, Dictionary, Error, PartError, PartNumber, Progress, Report};
use build_index::{Result, merge, open_parts};
use interrogate::Precision;
use interrogate::index::{Digest, Index};

use crate::fake::Fake;
use crate::{build, builder, dictionary, files, labels};

/// An encoder whose rows depend on their block: only equal blocks give equal bytes.
fn fake() -> Fake {
    Fake { batch_dependent: true, ..Fake::new(4) }
}

/// Two tables with a label in common.
fn dictionaries() -> [Dictionary; 2] {
    let some = ["label 0", "a cat", "a dog"];
    [dictionary("a.txt", &labels(150)), dictionary("b.top3.txt", &some)]
}

fn go(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Encodes part `number` of `of`; returns its folder.
fn part(builder: &Builder<'_>, number: usize, of: usize, parts: &Path) -> PathBuf {
    let number = PartNumber::new(number, of).unwrap();
    builder.build_part(&dictionaries(), number, "m", parts, go).unwrap().folder
}

/// Encodes all `of` parts with an encoder each, as machines do.
fn all_parts(of: usize, parts: &Path) -> Vec<PathBuf> {
    (1..=of).map(|number| part(&builder(&fake()), number, of, parts)).collect()
}

fn merge_all(parts: &[PathBuf], dictionaries: &[Dictionary], folder: &Path) -> Result<Report> {
    merge(&open_parts(parts)?, dictionaries, folder, go)
}

/// Returns the message of the error.
fn refusal(parts: &[PathBuf]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = merge_all(parts, &dictionaries(), folder.path()).unwrap_err();
    assert!(Index::open(folder.path()).is_err());
    assert!(matches!(error, Error::Part(_)), "{error}");
    assert!(error.hint().is_some());
    error.to_string()
}

/// Changes the JSON of a manifest, and seals it again.
fn forge(folder: &Path, from: &str, to: &str) {
    let path = folder.join("part.json");
    let json = fs::read_to_string(&path).unwrap();
    let (body, _) = json.rsplit_once(",\n  \"sha256\"").unwrap();
    assert!(body.contains(from), "{body}");
    let body = body.replacen(from, to, 1);
    let sha256 = Digest::of(format!("{body}\n}}\n").as_bytes());
    fs::write(path, format!("{body},\n  \"sha256\": \"{sha256}\"\n}}\n")).unwrap();
}

#[test]
fn merged_parts_have_the_bytes_of_one_build() {
    let whole = tempfile::tempdir().unwrap();
    let report = build(&builder(&fake()), &dictionaries(), whole.path()).unwrap();
    for of in [1, 2, 3, 9, 40] {
        let folder = tempfile::tempdir().unwrap();
        let (parts, index) = (folder.path().join("parts"), folder.path().join("index"));
        let fake = fake();
        // In another order, and with the dictionaries in another order.
        for number in (1..=of).rev() {
            let number = PartNumber::new(number, of).unwrap();
            let mut dictionaries = dictionaries();
            dictionaries.reverse();
            builder(&fake).build_part(&dictionaries, number, "m", &parts, go).unwrap();
        }
        assert_eq!(fake.count(), report.encoded, "each label is encoded once");
        let merged = merge_all(&[parts], &dictionaries(), &index).unwrap();
        assert_eq!((merged.merged, merged.labels), (report.encoded, report.labels));
        assert_eq!(merged.bytes, report.bytes);
        assert_eq!(files(&index), files(whole.path()), "{of} parts");
    }
}

#[test]
fn stopped_part_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (number, parts) = (PartNumber::new(2, 2).unwrap(), folder.path());
    all_parts(2, &parts.join("whole"));
    let fake = fake();
    let stop = |progress| match progress {
        Progress::Encoding { labels, .. } if labels >= 30 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let build = |progress: fn(Progress) -> ControlFlow<()>| {
        builder(&fake).build_part(&dictionaries(), number, "m", parts, progress)
    };
    let error = builder(&fake).build_part(&dictionaries(), number, "m", parts, stop).unwrap_err();
    assert!(matches!(error, Error::Stopped { done: 32, .. }), "{error}");
    let stopped = parts.join("m.part-2-of-2");
    let error = refusal(std::slice::from_ref(&stopped));
    assert_eq!(error, format!("{}: part 2/2 is unfinished", stopped.display()));

    let report = build(go).unwrap();
    assert_eq!((report.resumed, report.part, report.folder), (32, number, stopped.clone()));
    let expected = files(&parts.join("whole/m.part-2-of-2"));
    assert_eq!(files(&stopped), expected);
    fake.count();
    let again = build(go).unwrap();
    assert_eq!((again.encoded, fake.count()), (0, 8), "a finished part is checked only");
    assert_eq!(files(&stopped), expected);
}

#[test]
fn missing_and_double_parts_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let parts = all_parts(4, folder.path());
    assert_eq!(refusal(&parts[..3]), "missing part 4 of 4");
    assert_eq!(refusal(&[parts[2].clone()]), "missing parts 1, 2, 4 of 4");
    let (twice, copy) = (parts[1].display(), folder.path().join("copy"));
    let error = refusal(&[folder.path().to_owned(), parts[1].clone()]);
    assert_eq!(error, format!("part 2/4 is given twice: {twice} and {twice}"));
    fs::create_dir(&copy).unwrap();
    for name in ["part.json", "build.journal"] {
        fs::copy(parts[1].join(name), copy.join(name)).unwrap();
    }
    assert!(refusal(&[folder.path().to_owned()]).starts_with("part 2/4 is given twice: "));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(
        refusal(std::slice::from_ref(&empty)),
        format!("no part (part.json) in {}", empty.display())
    );
}

#[test]
fn parts_of_two_builds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = part(&builder(&fake()), 1, 2, folder.path());
    let (encoder, wide) = (fake(), Fake::new(6));
    let other_model = Builder::new(&encoder, "other", "f2").block(16).shard_rows(40);
    let others = [
        (part(&builder(&encoder), 3, 3, folder.path()), "parts: expected 2, ", "found 3"),
        (
            part(&other_model, 2, 2, &folder.path().join("a")),
            "model: expected fake (f1), ",
            "found other (f2)",
        ),
        (
            part(&builder(&encoder).precision(Precision::Bf16), 2, 2, &folder.path().join("b")),
            "precision: expected f32, ",
            "found bf16",
        ),
        (
            part(&builder(&encoder).shard_rows(41), 2, 2, &folder.path().join("c")),
            "rows of a shard: expected 40, ",
            "found 41",
        ),
        (
            part(&builder(&encoder).block(17), 2, 2, &folder.path().join("d")),
            "labels of a block: expected 16, ",
            "found 17",
        ),
        (
            part(&builder(&wide), 2, 2, &folder.path().join("e")),
            "values of a row: expected 4, ",
            "found 6",
        ),
    ];
    for (other, expected, found) in others {
        let error = refusal(&[first.clone(), other.clone()]);
        let as_in = format!("as in {}, ", first.display());
        assert_eq!(error, format!("{}: {expected}{as_in}{found}", other.display()));
    }
    let number = PartNumber::new(2, 2).unwrap();
    let labels = [dictionary("a.txt", &labels(149)), dictionaries()[1].clone()];
    let parts = folder.path().join("f");
    let other = builder(&encoder).build_part(&labels, number, "m", &parts, go).unwrap().folder;
    let error = refusal(&[first.clone(), other]);
    assert!(error.contains("dictionary a: expected 150 labels ("), "{error}");
    assert!(error.contains("found 149 labels ("), "{error}");
}

#[test]
fn other_dictionaries_are_refused_at_a_merge_and_in_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let parts = all_parts(2, folder.path());
    let [a, b] = dictionaries();
    let more = dictionary("b.top4.txt", &["label 0", "a cat", "a dog"]);
    for (dictionaries, expected) in [
        (vec![a.clone()], "dictionary b: expected 3 labels ("),
        (vec![a.clone(), b.clone(), dictionary("c.txt", &["x"])], "dictionary c: expected none, "),
        (vec![a, more], "), top 4"),
    ] {
        let index = folder.path().join("index");
        let error = merge_all(&parts, &dictionaries, &index).unwrap_err();
        assert!(matches!(error, Error::Part(PartError::Dictionaries { .. })), "{error}");
        assert!(error.to_string().contains(expected), "{error}");

        let before = files(&parts[0]);
        let number = PartNumber::new(1, 2).unwrap();
        let error =
            builder(&fake()).build_part(&dictionaries, number, "m", folder.path(), go).unwrap_err();
        assert!(matches!(error, Error::Part(PartError::Exists { .. })), "{error}");
        assert_eq!(files(&parts[0]), before, "no row is lost");
    }
}

#[test]
fn cut_and_changed_journals_are_refused_and_repaired_by_their_build() {
    let folder = tempfile::tempdir().unwrap();
    let parts = all_parts(2, folder.path());
    let expected = files(&parts[1]);
    let journal = parts[1].join("build.journal");
    let whole = fs::read(&journal).unwrap();
    let start = format!("damaged part: {}: ", journal.display());
    for cut in [0, 1, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&journal, &whole[..cut]).unwrap();
        let error = refusal(&parts);
        assert_eq!(error, format!("{start}bytes: expected {}, found {cut}", whole.len()));
    }
    for at in [0, 9, 45, 100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&journal, &bytes).unwrap();
        assert!(refusal(&parts).starts_with(&start), "byte {at}");
    }
    // The last change: the last block is encoded again.
    assert_ne!(files(&parts[1]), expected);
    part(&builder(&fake()), 2, 2, folder.path());
    assert_eq!(files(&parts[1]), expected);
    fs::remove_file(&journal).unwrap();
    let index = folder.path().join("index");
    let error = merge_all(&parts, &dictionaries(), &index).unwrap_err();
    assert!(matches!(error, Error::Library(interrogate::Error::Io { .. })), "{error}");
}

/// Each byte of part.json is covered by its checksum.
#[test]
fn changed_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let parts = all_parts(1, folder.path());
    let path = parts[0].join("part.json");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(open_parts(&parts).is_err(), "byte {at}: {}", String::from_utf8_lossy(&bytes));
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(open_parts(&parts).is_err());
}

#[test]
fn forged_manifest_is_refused() {
    for (from, to, expected) in [
        ("\"name\": \"m\"", "\"name\": \"../m\"", "part.json: name: expected a plain name"),
        ("\"name\": \"m\"", "\"name\": \".m\"", "part.json: name: expected a plain name"),
        ("\"dim\": 4", "\"dim\": 99999999", "part.json: dim: expected 1 to 65536"),
        ("\"dim\": 4", "\"dim\": 5", "build.journal: first record: "),
        ("\"block\": 16", "\"block\": 0", "part.json: shard_rows and block: "),
        ("\"first\": 0", "\"first\": 18446744073709551615", "part.json: labels: "),
        ("\"first\": 0", "\"first\": 1", "part.json: labels: "),
        ("\"distinct\": 152", "\"distinct\": 153", "part.json: last label: expected 153"),
        ("\"labels\": 152", "\"labels\": 151", "part.json: last label: expected 152, found 151"),
        ("\"format\": 1", "\"format\": 2", "part.json: format: expected 1, found 2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let parts = all_parts(1, folder.path());
        forge(&parts[0], from, to);
        let error = refusal(&parts);
        assert!(error.starts_with("damaged part: ") && error.contains(expected), "{to}: {error}");
    }
}

/// Journals exchanged between two parts: each is valid, and holds labels of the other.
#[test]
fn journal_with_other_labels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let parts = all_parts(3, folder.path());
    let (a, b) = (parts[0].join("build.journal"), parts[1].join("build.journal"));
    fs::copy(&a, &b).unwrap();
    let size = fs::metadata(&a).unwrap().len();
    let manifest = fs::read_to_string(parts[1].join("part.json")).unwrap();
    let (_, rest) = manifest.split_once("\"journal\": ").unwrap();
    let (bytes, _) = rest.split_once(',').unwrap();
    forge(&parts[1], &format!("\"journal\": {bytes}"), &format!("\"journal\": {size}"));
    let error = refusal(&parts);
    let expected = "labels: expected each label of the dictionaries once, found \"";
    assert!(error.contains(expected) && error.contains("a label of another block"), "{error}");
}

#[test]
fn merge_replaces_an_index_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (parts, index) = (folder.path().join("parts"), folder.path().join("index"));
    build(&builder(&fake()), &[dictionary("old.txt", &["x", "y"])], &index).unwrap();
    let before = files(&index);
    let parts = open_parts(&[all_parts(2, &parts)[0].parent().unwrap().to_owned()]).unwrap();
    let stop = |progress| match progress {
        Progress::Checking { rows, .. } if rows > 20 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let error = merge(&parts, &dictionaries(), &index, stop).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    assert_eq!(files(&index), before);
    merge(&parts, &dictionaries(), &index, go).unwrap();
    let whole = folder.path().join("whole");
    build(&builder(&fake()), &dictionaries(), &whole).unwrap();
    assert_eq!(files(&index), files(&whole));
}
