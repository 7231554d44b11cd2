//! Damaged indexes, with one error each.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use interrogate::Error;
use interrogate::error::IndexError;
use interrogate::index::{Digest, Index, Manifest};
use interrogate::rank::Order;

use crate::fake::Fake;
use crate::{build, builder, dictionary, features, files, labels};

/// An index of one table in two shards.
fn index() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    build(&builder(&Fake::new(4)), &[dictionary("a.txt", &labels(50))], folder.path()).unwrap();
    folder
}

/// The name of the first file that ends with `ending`.
fn name(folder: &Path, ending: &str) -> String {
    files(folder).into_keys().find(|name| name.ends_with(ending)).unwrap()
}

/// Changes the bytes of a file.
fn edit(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn open_error(folder: &Path) -> String {
    Index::open(folder).unwrap_err().to_string()
}

/// The error of [`Index::verify`]; the index must open.
fn verify_error(folder: &Path) -> String {
    Index::open(folder).unwrap().verify(|_| ()).unwrap_err().to_string()
}

#[test]
fn missing_folder_is_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let error = Index::open(&missing).unwrap_err();
    assert_eq!(error.to_string(), format!("no index in {}", missing.display()));
    assert!(error.hint().unwrap().contains("Builder"));
}

#[test]
fn index_without_manifest_is_unfinished() {
    let folder = index();
    fs::remove_file(folder.path().join("manifest.json")).unwrap();
    assert!(open_error(folder.path()).ends_with("is unfinished: it has no manifest.json"));
}

#[test]
fn missing_file_is_reported() {
    for ending in [".safetensors", ".labels"] {
        let folder = index();
        let name = name(folder.path(), ending);
        fs::remove_file(folder.path().join(&name)).unwrap();
        let error = open_error(folder.path());
        let tail = format!("{name}: file: expected the one that manifest.json names, found none");
        assert!(error.ends_with(&tail), "{error}");
    }
}

#[test]
fn file_of_wrong_size_is_reported() {
    for ending in [".safetensors", ".labels"] {
        for change in [-1, 1] {
            let folder = index();
            let path = folder.path().join(name(folder.path(), ending));
            let size = fs::metadata(&path).unwrap().len();
            edit(&path, |bytes| bytes.resize((size as i64 + change) as usize, 0));
            let error = open_error(folder.path());
            let tail = format!("size: expected {size}, found {}", size as i64 + change);
            assert!(error.starts_with("damaged index: ") && error.ends_with(&tail), "{error}");
        }
    }
}

#[test]
fn truncated_shard_is_refused_at_every_length() {
    let folder = index();
    let path = folder.path().join(name(folder.path(), ".safetensors"));
    let file = fs::File::options().write(true).open(&path).unwrap();
    for cut in (0..fs::metadata(&path).unwrap().len()).rev() {
        file.set_len(cut).unwrap();
        assert!(
            matches!(Index::open(folder.path()), Err(Error::Index(IndexError::Damaged { .. }))),
            "{cut}"
        );
    }
}

#[test]
fn flipped_bit_is_found_by_verify_or_earlier() {
    let folder = index();
    for (name, whole) in files(folder.path()) {
        if name == "build.lock" || name == "manifest.json" {
            continue; // tested beside its code
        }
        let mut file = fs::File::options().write(true).open(folder.path().join(&name)).unwrap();
        let mut write = |at: usize, byte: u8| {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[byte]).unwrap();
        };
        for (at, byte) in whole.into_iter().enumerate() {
            write(at, byte ^ (1 << (at % 8)));
            let verified = Index::open(folder.path()).and_then(|index| index.verify(|_| ()));
            assert!(
                matches!(verified, Err(Error::Index(IndexError::Damaged { .. }))),
                "byte {at} of {name}"
            );
            write(at, byte);
        }
    }
    Index::open(folder.path()).unwrap().verify(|_| ()).unwrap();
}

#[test]
fn another_version_is_reported() {
    let folder = index();
    edit(&folder.path().join("manifest.json"), |json| {
        let text = String::from_utf8(json.clone()).unwrap();
        *json = text.replace("\"format\": 2", "\"format\": 7").into_bytes();
    });
    let error = Index::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().ends_with("manifest.json: index format 7, expected 1 to 2"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("this release"));
}

#[test]
fn another_model_is_reported() {
    let folder = index();
    let index = Index::open(folder.path()).unwrap();
    index.check_model("any name", "f1").unwrap();
    let error = index.check_model("clip", "0123456789abcdef").unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("is of the model fake (f1), expected clip (0123456789ab)"), "{text}");
    assert!(error.hint().unwrap().contains("open the model"));
}

#[test]
fn missing_table_error_lists_the_tables() {
    let folder = index();
    let index = Index::open(folder.path()).unwrap();
    let error = index.table("flavors").unwrap_err();
    assert!(error.to_string().ends_with("has no table \"flavors\""), "{error}");
    assert_eq!(error.hint().unwrap(), "its tables are a");
    assert!(index.merged(&["a", "b"]).is_err());
}

/// Changes a file and updates its name, size and checksum in the manifest: only a check of the
/// content can find the change.
fn forge(folder: &Path, ending: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let old = name(folder, ending);
    edit(&folder.join(&old), change);
    let bytes = fs::read(folder.join(&old)).unwrap();
    let sha256 = Digest::of(&bytes);
    let manifest = Manifest::open(folder).unwrap();
    let mut tables = manifest.tables().to_vec();
    match ending {
        ".labels" => tables[0].label_file.sha256 = sha256,
        _ => tables[0].shards[0].sha256 = sha256,
    }
    let new = match ending {
        ".labels" => tables[0].labels_name(),
        _ => tables[0].shard_names().next().unwrap(),
    };
    fs::rename(folder.join(old), folder.join(new)).unwrap();
    let manifest = Manifest::new(manifest.model().clone(), manifest.dim(), tables);
    fs::write(folder.join("manifest.json"), manifest.to_json().unwrap()).unwrap();
}

#[test]
fn rows_not_of_unit_length_are_found_despite_a_valid_checksum() {
    // Neither the sign of infinity and NaN nor the size of the error matters.
    for (bits, length) in [(0x7e00u16, "NaN"), (0x7c00, "inf"), (0x4000, "2")] {
        let folder = index();
        forge(folder.path(), ".safetensors", |bytes| {
            let at = bytes.len() - 40 * 4 - 8; // the last row of four values, before the codes
            bytes[at..at + 8].fill(0);
            bytes[at..at + 2].copy_from_slice(&bits.to_le_bytes());
        });
        let error = verify_error(folder.path());
        let tail = format!("rows: expected unit length, found length {length} in row 39");
        assert!(error.ends_with(&tail), "{error}");
    }
}

/// A shard stores its mean (4), scales (40), slack (40) and spread (4) before the rows, and
/// the codes after them.
#[test]
fn codes_with_wrong_bounds_are_found_despite_a_valid_checksum() {
    let slack = |bytes: &[u8], row: usize| bytes.len() - 40 * (4 + 8) - 4 * 4 - 40 * 4 + 4 * row;
    type Change = fn(&mut [u8], usize);
    let changes: [(Change, &str); 4] = [
        (|bytes, slack| bytes[slack..slack + 4].fill(0), "codes: expected an error bound of "),
        (|bytes, _| *bytes.last_mut().unwrap() = 0x80, "codes from -127 to 127, found -128"),
        (|bytes, slack| bytes[slack - 158] = 0x7f, "error bound of "),
        (|bytes, slack| bytes[slack - 160..slack - 156].fill(0xff), "finite scale, found NaN"),
    ];
    for (change, expected) in changes {
        let folder = index();
        forge(folder.path(), ".safetensors", |bytes| {
            let at = slack(bytes, 39);
            change(bytes, at);
        });
        let error = verify_error(folder.path());
        assert!(error.contains(expected) && error.ends_with(" in row 39"), "{error}");
    }
    let folder = index();
    forge(folder.path(), ".safetensors", |bytes| {
        let mean = slack(bytes, 0) - 40 * 4 - 4 * 4;
        bytes[mean..mean + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let error = verify_error(folder.path());
    assert!(error.ends_with("mean: expected finite values, found others"), "{error}");
    for bad in [0.0f32, -1.0, 1.5, f32::NAN, f32::INFINITY] {
        let folder = index();
        forge(folder.path(), ".safetensors", |bytes| {
            let spread = slack(bytes, 40) + 4;
            bytes[spread..spread + 4].copy_from_slice(&bad.to_le_bytes());
        });
        let error = verify_error(folder.path());
        let expected = format!("spread: expected above 0 and at most 1, found {bad} at 1");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn wrong_labels_are_found_despite_a_valid_checksum() {
    let folder = index();
    forge(folder.path(), ".labels", |bytes| *bytes.last_mut().unwrap() = b'?');
    assert!(verify_error(folder.path()).contains("dictionary: expected "));
    let folder = index();
    forge(folder.path(), ".labels", |bytes| *bytes.last_mut().unwrap() = 0xff);
    assert!(verify_error(folder.path()).contains("found row 49, invalid utf-8"));
}

#[test]
fn fewer_labels_than_rows_are_found_on_open() {
    let folder = index();
    forge(folder.path(), ".labels", |bytes| {
        let two = interrogate::index::pack_labels(Path::new("x"), ["a", "b"]).unwrap();
        let text = bytes.len() - two.len();
        // The same size, but two labels: the second fills the rest.
        *bytes = [&two[..8], &two[8..12], &((2 + text) as u32).to_le_bytes()[..]].concat();
        bytes.extend(((2 + text) as u64).to_le_bytes());
        bytes.resize(bytes.len() + 2 + text, b'x');
    });
    let error = open_error(folder.path());
    assert!(error.ends_with("labels: expected 50, found 2"), "{error}");
}

#[test]
fn shard_of_wrong_shape_is_found_on_open() {
    let folder = index();
    forge(folder.path(), ".safetensors", |bytes| {
        let header = r#"{"embeds":{"dtype":"F16","shape":[20,8],"data_offsets":[0,320]}}"#;
        let length = bytes.len() - 8 - 320;
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        bytes[8..8 + length].copy_from_slice(format!("{header:length$}").as_bytes());
    });
    let error = open_error(folder.path());
    assert!(error.ends_with("shape of embeds: expected (40, 4), found (20, 8)"), "{error}");
}

/// Opening reads no label: the first use finds the change.
#[test]
fn label_file_changed_in_place_is_found_on_first_use() {
    let folder = index();
    let name = name(folder.path(), ".labels");
    let used = Index::open(folder.path()).unwrap();
    let unused = Index::open(folder.path()).unwrap();
    let first = used.tables()[0].label(0).unwrap().to_owned();
    edit(&folder.path().join(&name), |bytes| {
        let at = bytes.len() - 3;
        bytes[at] = b'?';
    });
    let query = features(&Fake::new(4), "label");
    for index in [unused, Index::open(folder.path()).unwrap()] {
        let table = &index.tables()[0];
        let ranked = table.rank(&query, 3).map(drop).unwrap_err().to_string();
        for error in [table.label(0).unwrap_err().to_string(), ranked] {
            assert!(error.contains(&format!("{name}: sha256: expected ")), "{error}");
        }
    }
    // What was read before the change stays as it was; a verification reads the file.
    assert_eq!(used.tables()[0].label(0).unwrap(), first);
    assert!(used.verify(|_| ()).unwrap_err().to_string().contains("sha256: expected "));
}

#[test]
fn label_with_a_newline_is_refused_despite_a_valid_checksum() {
    for end in ['\n', '\r', '\u{85}', '\u{2028}'] {
        let folder = index();
        forge(folder.path(), ".labels", |bytes| {
            let at = bytes.len() - end.len_utf8();
            end.encode_utf8(&mut bytes[at..]);
        });
        let error = verify_error(folder.path());
        assert!(error.contains("label: expected one line, found \"label"), "{error}");
        assert!(error.ends_with("in row 49"), "{error}");
    }
}

#[test]
fn nan_score_is_a_damaged_index() {
    let folder = index();
    forge(folder.path(), ".safetensors", |bytes| {
        let at = bytes.len() - 40 * 4 - 8; // the last row of four values, before the codes
        bytes[at..at + 2].copy_from_slice(&0x7e00u16.to_le_bytes());
    });
    let index = Index::open(folder.path()).unwrap();
    let query = [features(&Fake::new(4), "label")];
    let table = index.merged(&["a"]).unwrap();
    for order in [Order::Best, Order::Worst] {
        let error = table.rank_many(&query, 50, order).unwrap_err().to_string();
        let tail = ".safetensors: rows: expected finite values, found NaN in row 39";
        assert!(error.starts_with("damaged index: ") && error.ends_with(tail), "{error}");
        // NaN ranks after all numbers, so that a shorter ranking omits it.
        assert_eq!(table.rank_many(&query, 3, order).unwrap()[0].len(), 3);
    }
}

/// NaN gives no bound: the rows are read instead.
#[test]
fn nan_codes_change_no_answer() {
    let query = [features(&Fake::new(4), "label")];
    let ranked = |folder: &Path| {
        let index = Index::open(folder).unwrap();
        let table = index.merged(&["a"]).unwrap();
        let rank = |order| -> Vec<(usize, u32)> {
            let hits = table.rank_many(&query, 5, order).unwrap().remove(0);
            hits.iter().map(|hit| (hit.row, hit.score.to_bits())).collect()
        };
        [rank(Order::Best), rank(Order::Worst)]
    };
    let whole = ranked(index().path());
    // Mean (4), scales (40), slack (40) and spread (4), before rows and codes.
    for at in [0, 3, 4, 43, 44, 83, 84, 87] {
        let folder = index();
        forge(folder.path(), ".safetensors", |bytes| {
            let at = bytes.len() - 40 * (4 + 8) - (4 + 40 + 40 + 4) * 4 + at * 4;
            bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        });
        assert_eq!(ranked(folder.path()), whole, "value {at}");
    }
}

/// A valid manifest, and a sparse label file of the stated size.
#[test]
fn label_file_of_a_terabyte_is_refused() {
    let folder = index();
    let manifest = Manifest::open(folder.path()).unwrap();
    let mut tables = manifest.tables().to_vec();
    tables[0].label_file.bytes = 1 << 40;
    let manifest = Manifest::new(manifest.model().clone(), manifest.dim(), tables);
    fs::write(folder.path().join("manifest.json"), manifest.to_json().unwrap()).unwrap();
    let path = folder.path().join(name(folder.path(), ".labels"));
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let error = open_error(folder.path());
    assert!(error.ends_with("size: expected at most 5368709120 bytes, found 1099511627776"));
}
