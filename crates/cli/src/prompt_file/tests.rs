use std::io::{self, Read};
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

fn error(bytes: &[u8]) -> String {
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
fn json_lines_are_detected_after_blank_lines_and_a_mark() {
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
fn csv_is_detected_by_its_header() {
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
fn any_other_first_line_is_plain() {
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
fn ambiguous_file_is_refused() {
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
        assert_eq!(error(bytes), format!("{expected}, found {found}"));
    }
    assert_eq!(
        error(format!("a cat\n{JSONL}").as_bytes()),
        "p:2: format: expected a plain line, found a JSON object"
    );
}

#[test]
fn named_format_skips_detection() {
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
fn invalid_record_is_reported_with_its_line() {
    for (more, found) in [
        ("{\"image\":\"b\"}", "no prompt"),
        ("{\"prompt\":\"b\"}", "no image"),
        ("a cat", "expected value at line 1 column 1"),
    ] {
        let message = error(format!("{JSONL}\n{more}\n").as_bytes());
        let expected = "p:3: record: expected a JSON object with image and prompt, found ";
        assert_eq!(message, format!("{expected}{found}"));
    }
    let message = error(b"image,prompt\na,x\nb\n");
    assert_eq!(message, "p:3: record: expected 2 fields or more, found 1");
    assert!(error(b"image,prompt\na,caf\xe9\n").starts_with("p:2: text: expected UTF-8, found "));
    assert!(error(b"a\ncaf\xe9\n").starts_with("p:2: text: expected UTF-8, found "));
}

#[test]
fn prompt_above_the_limit_is_refused() {
    let long = "x".repeat(limits::LINE + 1);
    assert_eq!(error(long.as_bytes()), "p:1: length: expected at most 65536 bytes, found more");
    let json = format!("{{\"image\":\"a\",\"prompt\":\"{long}\"}}");
    assert_eq!(error(json.as_bytes()), "p:1: prompt: expected at most 65536 bytes, found 65537");
    let csv = format!("image,prompt\na,{long}\n");
    assert_eq!(error(csv.as_bytes()), "p:2: prompt: expected at most 65536 bytes, found 65537");
}

/// An unclosed quote, and a line without an end.
#[test]
fn endless_record_is_refused_at_the_limit() {
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
    /// A CSV as `prompt -o FILE` writes it is read back, whatever the prompts contain.
    #[test]
    fn csv_round_trips(rows in prop::collection::vec(("[^\0]{1,9}", "[^\0]{0,19}"), 1..5)) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
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
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
        for begin in [&b""[..], b"\xff\xfe", b"image,prompt\n", b"{\"image\":\"a\",\"prompt\":\"b\"}\n"] {
            let _ = parsed(&[begin, &bytes].concat(), None);
        }
    }
}

#[test]
fn record_is_reported_with_its_first_line() {
    let rows =
        ["image,prompt,error", "", "a.jpg,\"one\n\ntwo\",", "b.jpg,,gone", "", "", "c.jpg,,lost"];
    for end in ["\n", "\r\n"] {
        let found = parsed(rows.join(end).as_bytes(), None).unwrap();
        let lines: Vec<_> = found.failed.iter().map(|(at, _)| at.display().to_string()).collect();
        assert_eq!(lines, ["p:6", "p:9"], "{end:?}");
    }
}
