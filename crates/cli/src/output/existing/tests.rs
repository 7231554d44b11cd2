use interrogate::limits;

use super::*;

impl ExistingRows {
    fn images(&self) -> usize {
        self.done() + self.failed()
    }
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn jsonl_cut_anywhere_keeps_its_whole_lines() {
    let lines: [&[u8]; 3] = [
        b"{\"image\":\"a.jpg\",\"caption\":\"x\\ny\",\"tokens\":[1]}\n",
        b"{\"image\":\"b.jpg\",\"error\":\"gone\"}\n",
        b"{\"image\":\"\xc3\xa9.jpg\",\"caption\":\"\",\"tokens\":[]}\n",
    ];
    let all = lines.concat();
    for end in 0..=all.len() {
        let existing = read_jsonl(file(&all[..end]).path(), &["caption", "tokens"]).unwrap();
        let (mut whole, mut ends) = (0, 0);
        for line in lines {
            if ends + line.len() > end {
                break;
            }
            (whole, ends) = (whole + 1, ends + line.len());
        }
        assert_eq!((existing.images(), existing.end), (whole, ends as u64), "{end}");
        assert_eq!(existing.failed(), usize::from(whole > 1));
    }
}

#[test]
fn zeros_at_the_end_are_not_rows() {
    let bytes = b"{\"image\":\"a\",\"error\":\"\"}\n\0\0\0\0";
    assert_eq!(read_jsonl(file(bytes).path(), &["caption"]).unwrap().end, 25);
}

#[test]
fn file_of_other_rows_is_refused() {
    let refused = |bytes: &[u8]| read_jsonl(file(bytes).path(), &["caption"]).unwrap_err();
    for bytes in [
        &b"{\"image\":\"a\",\"prompt\":\"\"}\n"[..],
        b"notes without an end",
        b"{\"image\":\"a\"}\n{\"image\":\"b\",\"caption\":\"\"}\n",
        b"\0\0\n",
        b"\n",
    ] {
        let error = refused(bytes).to_string();
        assert!(error.contains(": line 1: expected a JSON object with image, caption"), "{error}");
    }
    let error = read_csv(file(b"a,b\r\n").path(), b"image,error\r\n").unwrap_err().to_string();
    assert!(error.ends_with(": line 1: expected image,error, found a,b"), "{error}");
}

#[test]
fn edited_csv_is_refused() {
    let refused = |rows: &str| {
        let bytes = format!("image,error\r\n{rows}");
        read_csv(file(bytes.as_bytes()).path(), b"image,error\r\n").unwrap_err().to_string()
    };
    let error = refused("a.jpg,\r\nb.jpg\r\n");
    assert!(error.ends_with(": line 3: expected 2 columns, found b.jpg"), "{error}");
    let error = refused(&format!("\"a.jpg,\r\n{}", "b.jpg,\r\n".repeat(150_000)));
    assert!(error.contains(": line 2: expected a closing quote"), "{error}");
    let error = refused("\"a.jpg,\r\n\"b, c.jpg\",\r\n");
    assert!(error.contains(": line 2: expected cells quoted as in RFC 4180"), "{error}");
}

#[test]
fn csv_cut_anywhere_keeps_its_whole_rows() {
    let rows: [&[u8]; 4] = [
        b"image,caption,error\r\n",
        b"a.jpg,\"one, \"\"two\"\"\r\nthree\",\r\n",
        b"b.jpg,,gone\r\n",
        b"c.jpg,\"\"\"\",\r\n",
    ];
    let all = rows.concat();
    for end in 0..=all.len() {
        let existing = read_csv(file(&all[..end]).path(), rows[0]).unwrap();
        let (mut whole, mut ends) = (0, 0);
        for row in rows {
            if ends + row.len() > end {
                break;
            }
            (whole, ends) = (whole + 1, ends + row.len());
        }
        let images = usize::saturating_sub(whole, 1);
        assert_eq!((existing.images(), existing.end), (images, ends as u64), "{end}");
        assert_eq!(existing.failed(), usize::from(images > 1));
    }
}

/// A ranking of many labels is a row of megabytes.
#[test]
fn csv_row_may_have_any_length() {
    let header = b"image,labels,error\r\n";
    let long = format!("\"[{}]\"", "\"\"a, b\"\",".repeat(400_000));
    let rows = format!("image,labels,error\r\na.jpg,{long},\r\nb.jpg,{long},gone\r\n");
    let existing = read_csv(file(rows.as_bytes()).path(), header).unwrap();
    assert_eq!((existing.done(), existing.failed(), existing.end), (1, 1, rows.len() as u64));
    let cut = &rows[..rows.len() - 9];
    let existing = read_csv(file(cut.as_bytes()).path(), header).unwrap();
    assert_eq!((existing.done(), existing.failed()), (1, 0));
}

/// The file is sparse; a reader that buffers the zeros would run out of memory.
#[test]
fn long_zeros_at_the_end_are_not_rows_up_to_a_limit() {
    let header = b"image,error\r\n";
    for begun in ["", "b.jp", "\"b,"] {
        let rows = format!("image,error\r\na.jpg,\r\n{begun}");
        let file = file(rows.as_bytes());
        file.as_file().set_len(1 << 26).unwrap();
        assert_eq!(read_csv(file.path(), header).unwrap().end, 13 + 8);
    }
    let file = file(b"{\"image\":\"a\",\"error\":\"\"}\n{\"image\":\"b");
    file.as_file().set_len(1 << 26).unwrap();
    assert_eq!(read_jsonl(file.path(), &["caption"]).unwrap().end, 25);
    file.as_file().set_len(limits::ANSWER_ZEROS + (1 << 24)).unwrap();
    let error = read_jsonl(file.path(), &["caption"]).unwrap_err().to_string();
    assert!(error.contains("zeros at the end: expected at most 1073741824 "), "{error}");
}

#[test]
fn line_above_the_limit_is_refused() {
    let file = file(b"{\"image\":\"a\",\"caption\":\"");
    std::io::copy(&mut std::io::repeat(b'x').take(300 << 20), &mut file.as_file()).unwrap();
    let error = read_jsonl(file.path(), &["caption"]).unwrap_err().to_string();
    assert!(error.contains("line 1: expected a line of at most 268435456 bytes"), "{error}");
}

#[test]
fn image_name_above_the_limit_is_refused() {
    let rows = format!("image,error\r\n{},\r\n", "x".repeat(limits::ANSWER_NAME + 1));
    let error = read_csv(file(rows.as_bytes()).path(), b"image,error\r\n").unwrap_err().to_string();
    assert!(error.contains("line 2: expected an image's name of at most 8388608"), "{error}");
}

#[test]
fn retried_rows_are_removed_from_the_file() {
    let rows = "image,error\r\na.jpg,gone\r\nb.jpg,\r\nc.jpg,\"x, y\"\r\nd.jpg,\r\ne";
    let file = file(rows.as_bytes());
    let mut existing = read_csv(file.path(), b"image,error\r\n").unwrap();
    assert_eq!((existing.done(), existing.failed()), (2, 2));
    existing.retry_failed();
    assert!(
        existing.contains("b.jpg") && !existing.contains("a.jpg") && !existing.contains("c.jpg")
    );
    let end = existing.remove_retried(file.path()).unwrap();
    let left = "image,error\r\nb.jpg,\r\nd.jpg,\r\n";
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), left);
    assert_eq!(end, left.len() as u64);
}

#[test]
fn record_counts_before_an_error_of_the_same_image() {
    let lines = "{\"image\":\"a\",\"error\":\"\"}\n{\"image\":\"a\",\"caption\":\"\"}\n";
    let existing = read_jsonl(file(lines.as_bytes()).path(), &["caption"]).unwrap();
    assert_eq!((existing.done(), existing.failed()), (1, 0));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]

    /// The rows up to `end` of any file parse as the same rows.
    #[test]
    fn any_bytes_are_read_or_refused(
        picks in proptest::collection::vec(0..9usize, 0..48),
        is_json in proptest::prelude::any::<bool>(),
    ) {
        let csv_pieces = [&b"\""[..], b",", b"\r\n", b"\0", b"a", b"\r", b"\n", b"\"\"", b"b,,\r\n"];
        let json_pieces = [
            &b"{\"image\":"[..], b"\"a\"", b",\"error\":\"\"}\n", b"\0", b"}", b"\n", b"[", b"1,",
            b"{\"image\":\"b\",\"caption\":[[1]]}\n",
        ];
        let header = &b"image,caption,error\r\n"[..];
        let read = |bytes: &[u8]| {
            let file = file(bytes);
            if is_json { read_jsonl(file.path(), &["caption"]) } else { read_csv(file.path(), header) }
        };
        let pieces = if is_json { json_pieces } else { csv_pieces };
        let mut bytes = if is_json { Vec::new() } else { header.to_vec() };
        picks.iter().for_each(|&pick| bytes.extend(pieces[pick]));
        if let Ok(existing) = read(&bytes) {
            let again = read(&bytes[..existing.end as usize]).unwrap();
            assert_eq!((again.end, again.done, again.failed), (existing.end, existing.done, existing.failed));
        }
    }
}
