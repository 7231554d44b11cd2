//! Import and export of clip-interrogator's caches.
//!
//! `fixtures/caches/make.py` wrote the caches with Python's safetensors and none of this
//! project's code; values.json has their content.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{
    Builder, CacheError, Dictionary, Error, Export, Report, Result, cache_names, open_all,
    open_caches,
};
use half::f16;
use interrogate::encoder::TextEncoder;
use interrogate::index::Index;
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::fake::Fake;
use crate::{build, builder, dictionary, files, labels};

const TABLES: [&str; 3] = ["artists", "flavors", "trendings"];

/// The content of a cache, as make.py wrote it.
#[derive(Deserialize)]
struct Values {
    hash: String,
    labels: Vec<String>,
    rows: Vec<String>,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/caches")
}

fn values() -> BTreeMap<String, Values> {
    serde_json::from_slice(&fs::read(fixture().join("values.json")).unwrap()).unwrap()
}

fn dictionaries() -> Vec<Dictionary> {
    open_all(&[fixture()]).unwrap()
}

fn import(
    fake: &Fake,
    caches: &[PathBuf],
    dictionaries: &[Dictionary],
    to: &Path,
) -> Result<Report> {
    let caches = open_caches(caches, dictionaries, &cache_names("fake/one"))?;
    let builder = Builder::new(fake, "fake/one", "f1").block(16).shard_rows(3);
    builder.import(dictionaries, &caches, to, |_| ControlFlow::Continue(()))
}

fn export(
    fake: &Fake,
    index: &Path,
    dictionaries: &[Dictionary],
    to: &Path,
) -> build_index::Exported {
    let index = Index::open(index).unwrap();
    let encode = |labels: &[&str]| Ok(encoded_rows(fake, labels));
    Export::new(&index, dictionaries, "fake_one").write(to, encode).unwrap()
}

/// The encoder's rows of `labels`.
fn encoded_rows(fake: &Fake, labels: &[&str]) -> Vec<f16> {
    fake.encode(labels).unwrap().as_slice().iter().map(|&v| f16::from_f32(v)).collect()
}

/// A row as values.json writes it.
fn bits(row: &[f16]) -> String {
    row.iter().map(|v| format!("{:04x}", v.to_bits())).collect::<Vec<_>>().join(" ")
}

/// The rows of a table of an index, by label.
fn rows(index: &Path, table: &str) -> BTreeMap<String, String> {
    let index = Index::open(index).unwrap();
    let table = index.table(table).unwrap();
    let rows = table.rows().concat();
    let rows = rows.chunks_exact(index.dim()).map(bits);
    table.labels().map(|label| label.unwrap().to_owned()).zip(rows).collect()
}

/// The rows of a cache, and its hash.
fn cached(path: &Path) -> (Vec<String>, String) {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let embeds = tensors.tensor("embeds").unwrap();
    let values: Vec<f16> =
        embeds.data().chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect();
    let hash = String::from_utf8(tensors.tensor("hash").unwrap().data().to_vec()).unwrap();
    (values.chunks_exact(embeds.shape()[1]).map(bits).collect(), hash)
}

#[test]
fn cache_written_by_python_is_imported_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(8);
    let report = import(&fake, &[fixture()], &dictionaries(), folder.path()).unwrap();
    // "8k" comes twice with two rows; the site that 0.6.0 misspells has none.
    assert_eq!((report.labels, report.imported, report.encoded), (18, 13, 4));
    assert_eq!(report.differing, 1);
    let index = Index::open(folder.path()).unwrap();
    index.verify(|_| ()).unwrap();
    assert!(index.tables().iter().all(|table| table.is_coded()));
    assert_eq!(index.manifest().model().precision.as_deref(), Some("imported"));
    for (table, Values { labels, rows: expected, .. }) in values() {
        let rows = rows(folder.path(), &table);
        for (label, expected) in labels.iter().zip(&expected).rev() {
            match rows.get(label) {
                Some(row) if label != "8k" => assert_eq!(row, expected, "{table}: {label}"),
                _ => assert!(
                    ["", "8k"].contains(&&label[..]) || label.contains("dribble"),
                    "{label}"
                ),
            }
        }
        if table == "flavors" {
            assert_eq!(rows["8k"], expected[0], "the first row of a repeated label");
        }
        if table == "trendings" {
            let encoded_rows = encoded_rows(&fake, &["trending on dribbble"]);
            assert_eq!(
                rows["trending on dribbble"],
                bits(&encoded_rows),
                "encoded: 0.6.0 has another spelling"
            );
        }
    }
}

/// "trending on flickr" is a flavor and a trending, with two rows: each table keeps
/// its own.
#[test]
fn round_trip_is_exact_for_all_rows_that_an_index_keeps() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let fake = Fake::new(8);
    import(&fake, &[fixture()], &dictionaries(), folder.path()).unwrap();
    let exported = export(&fake, folder.path(), &dictionaries(), out.path());
    assert_eq!((exported.rows, exported.repeated, exported.encoded), (4 + 8 + 8, 1, 1));
    for (table, values) in values() {
        let (rows, hash) = cached(&out.path().join(format!("fake_one_{table}.safetensors")));
        if table == "trendings" {
            // This project's dictionary has the site's own spelling.
            let encoded_rows = encoded_rows(&fake, &["dribbble contest winner"]);
            assert_eq!((&rows[..1], &rows[7]), (&values.rows[..1], &bits(&encoded_rows)));
            continue;
        }
        assert_eq!(hash, values.hash);
        for (line, label) in values.labels.iter().enumerate() {
            match (line, &label[..]) {
                (5, "8k") => assert_eq!(rows[line], values.rows[0], "filled from the first"),
                (_, "") => {
                    assert_eq!(rows[line], bits(&encoded_rows(&fake, &[""])), "encoded again");
                }
                _ => assert_eq!(rows[line], values.rows[line], "{table}: {label}"),
            }
        }
    }
    // Importing the export gives the same index.
    let again = tempfile::tempdir().unwrap();
    import(&fake, &[out.path().to_owned()], &dictionaries(), again.path()).unwrap();
    assert_eq!(files(again.path()), files(folder.path()));
}

#[test]
fn exported_index_imports_unchanged() {
    let [dicts, a, b, out] = [(); 4].map(|()| tempfile::tempdir().unwrap());
    fs::write(dicts.path().join("x.txt"), labels(90).join("\n")).unwrap();
    let dictionaries = open_all(&[dicts.path().to_owned()]).unwrap();
    let fake = Fake::new(5);
    build(&builder(&fake), &dictionaries, a.path()).unwrap();
    let exported = export(&fake, a.path(), &dictionaries, out.path());
    assert_eq!((exported.rows, exported.repeated, exported.encoded), (90, 0, 0));
    fake.count();
    let caches = open_caches(&[out.path().to_owned()], &dictionaries, &[]).unwrap();
    let report = builder(&fake)
        .import(&dictionaries, &caches, b.path(), |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!((report.imported, report.encoded), (90, 0));
    assert_eq!(fake.count(), 8, "the rows of the cache that are checked");
    let shards = |folder: &Path| {
        let mut files = files(folder);
        files.remove("manifest.json"); // which says where rows are from
        files
    };
    assert_eq!(shards(a.path()), shards(b.path()));
}

/// A dictionary need not have a cache.
#[test]
fn labels_missing_from_caches_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(8);
    let mut dictionaries = dictionaries();
    dictionaries.push(dictionary("more.txt", &["new", "8k"]));
    let flavors = fixture().join("fake_one_flavors.safetensors");
    let report = import(&fake, &[flavors], &dictionaries, folder.path()).unwrap();
    let values = values();
    let more = rows(folder.path(), "more");
    assert_eq!(more["8k"], values["flavors"].rows[0], "a label that another table has cached");
    assert_eq!(more["new"], bits(&encoded_rows(&fake, &["new"])));
    // Encoded: artists, trendings and "new", but not "trending on flickr".
    assert_eq!((report.imported, report.encoded), (6, 4 + 7 + 1));

    // A second import keeps what the first has encoded; a build keeps nothing.
    fake.count();
    let report = import(&fake, &[fixture()], &dictionaries, folder.path()).unwrap();
    assert_eq!((report.encoded, report.reused), (0, 5));
    let report =
        build(&Builder::new(&fake, "fake/one", "f1"), &dictionaries, folder.path()).unwrap();
    assert_eq!(report.encoded, 18);
    assert!(
        report.discarded.unwrap().to_string().contains("precision: expected f32, found imported")
    );
}

/// Copies a cache with its bytes changed.
fn changed(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fake_one_flavors.safetensors");
    let bytes = fs::read(fixture().join("fake_one_flavors.safetensors")).unwrap();
    fs::write(&path, change(bytes)).unwrap();
    (folder, path)
}

/// The error's message and hint of importing the cache, which must write nothing.
fn import_error(path: &Path, fake: &Fake) -> (String, Option<String>) {
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("index");
    let error = import(fake, &[path.to_owned()], &dictionaries(), &to).unwrap_err();
    assert!(!to.exists());
    (error.to_string().replace(&path.display().to_string(), "PATH"), error.hint())
}

/// The offset and the length in bytes of the rows in the file.
fn embeds(bytes: &[u8]) -> (usize, usize) {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let data = tensors.tensor("embeds").unwrap().data();
    (data.as_ptr() as usize - bytes.as_ptr() as usize, data.len())
}

#[test]
fn cache_of_other_labels_is_refused() {
    let (_folder, path) = changed(|mut bytes| {
        let (at, len) = embeds(&bytes);
        let hash = if at + len < bytes.len() { at + len } else { at - 64 };
        bytes[hash] = if bytes[hash] == b'0' { b'1' } else { b'0' };
        bytes
    });
    let (message, hint) = import_error(&path, &Fake::new(8));
    let hash = &values()["flavors"].hash;
    assert!(
        message.starts_with(&format!("PATH: expected the hash {hash}, of the labels of ")),
        "{message}"
    );
    assert!(hint.unwrap().contains("dictionaries that clip-interrogator read"));
}

#[test]
fn cache_of_another_model_is_refused() {
    let path = fixture().join("fake_one_flavors.safetensors");
    let (message, _) = import_error(&path, &Fake::new(6));
    assert_eq!(message, "PATH: values in a row: expected 6, as fake/one has, found 8");
    // Every row moves to the next label's place.
    let (_folder, path) = changed(|mut bytes| {
        let (at, len) = embeds(&bytes);
        bytes[at..at + len].rotate_left(16);
        bytes
    });
    let (message, hint) = import_error(&path, &Fake::new(8));
    assert!(
        message.starts_with("PATH: expected rows of the model fake/one, found others: "),
        "{message}"
    );
    assert!(hint.unwrap().contains("model that clip-interrogator ran"));
}

#[test]
fn truncated_cache_is_refused() {
    let whole = fs::read(fixture().join("fake_one_flavors.safetensors")).unwrap();
    for cut in 0..whole.len() {
        let (_folder, path) = changed(|bytes| bytes[..cut].to_vec());
        let (message, hint) = import_error(&path, &Fake::new(8));
        assert!(
            message.starts_with("PATH: safetensors: expected a whole file, found "),
            "{cut}: {message}"
        );
        assert!(hint.unwrap().contains("write it again"));
    }
}

#[test]
fn flipped_byte_never_panics() {
    let whole = fs::read(fixture().join("fake_one_flavors.safetensors")).unwrap();
    let fake = Fake::new(8);
    for at in 0..whole.len() {
        let (folder, path) = changed(|mut bytes| {
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let to = folder.path().join("index");
        let imported = import(&fake, &[path], &dictionaries(), &to);
        assert_eq!(imported.is_ok(), to.exists(), "byte {at}");
        if imported.is_ok() {
            Index::open(&to).unwrap().verify(|_| ()).unwrap();
        }
    }
}

#[test]
fn rows_that_are_not_of_unit_length_are_refused() {
    for (value, length) in [(2.0, "2"), (f32::NAN, "NaN"), (0.0, "0")] {
        let (_folder, path) = changed(|mut bytes| {
            let (at, _) = embeds(&bytes);
            let mut row = [f16::ZERO; 8];
            row[0] = f16::from_f32(value);
            let row: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            bytes[at + 3 * 16..at + 4 * 16].copy_from_slice(&row);
            bytes
        });
        let (message, _) = import_error(&path, &Fake::new(8));
        assert_eq!(
            message,
            format!("PATH: rows: expected unit length, found length {length} in row 3")
        );
    }
}

#[test]
fn ambiguous_cache_files_are_refused() {
    let fake = Fake::new(8);
    let [folder, empty] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let copy = |name: &str| {
        let to = folder.path().join(name);
        fs::copy(fixture().join("fake_one_flavors.safetensors"), &to).unwrap();
        to
    };
    let (message, hint) = import_error(&copy("fake_one_styles.safetensors"), &fake);
    let expected = "PATH: expected a name like MODEL_TABLE.safetensors, with a table of artists, flavors, trendings";
    assert_eq!((&message[..], hint.unwrap().contains("dictionary")), (expected, true));
    fs::remove_file(folder.path().join("fake_one_styles.safetensors")).unwrap();
    let [a, b] = ["m_flavors.safetensors", "n_flavors.safetensors"].map(copy);
    let (message, hint) = import_error(folder.path(), &fake);
    assert_eq!(message, "PATH: expected the caches of one model, found those of m, n");
    assert!(hint.unwrap().contains("name the model"));
    let error = import(&fake, &[a, b], &dictionaries(), &folder.path().join("i")).unwrap_err();
    assert!(matches!(error, Error::Cache(CacheError::DuplicateTable { .. })), "{error}");
    assert_eq!(import_error(empty.path(), &fake).0, "no cache (*.safetensors) in PATH");
}

#[test]
fn cache_of_the_model_in_use_is_selected() {
    let folder = tempfile::tempdir().unwrap();
    for table in TABLES {
        let from = fixture().join(format!("fake_one_{table}.safetensors"));
        fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    fs::write(folder.path().join("other_flavors.safetensors"), "not a cache").unwrap();
    let caches =
        open_caches(&[folder.path().to_owned()], &dictionaries(), &cache_names("fake/one"));
    let tables: Vec<_> = caches.unwrap().iter().map(|cache| cache.table().to_owned()).collect();
    assert_eq!(tables, TABLES);
}

#[test]
fn export_overwrites_nothing_and_requires_the_dictionaries() {
    let [folder, out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let fake = Fake::new(4);
    build(
        &builder(&fake),
        &[dictionary("a.txt", &["x"]), dictionary("b.txt", &["y"])],
        folder.path(),
    )
    .unwrap();
    let index = Index::open(folder.path()).unwrap();
    let never = |_: &[&str]| unreachable!("every label has a row");
    let other = [dictionary("b.txt", &["y", "z"])];
    let error = Export::new(&index, &other, "m").write(out.path(), never).unwrap_err();
    let expected = format!(
        "b.txt: expected the dictionary of the table b in {}, found other labels",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    fs::write(out.path().join("m_b.safetensors"), "mine").unwrap();
    let error = Export::new(&index, &[], "m").write(out.path(), never).unwrap_err();
    assert!(matches!(error, Error::Cache(CacheError::Exists { .. })), "{error}");
    assert_eq!(files(out.path()).len(), 1, "nothing was written");
    fs::remove_file(out.path().join("m_b.safetensors")).unwrap();
    let exported = Export::new(&index, &[], "m").write(out.path(), never).unwrap();
    assert_eq!((exported.files.len(), exported.rows), (2, 2));
}
