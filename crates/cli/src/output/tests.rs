//! Runs that open a target, write records and resume.

use std::fs;
use std::path::Path;

use interrogate::Error;
use serde::Serialize;

use super::error::Result;
use super::*;
use crate::args::{Form, Output};
use crate::image_name::Name;
use crate::logger::Logger;

#[derive(Serialize)]
struct Caption<'a> {
    image: &'a str,
    caption: &'a str,
}

impl Record for Caption<'_> {
    const COLUMNS: &'static [Column] =
        &[Column { name: "caption", kind: Kind::Text, at: "caption" }];
    const KEYS: &'static [&'static str] = &["caption"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, _alone: bool) -> String {
        self.caption.to_owned()
    }

    fn sidecar(&self) -> String {
        self.caption.to_owned()
    }
}

fn options(path: Option<&Path>) -> Output {
    Output {
        output: path.map(Path::to_owned),
        format: None,
        resume: false,
        retry_failed: false,
        overwrite: false,
    }
}

fn open_target(options: &Output) -> Result<(Target, ExistingRows)> {
    Target::open::<Caption<'_>>(options, Form::Text)
}

/// Writes a caption, or a failure where it is `None`, for each image that the file does not have.
fn run(options: &Output, images: &[(&str, Option<&str>)]) {
    let (mut target, existing) = open_target(options).unwrap();
    let mut renderer = Renderer::new::<Caption<'_>>(target.form, false, false);
    let writer = target.start(&existing, Sidecars::default(), &Logger::new(true)).unwrap();
    for (image, caption) in images.iter().filter(|(image, _)| !existing.contains(image)) {
        let name = Name::new((*image).to_owned(), None);
        match caption {
            Some(caption) => renderer.push(&name, &Caption { image, caption }).unwrap(),
            None => renderer.push_error(&name, &Error::mismatch(image, "a", "b", "c")).unwrap(),
        }
    }
    assert!(writer.write(renderer.take()));
    writer.finish(true).unwrap();
}

fn error(options: &Output) -> OutputError {
    open_target(options).unwrap_err()
}

#[test]
fn format_is_the_option_or_the_extension_or_the_default() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format, expected) in [
        ("a.jsonl", None, Form::Jsonl),
        ("a.NDJSON", None, Form::Jsonl),
        ("a.csv", None, Form::Csv),
        ("a.parquet", None, Form::Parquet),
        ("a.txt", None, Form::Text),
        ("a", None, Form::Text),
        ("a.csv", Some(Form::Jsonl), Form::Jsonl),
    ] {
        let options = Output { format, ..options(Some(&folder.path().join(name))) };
        assert_eq!(open_target(&options).unwrap().0.form, expected, "{name}");
    }
}

#[test]
fn existing_file_needs_overwrite_or_resume() {
    let folder = tempfile::tempdir().unwrap();
    for (name, can_resume) in [("a.jsonl", true), ("a.csv", true), ("a.parquet", false)] {
        let path = folder.path().join(name);
        fs::write(&path, "precious").unwrap();
        let error = error(&options(Some(&path)));
        assert!(matches!(error, OutputError::Exists { resumable, .. } if resumable == can_resume));
        let overwrite = Output { overwrite: true, ..options(Some(&path)) };
        open_target(&overwrite).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"precious", "nothing is written yet");
    }
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "").unwrap();
    open_target(&options(Some(&empty))).unwrap();
}

#[test]
fn parquet_and_text_cannot_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.parquet", "a.txt"] {
        let options = Output { resume: true, ..options(Some(&folder.path().join(name))) };
        assert!(matches!(error(&options), OutputError::NotResumable { .. }));
    }
}

#[test]
fn folder_and_parquet_on_stdout_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(error(&options(Some(folder.path()))), OutputError::Folder { .. }));
    let parquet = Output { format: Some(Form::Parquet), ..options(None) };
    assert!(matches!(error(&parquet), OutputError::BinaryOnStdout { .. }));
}

#[test]
fn resumed_file_equals_one_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let images = [("a.jpg", Some("x, \"y\"")), ("b.jpg", None), ("c.jpg", Some("two\nlines"))];
    for name in ["a.jsonl", "a.csv"] {
        let (path, whole) = (folder.path().join(name), folder.path().join(format!("whole-{name}")));
        run(&options(Some(&whole)), &images);
        let bytes = fs::read(&whole).unwrap();
        for end in 0..=bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            run(&Output { resume: true, ..options(Some(&path)) }, &images);
            assert_eq!(fs::read(&path).unwrap(), bytes, "{name} cut at {end}");
        }
    }
}

#[test]
fn retry_failed_replaces_the_rows_of_errors() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.csv"] {
        let path = folder.path().join(name);
        run(&options(Some(&path)), &[("a.jpg", None), ("b.jpg", Some("b"))]);
        let resume = Output { resume: true, ..options(Some(&path)) };
        let retried = [("a.jpg", Some("a")), ("b.jpg", Some("other"))];
        let before = fs::read_to_string(&path).unwrap();
        run(&resume, &retried);
        assert_eq!(fs::read_to_string(&path).unwrap(), before, "errors count as done");
        run(&Output { retry_failed: true, ..resume }, &retried);
        let expected = match name {
            "a.csv" => "image,caption,error\r\nb.jpg,b,\r\na.jpg,a,\r\n",
            _ => {
                "{\"image\":\"b.jpg\",\"caption\":\"b\"}\n{\"image\":\"a.jpg\",\"caption\":\"a\"}\n"
            }
        };
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}

#[test]
fn file_of_other_records_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, row) in [("a.jsonl", "{\"image\":\"a\",\"prompt\":\"\"}\n"), ("a.csv", "a,b\r\n")] {
        let path = folder.path().join(name);
        fs::write(&path, row).unwrap();
        let error = error(&Output { resume: true, ..options(Some(&path)) });
        assert!(matches!(error, OutputError::UnexpectedRow { line: 1, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), row);
    }
}
