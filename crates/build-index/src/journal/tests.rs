use std::collections::BTreeMap;

use zerocopy::IntoBytes;

use super::*;

const DIM: usize = 2;

/// Returns a row of unit length for each number.
fn row(n: u16) -> [f16; DIM] {
    let angle = f64::from(n) / 100.0;
    [angle.cos(), angle.sin()].map(f16::from_f64)
}

/// Writes a journal of three blocks, and returns where each record ends.
fn write_three_blocks(folder: &Path) -> Vec<u64> {
    let (mut journal, _) = open(folder);
    let mut ends = vec![journal.end];
    for (labels, first) in [(&["a", "b"][..], 1), (&["c"], 3), (&["d", "é"], 4)] {
        let rows: Vec<f16> = (first..).take(labels.len()).flat_map(|n| row(n * 16)).collect();
        assert_eq!(journal.append(labels, &rows).unwrap().count(), labels.len());
        ends.push(journal.end);
    }
    ends
}

/// Opens the journal of the model `f`, and returns the offset of each label's row.
fn open(folder: &Path) -> (Journal, BTreeMap<String, u64>) {
    open_as(folder, "f", DIM)
}

fn open_as(folder: &Path, model: &str, dim: usize) -> (Journal, BTreeMap<String, u64>) {
    let mut offsets = BTreeMap::new();
    let found = |label: &str, at| assert!(offsets.insert(label.to_owned(), at).is_none());
    let journal = Journal::open(folder, model, dim, found).unwrap();
    (journal, offsets)
}

/// Returns each label of the journal with its row.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (journal, offsets) = open(folder);
    let map = journal.map().unwrap();
    let row = |at: u64| map.as_ref()[at as usize..][..DIM * 2].to_vec();
    offsets.into_iter().map(|(label, at)| (label, row(at))).collect()
}

#[test]
fn rows_are_read_back_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    write_three_blocks(folder.path());
    let rows = contents(folder.path());
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "é"]);
    assert_eq!(rows["c"], row(48).as_bytes());
    assert_eq!(rows["é"], row(80).as_bytes());
}

#[test]
fn journal_cut_at_any_byte_keeps_whole_blocks_and_appends() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write_three_blocks(folder.path());
    let path = folder.path().join(JOURNAL);
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (mut journal, offsets) = open(folder.path());
        let blocks = ends.iter().filter(|&&end| end <= cut as u64).count().saturating_sub(1);
        assert_eq!(offsets.len(), [0, 2, 3, 5][blocks], "cut at {cut}");
        let at = journal.append(&["new"], &row(7)).unwrap().collect::<Vec<_>>();
        drop(journal);
        let offsets = open(folder.path()).1;
        assert_eq!((&at[..], offsets.len()), (&[offsets["new"]][..], [1, 3, 4, 6][blocks]));
        assert_eq!(contents(folder.path())["new"], row(7).as_bytes(), "cut at {cut}");
    }
}

#[test]
fn flipped_byte_ends_the_journal_at_its_block() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write_three_blocks(folder.path());
    let path = folder.path().join(JOURNAL);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        if (8..8 + MAGIC.len()).contains(&at) {
            let error = Journal::open(folder.path(), "f", DIM, |_, _| ()).err().unwrap();
            let tail = "content: expected the journal of a build, found a file of another program";
            assert!(error.to_string().ends_with(tail), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
            continue;
        }
        let offsets = open(folder.path()).1;
        let blocks = ends.iter().filter(|&&end| end <= at as u64).count().saturating_sub(1);
        assert_eq!(offsets.len(), [0, 2, 3, 5][blocks], "byte {at}");
    }
}

#[test]
fn journal_of_another_model_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    for (fingerprint, dim) in [("g", DIM), ("f", DIM + 1)] {
        write_three_blocks(folder.path());
        assert!(open_as(folder.path(), fingerprint, dim).1.is_empty());
        assert!(open(folder.path()).1.is_empty());
    }
}

/// A block whose checksum fits and whose second row is `bad`.
#[test]
fn block_with_an_invalid_row_is_skipped_and_later_blocks_are_read() {
    for bad in [[f16::NAN, f16::ONE], [f16::INFINITY, f16::ZERO], [f16::ZERO, f16::ZERO]] {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path());
        journal.append(&["a"], &row(1)).unwrap().for_each(drop);
        journal.append(&["b", "c"], &[row(2), bad].concat()).unwrap().for_each(drop);
        journal.append(&["d"], &row(4)).unwrap().for_each(drop);
        let (journal, offsets) = open(folder.path());
        assert_eq!(offsets.keys().collect::<Vec<_>>(), ["a", "d"], "{bad:?}");
        assert_eq!(journal.refused(), 1);
    }
}

#[cfg(unix)]
#[test]
fn link_is_refused_and_its_target_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    write_three_blocks(folder.path());
    let (mine, path) = (folder.path().join("mine"), folder.path().join(JOURNAL));
    fs::rename(&path, &mine).unwrap(); // a whole journal, once of another model
    let whole = fs::read(&mine).unwrap();
    for soft in [true, false] {
        if soft {
            std::os::unix::fs::symlink(&mine, &path).unwrap();
        } else {
            fs::hard_link(&mine, &path).unwrap();
        }
        for model in ["f", "g"] {
            let error = Journal::open(folder.path(), model, DIM, |_, _| ()).err().unwrap();
            let property = if soft { "kind: " } else { "links: " };
            assert!(error.to_string().contains(&format!("{JOURNAL}: {property}")), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), whole);
        }
        fs::remove_file(&path).unwrap();
    }
}

/// A length in a file without bytes after it: nothing is read, and no memory allocated.
#[test]
fn sparse_journal_ends_at_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    write_three_blocks(folder.path());
    let path = folder.path().join(JOURNAL);
    let end = fs::metadata(&path).unwrap().len();
    for length in [0, JOURNAL_RECORD + 1, 1 << 39] {
        let mut file = File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(end)).unwrap();
        file.write_all(&u64::to_le_bytes(length)).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(open(folder.path()).1.len(), 5);
        assert_eq!(fs::metadata(&path).unwrap().len(), end, "{length}");
    }
    // A file of zeros is not a journal.
    fs::write(&path, "").unwrap();
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(Journal::open(folder.path(), "f", DIM, |_, _| ()).is_err());
}

#[test]
fn removing_a_missing_journal_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    write_three_blocks(folder.path());
    remove(folder.path()).unwrap();
    assert!(!folder.path().join(JOURNAL).exists());
    remove(folder.path()).unwrap();
}
