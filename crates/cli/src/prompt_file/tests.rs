use std::path::Path;

use proptest::prelude::*;

use super::*;

fn text(bytes: &[u8]) -> Result<Text<'_>> {
    Text::new(Path::new("p"), bytes, limits::LIST)
}

fn parsed(bytes: &[u8], format: Option<Format>) -> Result<Prompts> {
    read(text(bytes)?, format)
}

/// Image and prompt of each record.
fn records(bytes: &[u8]) -> Vec<(String, String)> {
    let records = parsed(bytes, None).unwrap().records.into_iter();
    records.map(|record| (record.image.unwrap_or_default(), record.prompt)).collect()
}

fn said(bytes: &[u8]) -> String {
    parsed(bytes, None).unwrap_err().to_string()
}

fn pair(image: &str, prompt: &str) -> (String, String) {
    (image.to_owned(), prompt.to_owned())
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const JSONL: &str = "{\"image\":\"a.jpg\",\"prompt\":\"a red ball\"}\n";

#[test]
fn json_lines_are_told_whatever_stands_before() {
    for before in ["", "\u{feff}", "\n", "\u{feff}\r\n  \n\n"] {
        let bytes = [before, JSONL].concat();
        assert_eq!(records(bytes.as_bytes()), [pair("a.jpg", "a red ball")], "{before:?}");
    }
    assert_eq!(records(&utf16(JSONL)), [pair("a.jpg", "a red ball")]);
    let execute = b"{\"id\":\"a\",\"prompt\":\"x\",\"embedding\":[0.5]}\r\n";
    assert_eq!(records(execute), [pair("a", "x")]);
    let spaced =
        b"  { \"image\" : \"a\", \"prompt\" : \"x\" }\n\n{\"image\":\"b\",\"prompt\":\"\"}";
    assert_eq!(records(spaced), [pair("a", "x"), pair("b", "")]);
}

#[test]
fn csv_is_told_by_its_header() {
    let plain = [pair("a.jpg", "a red ball"), pair("b.jpg", "two\nlines, \"quoted\"")];
    let csv = "image,prompt,caption,error\r\na.jpg,a red ball,,\r\nb.jpg,\"two\nlines, \"\"quoted\"\"\",,\r\n";
    for text in [csv.to_owned(), csv.replace("two\nlines,", "two\nlines;").replace(',', ";")] {
        let found = records(text.as_bytes());
        assert_eq!(found[0], plain[0]);
        assert_eq!(found[1].1.replace(';', ","), plain[1].1);
    }
    assert_eq!(records(&utf16(csv)), plain);
    assert_eq!(records(format!("\u{feff}\n \n{csv}").as_bytes()), plain);
    assert_eq!(records(b"prompt\tid\nx, y\ta\n"), [pair("a", "x, y")]);
    let failed = parsed(b"image,prompt,error\na,,broken\nb,x,\n", None).unwrap();
    assert_eq!(failed.failed, [("p:2".into(), "broken".to_owned())]);
    assert_eq!(failed.records.len(), 1);
}

#[test]
fn plain_lines_are_all_else() {
    for text in [
        "a cat\n{b}\n",
        "{red, blue} ball\n",
        "{red|blue}\n[{a|b}:0.5]\n",
        "[cat:dog:0.5]\n",
        "text, logo\n",
        "image, prompt\n",
        "a prompt, an image\n",
        "\"image\"\n",
    ] {
        let found = parsed(text.as_bytes(), None).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let prompts: Vec<&str> = found.records.iter().map(|record| &*record.prompt).collect();
        assert_eq!(prompts, lines);
    }
    let found = parsed("\u{feff}\n a cat \r\n\t\ndog".as_bytes(), None).unwrap();
    assert_eq!(found.blank, 2);
    let prompts: Vec<&str> = found.records.iter().map(|record| &*record.prompt).collect();
    assert_eq!(prompts, [" a cat ", "dog"]);
    assert_eq!(parsed(b"", None).unwrap(), Prompts::default());
}

#[test]
fn what_may_be_meant_otherwise_is_refused() {
    let expected = "p: format: expected JSON lines, CSV with image and prompt, or plain lines";
    for (bytes, found) in [
        (&b"PAR1\x15\x04"[..], "Parquet"),
        (b"{\"image\":\"a.jpg\",\"pro", "the beginning of a JSON object"),
        (b"{\n  \"image\": \"a\"\n}\n", "the beginning of a JSON object"),
        (b"[{\"image\":\"a\"}]", "a JSON array"),
        (b"\n[\n", "a JSON array"),
        (b"prompt\na cat\n", "the header of a CSV without image"),
        (b"prompt,score\na cat,1\n", "the header of a CSV without image"),
    ] {
        assert_eq!(said(bytes), format!("{expected}, found {found}"));
    }
    assert_eq!(
        said(format!("a cat\n{JSONL}").as_bytes()),
        "p:2: format: expected plain lines as before, found a JSON object"
    );
}

#[test]
fn a_format_that_is_named_is_taken() {
    let lines = format!("{JSONL}prompt\n");
    assert_eq!(parsed(lines.as_bytes(), Some(Format::Lines)).unwrap().records.len(), 2);
    let csv = parsed(b"prompt\na cat\n", Some(Format::Csv(b','))).unwrap().records;
    assert_eq!(csv, [Record { image: None, prompt: "a cat".to_owned() }]);
    let error = parsed(b"a cat\n", Some(Format::Jsonl)).unwrap_err().to_string();
    assert!(error.starts_with("p:1: record: expected a JSON object with image and"), "{error}");
    let error = parsed(b"a cat\n", Some(Format::Csv(b','))).unwrap_err().to_string();
    assert_eq!(error, "p:1: record: expected a header with image and prompt, found none");
}

#[test]
fn a_record_that_is_none_is_named_by_its_line() {
    for (more, found) in [
        ("{\"image\":\"b\"}", "no prompt"),
        ("{\"prompt\":\"b\"}", "no image"),
        ("a cat", "expected value at line 1 column 1"),
    ] {
        let error = said(format!("{JSONL}\n{more}\n").as_bytes());
        let expected = "p:3: record: expected a JSON object with image and prompt, found ";
        assert_eq!(error, format!("{expected}{found}"));
    }
    let error = said(b"image,prompt\na,x\nb\n");
    assert_eq!(error, "p:3: record: expected 2 fields or more, found 1");
    assert!(said(b"image,prompt\na,caf\xe9\n").starts_with("p:2: text: expected UTF-8, found "));
    assert!(said(b"a\ncaf\xe9\n").starts_with("p:2: text: expected UTF-8, found "));
}

#[test]
fn what_is_too_long_is_refused() {
    let long = "x".repeat(limits::LINE + 1);
    assert_eq!(said(long.as_bytes()), "p:1: length: expected at most 65536 bytes, found more");
    let json = format!("{{\"image\":\"a\",\"prompt\":\"{long}\"}}");
    assert_eq!(said(json.as_bytes()), "p:1: prompt: expected at most 65536 bytes, found 65537");
    let csv = format!("image,prompt\na,{long}\n");
    assert_eq!(said(csv.as_bytes()), "p:2: prompt: expected at most 65536 bytes, found 65537");
}

/// A quote that is never closed, and a line that never ends.
#[test]
fn a_stream_without_an_end_is_refused_soon() {
    let endless = |begin: &'static [u8], byte| {
        let stream = begin.chain(io::repeat(byte));
        let text = Text::new(Path::new("p"), stream, u64::MAX).unwrap();
        read(text, None).unwrap_err().to_string()
    };
    let record = "p: size: expected at most 16777216 bytes a record, found more";
    assert_eq!(endless(b"image,prompt\na,\"", b'x'), record);
    assert!(endless(b"{\"image\":\"", b'x').ends_with("found the beginning of a JSON object"));
    for byte in [0, b'x'] {
        assert!(endless(b"", byte).ends_with("expected at most 65536 bytes, found more"));
    }
}

proptest! {
    /// What `prompt -o FILE` writes comes back, whatever the prompt holds.
    #[test]
    fn a_csv_comes_back(rows in prop::collection::vec(("[^\0]{1,9}", "[^\0]{0,19}"), 1..5)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["image", "prompt", "error"]).unwrap();
        for (image, prompt) in &rows {
            writer.write_record([image, prompt, ""]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let wanted: Vec<_> = rows
            .into_iter()
            .filter(|(image, prompt)| !(image.trim().is_empty() && prompt.trim().is_empty()))
            .collect();
        prop_assert_eq!(records(&bytes), wanted);
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
        for begin in [&b""[..], b"\xff\xfe", b"image,prompt\n", b"{\"image\":\"a\",\"prompt\":\"b\"}\n"] {
            let _ = parsed(&[begin, &bytes].concat(), None);
        }
    }
}

#[test]
fn a_record_is_named_by_the_line_on_which_it_begins() {
    let rows =
        ["image,prompt,error", "", "a.jpg,\"one\n\ntwo\",", "b.jpg,,gone", "", "", "c.jpg,,lost"];
    for end in ["\n", "\r\n"] {
        let found = parsed(rows.join(end).as_bytes(), None).unwrap();
        let lines: Vec<_> = found.failed.iter().map(|(at, _)| at.display().to_string()).collect();
        assert_eq!(lines, ["p:6", "p:9"], "{end:?}");
    }
}
