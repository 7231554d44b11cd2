//! Sparse files of more than 4 GiB, which take no disk space: offsets have 64 bits, and
//! opening does not read the gap.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::encoder::Features;
use interrogate::index::{
    Digest, FileEntry, Index, Manifest, ModelEntry, ShardEntry, TableEntry, pack_labels,
};
use interrogate::rank::{Order, Rows};
use interrogate::weights::Weights;

use crate::mutation::crc;

const DIM: usize = 4096;

/// 4 GiB of rows of 8 KiB, and sixteen more.
const ROWS: usize = (1 << 19) + 16;

/// Writes a sparse file of `length` bytes that begins with `start` and ends with `end`.
fn sparse(path: &Path, start: &[u8], length: u64, end: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(start).unwrap();
    file.set_len(length).unwrap();
    file.seek(SeekFrom::Start(length - end.len() as u64)).unwrap();
    file.write_all(end).unwrap();
}

/// A header with its length before it, padded to 64 bytes.
fn header(json: &str) -> Vec<u8> {
    let length = (8 + json.len()).next_multiple_of(64) - 8;
    [&(length as u64).to_le_bytes()[..], format!("{json:length$}").as_bytes()].concat()
}

#[test]
fn index_beyond_4_gib_is_read_up_to_its_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let values = ROWS * DIM * 2;
    let start = header(&format!(
        r#"{{"embeds":{{"dtype":"F16","shape":[{ROWS},{DIM}],"data_offsets":[0,{values}]}}}}"#
    ));
    let bytes = (start.len() + values) as u64;
    let texts: Vec<String> = (0..ROWS).map(|row| row.to_string()).collect();
    let labels = pack_labels(Path::new("a"), texts.iter().map(String::as_str)).unwrap();
    let table = TableEntry {
        name: "a".to_owned(),
        labels: ROWS,
        top: None,
        dictionary: Digest::of_labels(texts.iter().map(String::as_str)),
        label_file: FileEntry { bytes: labels.len() as u64, sha256: Digest::of(&labels) },
        // Not verified here: that would read the whole file.
        shards: vec![ShardEntry { rows: ROWS, bytes, sha256: Digest::of(b"") }],
    };
    let mut row = vec![f16::ZERO; DIM];
    row[DIM - 1] = f16::ONE;
    let row: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
    let path = |name: String| folder.path().join(name);
    sparse(&path(table.shard_names().next().unwrap()), &start, bytes, &row);
    std::fs::write(path(table.labels_name()), labels).unwrap();
    let model = ModelEntry { id: "m".into(), fingerprint: "f".into(), precision: None };
    let manifest = Manifest::new(model, DIM, vec![table]).to_json().unwrap();
    std::fs::write(path("manifest.json".into()), manifest).unwrap();

    let index = Index::open(folder.path()).unwrap();
    assert!(index.bytes() > 1 << 32);
    let table = index.table("a").unwrap();
    assert_eq!((table.len(), table.label(ROWS - 1).unwrap()), (ROWS, "524303"));
    let rows = Rows::new(DIM, table.rows()).unwrap();
    // The last rows alone, because a full scan would fill the page cache.
    let query = Features::new((0..DIM).map(|at| (at == DIM - 1) as u8 as f32).collect()).unwrap();
    let found = rows.part(ROWS - 9..ROWS).top_k(&[query], 1, Order::Best).unwrap();
    assert_eq!((found[0][0].row, found[0][0].score), (8, 1.0));
}

#[test]
fn weights_beyond_4_gib_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let far = (1u64 << 32) + 64;
    let start = header(&format!(
        r#"{{"far":{{"dtype":"F32","shape":[2],"data_offsets":[{far},{}]}},"wide":{{"dtype":"U8","shape":[{far}],"data_offsets":[0,{far}]}}}}"#,
        far + 8
    ));
    let end = [1.5f32.to_le_bytes(), 2.5f32.to_le_bytes()].concat();
    sparse(&path, &start, start.len() as u64 + far + 8, &end);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.values("far", &[2]).unwrap(), [1.5, 2.5]);
}

/// An archive whose second storage begins beyond 4 GiB, with zip64 records.
#[test]
fn archive_beyond_4_gib_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("model.pt");
    let text =
        |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let pickle: Vec<u8> = [
        b"\x80\x02}("[..].to_vec(),
        text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("1"),
        text("cpu"),
        b"K\x02tQK\x00K\x02\x85K\x01\x85\x89}tRu.".to_vec(),
    ]
    .concat();
    let far = (1u64 << 32) + 4096;
    let values = [1.5f32.to_le_bytes(), 2.5f32.to_le_bytes()].concat();
    // The reader uses only the lengths of the name and of the extra field.
    let local = |name: &str, bytes: &[u8]| {
        let mut header = b"PK\x03\x04".to_vec();
        header.extend([0; 22]);
        header.extend([name.len() as u8, 0, 0, 0]);
        [&header[..], name.as_bytes(), bytes].concat()
    };
    let central = |name: &str, bytes: &[u8], crc: u32, start: u64| {
        let mut record = b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        record.extend(crc.to_le_bytes());
        record.extend([(bytes.len() as u32).to_le_bytes(); 2].concat());
        record.extend([name.len() as u8, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        record.extend([0xff; 4]);
        record.extend(name.as_bytes());
        record.extend(b"\x01\0\x08\0");
        record.extend(start.to_le_bytes());
        record
    };
    let start = local("m/data.pkl", &pickle);
    let last = local("m/data/1", &values);
    let directory = [
        central("m/data.pkl", &pickle, crc(&pickle), 0),
        central("m/data/1", &values, crc(&values), far),
    ]
    .concat();
    let (at, size) = (far + last.len() as u64, directory.len() as u64);
    let mut end = [&last[..], &directory, b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0"].concat();
    end.extend([0; 8]);
    [2, 2, size, at].iter().for_each(|field| end.extend(field.to_le_bytes()));
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((at + size).to_le_bytes());
    end.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    end.extend([0xff; 12]);
    end.extend([0, 0]);
    sparse(&path, &start, far + end.len() as u64, &end);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.values("w", &[2]).unwrap(), [1.5, 2.5]);
}
