//! What a build writes, reuses and keeps.

use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use build_index::{DictionaryError, Error};
use interrogate::index::{Digest, Index, Manifest, pack_labels};

use crate::fake::Fake;
use crate::{build, builder, dictionary, features, files, labels};

#[test]
fn index_returns_labels_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(6);
    let labels = labels(100);
    let dictionaries =
        [dictionary("flavors.top3.txt", &labels), dictionary("artists.txt", &["Monet"])];
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!((report.labels, report.encoded, report.reused, report.resumed), (102, 102, 0, 0));

    let index = Index::open(folder.path()).unwrap();
    let tables: Vec<_> = index.tables().iter().map(|t| (t.name(), t.len(), t.top())).collect();
    assert_eq!(tables, [("artists", 2, None), ("flavors", 100, Some(3))]);
    let flavors = index.table("flavors").unwrap();
    assert_eq!(flavors.rows().iter().map(|rows| rows.len() / 6).collect::<Vec<_>>(), [40, 40, 20]);
    let rows = flavors.rows().concat();
    for (row, label) in labels.iter().enumerate() {
        assert_eq!(flavors.label(row).unwrap(), label);
        let expected = features(&fake, label);
        for (found, expected) in rows[row * 6..].iter().zip(expected.as_slice()) {
            assert!((found.to_f32() - expected).abs() < 5e-4);
        }
    }
    let mut last = None;
    index.verify(|verified| last = Some(verified)).unwrap();
    assert_eq!(last.map(|v| (v.bytes, v.total)), Some((index.bytes(), index.bytes())));
}

#[test]
fn two_builds_give_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (dictionary("one.txt", &labels(90)), dictionary("two.txt", &labels(30)));
    build(&builder(&Fake::new(5)), &[one.clone(), two.clone()], a.path()).unwrap();
    build(&builder(&Fake::new(5)), &[two, one], b.path()).unwrap();
    assert_eq!(files(a.path()), files(b.path()));
    let names: Vec<_> = files(a.path()).into_keys().collect();
    assert_eq!(names.len(), 3 + 1 + 2 + 2, "shards, labels, manifest and lock: {names:?}");
}

#[test]
fn shared_label_is_encoded_once() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(4);
    let dictionaries = [dictionary("a.txt", &["x", "y"]), dictionary("b.txt", &["y", "z"])];
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!((fake.count(), report.labels, report.encoded), (3, 4, 3));
    assert_eq!(report.tokens, 9, "each label is a byte between two marks");
}

#[test]
fn rebuild_encodes_only_new_labels() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(4);
    let old = labels(50);
    build(&builder(&fake), &[dictionary("a.txt", &old)], folder.path()).unwrap();
    assert_eq!(fake.count(), 50);
    let before = Index::open(folder.path()).unwrap();

    let more = [&["new"][..], &old[10..].iter().map(|l| &l[..]).collect::<Vec<_>>()].concat();
    let report = build(&builder(&fake), &[dictionary("a.txt", &more)], folder.path()).unwrap();
    // One new label, and the eight reused rows that are checked.
    assert_eq!((fake.count(), report.encoded, report.reused), (1 + 8, 1, 40));
    let after = Index::open(folder.path()).unwrap();
    let rows = |index: &Index| index.tables()[0].rows().concat();
    assert_eq!(rows(&after)[4..], rows(&before)[40..], "the old map is still intact");
    after.verify(|_| ()).unwrap();
    let names: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(names.len(), 2 + 1 + 2, "the files of the old index are removed: {names:?}");
}

#[test]
fn unchanged_rebuild_encodes_nothing_and_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(4);
    let dictionaries = [dictionary("a.txt", &labels(70))];
    build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    let before = files(folder.path());
    fake.count();
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!((fake.count(), report.encoded, report.reused), (8, 0, 70), "eight rows are checked");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn rows_of_another_model_are_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let dictionaries = [dictionary("a.txt", &labels(20))];
    build(&builder(&Fake::new(4)), &dictionaries, folder.path()).unwrap();
    let fake = Fake::new(4);
    let other = build_index::Builder::new(&fake, "fake", "f2");
    let report = build(&other, &dictionaries, folder.path()).unwrap();
    assert_eq!((fake.count(), report.reused), (20, 0));
    let reason = report.discarded.unwrap().to_string();
    assert!(reason.ends_with("is of the model fake (f1), expected fake (f2)"), "{reason}");
}

#[test]
fn damaged_index_is_not_reused() {
    let folder = tempfile::tempdir().unwrap();
    let dictionaries = [dictionary("a.txt", &labels(20))];
    build(&builder(&Fake::new(4)), &dictionaries, folder.path()).unwrap();
    let whole = files(folder.path());
    let shard = whole.keys().find(|name| name.ends_with(".safetensors")).unwrap();
    let mut bytes = whole[shard].clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.path().join(shard), bytes).unwrap();

    let fake = Fake::new(4);
    let report = build(&builder(&fake), &dictionaries, folder.path()).unwrap();
    assert_eq!(fake.count(), 20);
    assert!(report.discarded.unwrap().to_string().contains("sha256: expected"));
    assert_eq!(files(folder.path()), whole, "rebuilt");
}

/// All checksums are valid, but the rows belong to other labels.
#[test]
fn rows_with_swapped_labels_are_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(8);
    let dictionaries = |labels: &[String]| [dictionary("a.txt", labels)];
    let there = labels(60);
    build(&builder(&fake), &dictionaries(&there), folder.path()).unwrap();
    let whole = files(folder.path());

    let exchanged: Vec<String> = there.iter().rev().cloned().collect();
    let packed = pack_labels(folder.path(), exchanged.iter().map(String::as_str)).unwrap();
    let manifest = Manifest::open(folder.path()).unwrap();
    let mut tables = manifest.tables().to_vec();
    tables[0].dictionary = Digest::of_labels(exchanged.iter().map(String::as_str));
    tables[0].label_file.sha256 = Digest::of(&packed);
    fs::write(folder.path().join(tables[0].labels_name()), packed).unwrap();
    let manifest = Manifest::new(manifest.model().clone(), manifest.dim(), tables);
    fs::write(folder.path().join("manifest.json"), manifest.to_json().unwrap()).unwrap();
    Index::open(folder.path()).unwrap().verify(|_| ()).unwrap();

    let report = build(&builder(&fake), &dictionaries(&there), folder.path()).unwrap();
    assert_eq!((report.encoded, report.reused), (60, 0));
    let reason = report.discarded.unwrap().to_string();
    assert!(
        reason.contains("rows: expected those of the model, found others: \"label "),
        "{reason}"
    );
    assert_eq!(files(folder.path()), whole, "rebuilt");
}

/// A lock or a journal that is a user's file, or a link to one.
#[cfg(unix)]
#[test]
fn build_refuses_links_and_foreign_files() {
    let dictionaries = [dictionary("a.txt", &labels(20))];
    for name in ["build.lock", "build.journal"] {
        for (kind, expected) in [("soft", "kind: "), ("hard", "links: "), ("own", "content: ")] {
            let folder = tempfile::tempdir().unwrap();
            let (foreign, path) = (folder.path().join("mine"), folder.path().join(name));
            let text = "my own notes, and not the program's\n";
            fs::write(&foreign, text).unwrap();
            match kind {
                "soft" => std::os::unix::fs::symlink(&foreign, &path).unwrap(),
                "hard" => fs::hard_link(&foreign, &path).unwrap(),
                _ => fs::rename(&foreign, &path).unwrap(),
            }
            let error = build(&builder(&Fake::new(4)), &dictionaries, folder.path()).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            fs::remove_file(&path).unwrap();
            build(&builder(&Fake::new(4)), &dictionaries, folder.path()).unwrap();
            assert!(kind == "own" || fs::read_to_string(&foreign).unwrap() == text);
        }
    }
}

#[test]
fn foreign_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = ["notes.txt", "model.safetensors", "flavors.labels", ".hidden"];
    foreign.iter().for_each(|name| fs::write(folder.path().join(name), "mine").unwrap());
    fs::write(folder.path().join(".interrogate-0123456789ab.part"), "of a build that was killed")
        .unwrap();
    fs::write(folder.path().join("old-0123456789ab.labels"), "of an index before").unwrap();
    build(&builder(&Fake::new(4)), &[dictionary("a.txt", &["x"])], folder.path()).unwrap();
    let files = files(folder.path());
    assert!(foreign.iter().all(|name| files[*name] == b"mine"));
    assert_eq!(files.len(), foreign.len() + 4, "{:?}", files.keys());
}

#[test]
fn reader_sees_the_old_or_the_new_index_complete() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(4);
    let versions = [labels(60), labels(90)];
    let version = |n: usize| [dictionary("a.txt", &versions[n % 2]), dictionary("b.txt", &["x"])];
    build(&builder(&fake), &version(0), folder.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut lengths = [0, 0];
            while !done.load(Ordering::Relaxed) {
                let index = Index::open(folder.path()).unwrap();
                index.verify(|_| ()).unwrap();
                lengths[usize::from(index.table("a").unwrap().len() == 90)] += 1;
            }
            lengths
        });
        for n in 1..8 {
            build(&builder(&fake), &version(n), folder.path()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap().iter().sum::<usize>() > 0);
    });
}

#[test]
fn second_builder_error_names_the_lock_holder() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(4);
    let dictionaries = [dictionary("a.txt", &["x"])];
    let mut errors = Vec::new();
    let first = builder(&fake).build(&dictionaries, folder.path(), |_| {
        errors.extend(build(&builder(&fake), &dictionaries, folder.path()).err());
        ControlFlow::Continue(())
    });
    first.unwrap();
    let pid = std::process::id();
    assert!(errors.len() >= 3, "one for each progress report of the first");
    assert!(
        errors
            .iter()
            .all(|e| matches!(e, Error::Locked { owner: Some(found), .. } if found.pid == pid))
    );
}

#[test]
fn unreadable_index_layouts_are_refused_before_encoding() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("index");
    let fake = Fake::new(4);
    let twice = [dictionary("a.txt", &["x"]), dictionary("A.txt", &["y"])];
    let error = build(&builder(&fake), &twice, &folder).unwrap_err();
    assert!(matches!(error, Error::Dictionary(DictionaryError::DuplicateTable { .. })), "{error}");
    let many = [dictionary("a.txt", &labels(100_000))];
    let error = build(&builder(&fake).shard_rows(1), &many, &folder).unwrap_err();
    assert_eq!(error.to_string(), "table a would have 100000 shards, expected at most 99999");
    assert!(fake.count() == 0 && !folder.exists());
}

#[cfg(unix)]
#[test]
fn unwritable_folder_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(parent.path().join("probe"), "").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    let folder = parent.path().join("index");
    let error = build(&builder(&Fake::new(4)), &[dictionary("a.txt", &["x"])], &folder);
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create {}", folder.display()));
    assert!(error.hint().unwrap().contains("permission"));
}

#[test]
fn file_in_place_of_the_folder_is_reported() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("index");
    fs::write(&folder, "").unwrap();
    let error = build(&builder(&Fake::new(4)), &[dictionary("a.txt", &["x"])], &folder);
    assert_eq!(error.unwrap_err().to_string(), format!("cannot create {}", folder.display()));
}
