use proptest::prelude::*;

use super::*;
use crate::error::IndexError;

fn manifest() -> Manifest {
    let digest = |n: u8| Digest::of(&[n]);
    let table = |name: &str, top| TableEntry {
        name: name.to_owned(),
        labels: 5,
        top,
        dictionary: digest(0),
        label_file: FileEntry { bytes: 40, sha256: digest(1) },
        shards: vec![
            ShardEntry { rows: 3, bytes: 300, sha256: digest(2) },
            ShardEntry { rows: 2, bytes: 200, sha256: digest(3) },
        ],
    };
    let model = ModelEntry { id: "some/model".into(), fingerprint: "f00d".into(), precision: None };
    Manifest::new(model, 8, vec![table("flavors", Some(3)), table("artists", None)])
}

/// The error for a manifest that was edited and given a matching checksum.
fn forged(edit: impl FnOnce(&mut Manifest)) -> String {
    let mut manifest = manifest();
    edit(&mut manifest);
    let json = manifest.to_json().unwrap();
    Manifest::parse(Path::new("m"), &json).unwrap_err().to_string()
}

#[test]
fn a_manifest_reads_back_equal() {
    let json = manifest().to_json().unwrap();
    let back = Manifest::parse(Path::new("m"), &json).unwrap();
    assert_eq!(Manifest { sha256: None, ..back.clone() }, manifest());
    assert_eq!(back.to_json().unwrap(), json);
    let names: Vec<_> = back.tables().iter().map(|table| &table.name[..]).collect();
    assert_eq!(names, ["artists", "flavors"], "sorted");
    let text = String::from_utf8(json).unwrap();
    assert!(text.starts_with("{\n  \"format\": 2,\n  \"model\": {\n    \"id\": \"some/model\""));
}

#[test]
fn truncation_at_any_offset_is_refused() {
    let json = manifest().to_json().unwrap();
    for cut in 0..json.len() - 1 {
        assert!(Manifest::parse(Path::new("m"), &json[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let json = manifest().to_json().unwrap();
    let whole = Manifest::parse(Path::new("m"), &json).unwrap();
    for at in 0..json.len() {
        for bit in 0..8 {
            let mut json = json.clone();
            json[at] ^= 1 << bit;
            if let Ok(same) = Manifest::parse(Path::new("m"), &json) {
                assert_eq!(same, whole, "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn an_unsupported_version_is_reported_before_unknown_fields() {
    let error = Manifest::parse(Path::new("m"), br#"{"format": 3, "new": []}"#).unwrap_err();
    assert_eq!(error.to_string(), "m: index format 3, expected 1 to 2");
}

#[test]
fn a_manifest_without_checksum_is_refused() {
    let without_digest = manifest().serialize().unwrap();
    let error = Manifest::parse(Path::new("m"), &without_digest).unwrap_err().to_string();
    assert!(error.starts_with("damaged index: m: sha256: expected "), "{error}");
    assert!(error.ends_with(", found none"), "{error}");
}

#[test]
fn invalid_json_and_unknown_fields_are_refused() {
    for bad in ["", "[]", "{}", r#"{"format": -1}"#, r#"{"format": 1, "dim": 3}"#] {
        let error = Manifest::parse(Path::new("m"), bad.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "m is not the JSON expected here", "{bad}");
    }
    let json = String::from_utf8(manifest().to_json().unwrap()).unwrap();
    let more = json.replacen('{', "{\"surplus\": 1,", 1);
    assert!(matches!(Manifest::parse(Path::new("m"), more.as_bytes()), Err(Error::Json { .. })));
}

#[test]
fn table_names_outside_the_folder_are_refused() {
    for bad in ["", "../flavors", "a/b", "..", "C:\\x"] {
        let error = forged(|m| m.tables[0].name = bad.to_owned());
        let wanted = format!("damaged index: m: table name: expected a plain name, found {bad}");
        assert_eq!(error, wanted);
    }
}

#[test]
fn table_names_that_differ_in_case_only_are_refused() {
    let error = forged(|m| m.tables[1].name = "Artists".to_owned());
    assert_eq!(error, "damaged index: m: table name: expected each once, found Artists");
}

#[test]
fn counts_with_a_wrong_sum_or_an_overflow_are_refused() {
    let error = forged(|m| m.tables[0].labels = 6);
    assert_eq!(error, "damaged index: m: rows of the shards: expected 6, found 5");
    let error = forged(|m| m.tables[0].shards[0].rows = usize::MAX);
    assert!(error.ends_with("expected 5, found more than can be counted"), "{error}");
    assert!(forged(|m| m.tables[0].shards.clear()).contains("shards: expected 1 to 99999"));
}

#[test]
fn invalid_dim_and_dtype_are_refused() {
    assert!(forged(|m| m.dim = 0).ends_with("dim: expected 1 to 65536, found 0"));
    assert!(forged(|m| m.dim = usize::MAX).contains("dim: expected 1 to 65536"));
    assert!(forged(|m| m.dtype = "f32".into()).ends_with("dtype: expected f16, found f32"));
}

#[test]
fn a_missing_and_an_unfinished_index_are_different_errors() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Manifest::open(path).unwrap_err();
    let missing = error(&folder.path().join("none"));
    assert!(missing.to_string().starts_with("no index in "), "{missing}");
    assert!(
        matches!(error(folder.path()), Error::Index(IndexError::Missing { .. })),
        "an empty folder"
    );
    fs::write(folder.path().join("flavors.labels"), "x").unwrap();
    let half = error(folder.path());
    assert!(half.to_string().ends_with("is unfinished: it has no manifest.json"), "{half}");
    assert!(half.hint().unwrap().contains("resumes where it stopped"));
}

proptest! {
    #[test]
    fn random_bytes_are_refused(json in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Manifest::parse(Path::new("m"), &json).is_err());
    }
}
