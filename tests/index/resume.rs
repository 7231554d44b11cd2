//! Interrupted builds, and their resumption.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use build_index::terminal::Summary;
use build_index::{Builder, Dictionary, Error, Progress};
use interrogate::error::IndexError;
use interrogate::index::{Digest, Index};

use crate::fake::Fake;
use crate::{build, builder, dictionary, files, labels};

/// An encoder whose rows depend on their block: only equal blocks give equal bytes.
fn batch_dependent() -> Fake {
    Fake { batch_dependent: true, ..Fake::new(4) }
}

fn uninterrupted(dictionaries: &[Dictionary]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    build(&builder(&batch_dependent()), dictionaries, folder.path()).unwrap();
    files(folder.path())
}

/// Builds until `stop` returns true; returns the error.
fn build_until(
    builder: &Builder<'_>,
    dictionaries: &[Dictionary],
    folder: &Path,
    stop: impl Fn(Progress) -> bool,
) -> Error {
    let go =
        |progress| if stop(progress) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    builder.build(dictionaries, folder, go).unwrap_err()
}

fn encoded(at_least: usize) -> impl Fn(Progress) -> bool {
    move |progress| matches!(progress, Progress::Encoding { labels, .. } if labels >= at_least)
}

#[test]
fn build_stopped_at_any_block_resumes_to_the_same_bytes() {
    let dictionaries = [dictionary("a.txt", &labels(100))];
    let expected = uninterrupted(&dictionaries);
    for stop in [1, 16, 17, 60, 96, 100] {
        let folder = tempfile::tempdir().unwrap();
        let fake = batch_dependent();
        let error = build_until(&builder(&fake), &dictionaries, folder.path(), encoded(stop));
        let done = stop.next_multiple_of(16).min(100);
        assert_eq!(error.to_string(), format!("stopped after {done} of 100 labels"));
        assert!(matches!(
            Index::open(folder.path()),
            Err(interrogate::Error::Index(IndexError::Unfinished { .. }))
        ));
        assert_eq!(fake.count(), done);

        let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
        // The remaining labels, and the eight rows of the journal that are checked.
        let made = 100 - done + 8;
        assert_eq!((fake.count(), report.encoded, report.resumed), (made, 100 - done, done));
        assert_eq!(files(folder.path()), expected, "stopped at {stop}");
    }
}

#[test]
fn build_stopped_repeatedly_completes() {
    let dictionaries = [dictionary("a.txt", &labels(100))];
    let folder = tempfile::tempdir().unwrap();
    let fake = batch_dependent();
    let made = || fake.rows.load(Ordering::Relaxed);
    let mut builds = 0;
    loop {
        builds += 1;
        let before = made();
        let done = builder(&fake).build(&dictionaries, folder.path(), |_| match made() {
            more if more > before + 8 => ControlFlow::Break(()), // eight are checked
            _ => ControlFlow::Continue(()),
        });
        match done {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Stopped { .. }), "{error}"),
        }
    }
    assert_eq!(builds, 8, "one build per block, and one that writes");
    assert_eq!(fake.count(), 100 + 7 * 8, "every build but the first checks eight");
    assert_eq!(files(folder.path()), uninterrupted(&dictionaries));
}

#[test]
fn build_stopped_while_writing_keeps_the_old_index() {
    let folder = tempfile::tempdir().unwrap();
    let fake = batch_dependent();
    build(&builder(&fake), &[dictionary("a.txt", &labels(100))], folder.path()).unwrap();
    let newer = [dictionary("a.txt", &labels(130))];
    let writing = |progress| matches!(progress, Progress::Writing { rows, .. } if rows > 40);
    build_until(&builder(&fake), &newer, folder.path(), writing);
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.table("a").unwrap().len(), 100);
    index.verify(|_| ()).unwrap();

    fake.count();
    let report = build(&builder(&fake), &newer, folder.path()).unwrap();
    assert_eq!((fake.count(), report.reused, report.resumed), (8 + 8, 100, 30));
    Index::open(folder.path()).unwrap().verify(|_| ()).unwrap();
    let names: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(names.len(), 4 + 1 + 2, "{names:?}");
}

#[test]
fn torn_journal_loses_only_the_torn_block() {
    let dictionaries = [dictionary("a.txt", &labels(100))];
    let expected = uninterrupted(&dictionaries);
    let folder = tempfile::tempdir().unwrap();
    let fake = batch_dependent();
    build_until(&builder(&fake), &dictionaries, folder.path(), encoded(48));
    let journal = folder.path().join("build.journal");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 5]).unwrap();
    fake.count();
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!((fake.count(), report.resumed), (68 + 8, 32));
    assert_eq!(files(folder.path()), expected);
}

#[test]
fn journal_rows_serve_other_dictionaries_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let fake = batch_dependent();
    let all = labels(100);
    build_until(&builder(&fake), &[dictionary("a.txt", &all)], folder.path(), encoded(64));
    fake.count();
    let fewer = [dictionary("b.txt", &all[..80])];
    let report = build(&builder(&fake), &fewer, folder.path()).unwrap();
    assert_eq!(report.resumed + report.encoded, 80);
    assert!(report.resumed >= 44, "64 of the 100 were in the journal: {}", report.resumed);
}

/// Changes the payload of a record of the journal, counted from 0, and updates its
/// checksum.
fn forge(folder: &Path, record: usize, change: impl FnOnce(&mut [u8])) {
    let path = folder.join("build.journal");
    let mut journal = fs::read(&path).unwrap();
    let length = |at: usize| u64::from_le_bytes(journal[at..at + 8].try_into().unwrap()) as usize;
    let at = (0..record).fold(0, |at, _| at + 8 + length(at) + 32);
    let (payload, sum) = (at + 8..at + 8 + length(at), at + 8 + length(at));
    change(&mut journal[payload.clone()]);
    let digest = Digest::of(&journal[payload]);
    journal[sum..sum + 32].copy_from_slice(digest.as_bytes());
    fs::write(path, journal).unwrap();
}

#[test]
fn journal_block_with_an_invalid_row_is_encoded_again() {
    let dictionaries = [dictionary("a.txt", &labels(100))];
    for bad in [0x7e00u16, 0x7c00, 0x4400] {
        let folder = tempfile::tempdir().unwrap();
        let fake = batch_dependent();
        build_until(&builder(&fake), &dictionaries, folder.path(), encoded(48));
        // The last value of the second block of three.
        forge(folder.path(), 2, |payload| {
            let at = payload.len() - 2;
            payload[at..].copy_from_slice(&bad.to_le_bytes());
        });
        let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
        assert_eq!((report.encoded, report.resumed), (100 - 32, 32));
        let reason = report.refused[0].to_string();
        let tail = "build.journal: rows: expected unit length, found others in 1 of its blocks";
        assert!(reason.ends_with(tail), "{reason}");
        assert!(
            Summary(&report)
                .to_string()
                .contains("some rows of the build before could not be used: ")
        );
        assert_eq!(files(folder.path()), uninterrupted(&dictionaries));
    }
}

#[test]
fn journal_with_swapped_labels_is_discarded() {
    let dictionaries = [dictionary("a.txt", &labels(100))];
    let folder = tempfile::tempdir().unwrap();
    let fake = batch_dependent();
    build_until(&builder(&fake), &dictionaries, folder.path(), encoded(48));
    // All rows have unit length, but each is its neighbor's.
    forge(folder.path(), 1, |payload| {
        let rows = payload.len() - 16 * 4 * 2;
        payload[rows..].rotate_left(4 * 2);
    });
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!((report.encoded, report.resumed), (100, 0));
    let reason = report.refused[0].to_string();
    assert!(
        reason.contains("build.journal: rows: expected those of the model, found others"),
        "{reason}"
    );
    assert_eq!(files(folder.path()), uninterrupted(&dictionaries));
}

#[test]
fn journal_of_another_model_is_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let dictionaries = [dictionary("a.txt", &labels(40))];
    build_until(&builder(&batch_dependent()), &dictionaries, folder.path(), encoded(32));
    let fake = Fake::new(4);
    let other = Builder::new(&fake, "fake", "f2");
    let report = build(&other, &dictionaries, folder.path()).unwrap();
    assert_eq!((fake.count(), report.resumed), (40, 0));
}

#[test]
fn encoder_returning_too_few_rows_is_an_error() {
    use interrogate::encoder::{Embeddings, TextEncoder, Tokens};
    struct Short(Fake);
    impl TextEncoder for Short {
        fn dim(&self) -> usize {
            self.0.dim()
        }
        fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
            self.0.tokenize(texts)
        }
        fn embed(&self, _: &Tokens) -> interrogate::Result<Embeddings> {
            Embeddings::new(self.dim(), vec![1.0; self.dim()])
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let short = Short(Fake::new(4));
    let builder = Builder::new(&short, "short", "f1");
    let error = build(&builder, &[dictionary("a.txt", &["x", "y"])], folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the encoder gave 1 rows for 2 labels");
}
