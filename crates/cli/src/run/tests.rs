use std::path::{Path, PathBuf};

use serde::Serialize;

use super::*;
use crate::output::{Column, Kind};
use crate::stream::ImageResult;
use crate::stream::tests::bmp;
use interrogate::error::RowsError;

/// The gray of an image of one pixel.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    gray: u8,
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[Column { name: "gray", kind: Kind::Number, at: "gray" }];
    const KEYS: &'static [&'static str] = &["gray"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, _alone: bool) -> String {
        self.gray.to_string()
    }

    fn sidecar(&self) -> String {
        self.text(true)
    }
}

/// Images `0.bmp` to `6.bmp`, each of its number as gray; `3.bmp` is damaged.
fn images() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for gray in 0..7 {
        let bytes = if gray == 3 { b"damaged".to_vec() } else { bmp(gray) };
        std::fs::write(folder.path().join(format!("{gray}.bmp")), bytes).unwrap();
    }
    folder
}

fn run_into(folder: &Path, output: &str, resume: bool) -> Run {
    let images = args::Images { batch_size: 2, ..args::Images::at(vec![folder.to_owned()]) };
    let output = args::Output {
        output: Some(folder.join(output)),
        format: None,
        resume,
        retry_failed: false,
        overwrite: false,
    };
    Run::open::<Row<'_>>(&images, &output, None, Form::Jsonl, Files::default()).unwrap()
}

fn gray(picture: &Picture) -> interrogate::Result<u8> {
    Ok(picture.rgb()[0])
}

/// Writes all results; `check` is called for each row before it is written.
fn write(run: Run, check: impl Fn(u8) -> Result<(), CliError>) -> Result<Outcome, CliError> {
    run.write::<Row<'_>, _>(&Logger::new(true), &gray, |batches, results| {
        for batch in batches {
            for ImageResult { name, result, .. } in batch {
                match result {
                    Ok(gray) => {
                        check(gray)?;
                        results.write(&name, &Row { image: &name.text, gray })?;
                    }
                    Err(error) => results.failed(&name, &error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}

/// The names and grays of the output, in order; `None` for a failed image.
fn rows(path: PathBuf) -> Vec<(String, Option<u64>)> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let name = |row: &serde_json::Value| {
        let image = Path::new(row["image"].as_str().unwrap());
        image.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    rows.map(|row| (name(&row), row["gray"].as_u64())).collect()
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<(String, Option<u64>)> {
    numbers.map(|n| (n.to_string(), (n != 3).then_some(n))).collect()
}

#[test]
fn results_and_failures_are_written_in_order_and_counted() {
    let folder = images();
    let outcome = write(run_into(folder.path(), "out.jsonl", false), |_| Ok(())).unwrap();
    assert_eq!(outcome, Outcome { done: 6, failed: 1, interrupted: false });
    assert_eq!(rows(folder.path().join("out.jsonl")), expected(0..7));
}

#[test]
fn interrupt_keeps_committed_batches_and_resume_writes_the_rest() {
    let folder = images();
    let outcome = write(run_into(folder.path(), "out.jsonl", false), |gray| match gray {
        5 => Err(Error::Interrupted.into()),
        _ => Ok(()),
    });
    // 5 is in the batch of 4, which is dropped.
    assert_eq!(outcome.unwrap(), Outcome { done: 3, failed: 1, interrupted: true });
    assert_eq!(rows(folder.path().join("out.jsonl")), expected(0..4));
    let outcome = write(run_into(folder.path(), "out.jsonl", true), |gray| {
        assert!(gray >= 4, "{gray} has a result already");
        Ok(())
    });
    assert_eq!(outcome.unwrap(), Outcome { done: 6, failed: 1, interrupted: false });
    assert_eq!(rows(folder.path().join("out.jsonl")), expected(0..7));
}

#[test]
fn error_of_the_command_ends_the_run_and_keeps_committed_batches() {
    let folder = images();
    let outcome = write(run_into(folder.path(), "out.jsonl", false), |gray| match gray {
        2 => Err(Error::Rows(RowsError::Direction { what: "features", row: 0 }).into()),
        _ => Ok(()),
    });
    assert!(matches!(outcome, Err(CliError::Library(Error::Rows(RowsError::Direction { .. })))));
    assert_eq!(rows(folder.path().join("out.jsonl")), expected(0..2));
}

#[test]
fn decode_reports_an_interrupt_as_incomplete() {
    let folder = images();
    let run = run_into(folder.path(), "out.jsonl", false);
    let mut sizes = Vec::new();
    let complete = run.decode(&gray, |batches| {
        sizes.extend(batches.map(|batch| batch.len()));
        Ok(())
    });
    assert!(complete.unwrap());
    assert_eq!(sizes, [2, 2, 2, 1]);
    let complete = run.decode(&gray, |_| Err(Error::Interrupted.into()));
    assert!(!complete.unwrap());
    let failed = run.decode(&gray, |_| {
        Err(Error::Rows(RowsError::Direction { what: "features", row: 0 }).into())
    });
    assert!(failed.is_err());
}

#[test]
fn batch_limit_only_lowers_the_batch_size() {
    let folder = images();
    let sizes = |limit| {
        let run = run_into(folder.path(), "out.jsonl", false).with_batch_limit(limit);
        let mut sizes = Vec::new();
        run.decode(&gray, |batches| {
            sizes.extend(batches.map(|batch| batch.len()));
            Ok(())
        })
        .unwrap();
        sizes
    };
    assert_eq!(sizes(1), [1; 7]);
    assert_eq!(sizes(5), [2, 2, 2, 1]);
}

#[test]
fn interrupted_message_depends_on_the_output() {
    let folder = images();
    let message = |output| run_into(folder.path(), output, false).interrupted();
    assert!(message("out.jsonl").starts_with("interrupted: continue with\n  "));
    assert!(message("out.csv").ends_with(" --resume"));
    assert!(message("out.parquet").ends_with("a run into .jsonl or .csv can be resumed"));
    assert!(message("out.txt").ends_with("a run with -o answers.jsonl can be resumed"));
}
