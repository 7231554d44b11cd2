//! Archives with unusual or hostile members.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;
use tar::{EntryType, Header};

use crate::run::{Folder, RunOutput, repository};
use crate::user_folders::isolate;

fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// A header and its content, padded to whole blocks.
fn member(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, kind, content.len() as u64).as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// Writes `pieces` and the end-of-archive blocks to `a.tar`, and embeds its images.
fn embed(folder: &Folder, pieces: &[&[u8]], code: i32) -> RunOutput {
    folder.write("a.tar", [pieces, &[&[0; 1024]]].concat().concat());
    let model = repository().join("tests/fixtures/clip/quick");
    folder.run(&["embed", "images", "a.tar", "--model", model.to_str().unwrap()]).expect(code)
}

/// The name and the error of each row; an empty string is no error.
fn images(output: &RunOutput) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    output.rows().iter().map(|row| (text(&row["image"]), text(&row["error"]))).collect()
}

fn photo(folder: &Folder) -> Vec<u8> {
    fs::read(folder.path("photos/cat.jpg")).unwrap()
}

#[test]
fn long_names_are_read_in_both_forms() {
    let folder = Folder::new();
    let photo = photo(&folder);
    let long = format!("{}/0.jpg", "d".repeat(300));
    let pax = |key: &str, value: &str| {
        let line = |length: usize| format!("{length} {key}={value}\n");
        let length = (1..).find(|&length| line(length).len() == length).unwrap();
        line(length).into_bytes()
    };
    let pieces = [
        member("././@LongLink", EntryType::GNULongName, format!("{long}\0").as_bytes()),
        member("short", EntryType::Regular, &photo),
        member("x", EntryType::XHeader, &pax("path", &long.replace("0.jpg", "1.jpg"))),
        member("short", EntryType::Regular, &photo),
        member("g", EntryType::XGlobalHeader, &pax("comment", "x")),
        member("2.jpg", EntryType::Regular, &photo),
    ];
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let output = embed(&folder, &pieces, 0);
    let names: Vec<String> = images(&output).into_iter().map(|(image, _)| image).collect();
    let second = long.replace("0.jpg", "1.jpg");
    assert_eq!(names, [format!("a.tar/{long}"), format!("a.tar/{second}"), "a.tar/2.jpg".into()]);
}

/// The archive is a sparse file of 9 GB: only a reader that loads the name takes memory.
#[test]
fn oversized_member_name_is_refused_after_earlier_members_are_written() {
    let folder = Folder::new();
    let first = member("0.jpg", EntryType::Regular, &photo(&folder));
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let long = header("././@LongLink", kind, 8 << 30);
        embed(&folder, &[&first, long.as_bytes()], 1);
        let file = fs::File::options().write(true).open(folder.path("a.tar")).unwrap();
        file.set_len(9 << 30).unwrap();
        let model = repository().join("tests/fixtures/clip/quick");
        let args = ["embed", "images", "a.tar", "--model", model.to_str().unwrap()];
        let mut command = folder.command(&args);
        // A process that loads the whole name exceeds this limit.
        if cfg!(target_os = "linux") {
            let program = command.get_program().to_owned();
            command = std::process::Command::new("sh");
            command.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]).arg(program).args(args);
            isolate(command.current_dir(folder.path("")), &folder.path(""));
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let expected = format!(
            "error: a.tar: archive: expected a name or attributes of at most 1048576 bytes at byte \
             {}, found 8589934592",
            first.len()
        );
        assert!(stderr.contains(&expected), "{stderr}");
        assert!(
            String::from_utf8(output.stdout).unwrap().starts_with("{\"image\":\"a.tar/0.jpg\"")
        );
    }
}

#[test]
fn links_are_followed_and_special_members_are_reported() {
    let folder = Folder::new();
    let photo = photo(&folder);
    let link = |name: &str, kind: EntryType, to: &str| {
        let mut header = header(name, kind, 0);
        header.set_link_name_literal(to).unwrap();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let mut sparse = header("sparse.jpg", EntryType::GNUSparse, 0);
    sparse.as_gnu_mut().unwrap().set_real_size(1 << 40);
    sparse.as_gnu_mut().unwrap().set_is_extended(true);
    sparse.set_cksum();
    let pieces = [
        member("./0.jpg", EntryType::Regular, &photo),
        link("hard.jpg", EntryType::Link, "./0.jpg"),
        link("harder.jpg", EntryType::Link, "hard.jpg"),
        link("early.jpg", EntryType::Link, "late.jpg"),
        link("soft.jpg", EntryType::Symlink, "0.jpg"),
        sparse.as_bytes().to_vec(),
        vec![0; 512], // the rest of the sparse map
        member("../../etc/1.jpg", EntryType::Regular, &photo),
        member("0.jpg", EntryType::Regular, b"another of this name"),
        member("__MACOSX/._0.jpg", EntryType::Regular, b"not an image"),
        member("folder.jpg/", EntryType::Directory, b""),
        member("notes.txt", EntryType::Regular, b"x"),
    ];
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let output = embed(&folder, &pieces, 1);
    let found = images(&output);
    let names: Vec<&str> = found.iter().map(|(image, _)| image.as_str()).collect();
    let expected = [
        "a.tar/0.jpg",
        "a.tar/hard.jpg",
        "a.tar/harder.jpg",
        "a.tar/early.jpg",
        "a.tar/sparse.jpg",
        "a.tar/../../etc/1.jpg",
    ];
    assert_eq!(names, expected);
    let errors: Vec<&str> = found.iter().map(|(_, error)| error.as_str()).collect();
    assert!(errors[3].ends_with("expected a hard link to a file before it, found one to late.jpg"));
    assert!(errors[4].ends_with("expected a file that is stored whole, found a sparse one"));
    assert!([0, 1, 2, 5].iter().all(|&at| errors[at].is_empty()), "{errors:?}");
    let expected = "skipped 1 file: 1 .txt; 1 hidden; 1 symbolic link in archives; \
                1 with the name of an earlier member\n";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn concatenated_archives_are_read_and_errors_name_the_offset() {
    let folder = Folder::new();
    let photo = photo(&folder);
    let (first, second) =
        (member("0.jpg", EntryType::Regular, &photo), member("1.jpg", EntryType::Regular, &photo));
    let output = embed(&folder, &[&first, &[0; 10240], &second], 0);
    assert_eq!(images(&output).len(), 2);
    // A longer run of zeros ends the archive.
    let output = embed(&folder, &[&first, &[0; 1 << 20], &second], 0);
    assert_eq!(images(&output).len(), 1);
    let mut damaged = second.clone();
    damaged[0] ^= 1;
    let output = embed(&folder, &[&first, &damaged], 1);
    let error = format!(
        "a.tar: archive: expected a header at byte {}, found a wrong checksum",
        first.len()
    );
    assert_eq!(images(&output)[1], ("a.tar".into(), error));
}

/// Pipes `bytes` to a run over `tar:-`.
fn piped(folder: &Folder, args: &[&str], bytes: &[u8]) -> Output {
    let mut command = folder.command(args);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(bytes); // the program may refuse it
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn archive_on_stdin_and_gzip_give_the_rows_of_the_archive() {
    let folder = Folder::new();
    let pieces = [
        member("0.jpg", EntryType::Regular, &photo(&folder)),
        member("notes.txt", EntryType::Regular, &[b'x'; 5000]),
        member("1.jpg", EntryType::Regular, &fs::read(folder.path("photos/coffee.jpg")).unwrap()),
    ];
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let expected = embed(&folder, &pieces, 0);
    let tar = fs::read(folder.path("a.tar")).unwrap();
    let model = repository().join("tests/fixtures/clip/quick");
    let args = ["embed", "images", "tar:-", "--model", model.to_str().unwrap()];
    for bytes in [&tar, &gzip(&tar)] {
        let output = piped(&folder, &args, bytes);
        let (stdout, stderr) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let stdout = String::from_utf8(stdout).unwrap().replace("tar:-/", "a.tar/");
        assert_eq!(stdout, expected.stdout());
        assert!(stderr.contains("skipped 1 file: 1 .txt\n"), "{stderr}");
    }
    folder.write("a.tar.gz", gzip(&tar));
    let args = ["embed", "images", "a.tar.gz", "--model", model.to_str().unwrap()];
    let found = folder.run(&args).expect(0).stdout().replace("a.tar.gz/", "a.tar/");
    assert_eq!(found, expected.stdout());
    // Cut off.
    let whole = gzip(&tar);
    folder.write("a.tar.gz", &whole[..whole.len() - 3000]);
    let output = folder.run(&args).expect(1);
    assert!(output.stderr().contains("error: a.tar.gz: archive cut short: expected "));
    let output = piped(&folder, &["embed", "images", "tar:-"], &tar[..tar.len() - 3000]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: tar:-: archive cut short: expected "), "{stderr}");
}

#[test]
fn hard_link_in_a_stream_is_reported() {
    let folder = Folder::new();
    let mut link = header("1.jpg", EntryType::Link, 0);
    link.set_link_name_literal("0.jpg").unwrap();
    link.set_cksum();
    let first = member("0.jpg", EntryType::Regular, &photo(&folder));
    let last = member("2.jpg", EntryType::Regular, &photo(&folder));
    let pieces: [&[u8]; 4] = [&first, link.as_bytes(), &last, &[0; 1024]];
    folder.write("a.tgz", gzip(&pieces.concat()));
    let model = repository().join("tests/fixtures/clip/quick");
    let args = ["embed", "images", "a.tgz", "--model", model.to_str().unwrap()];
    let found = images(&folder.run(&args).expect(1));
    let expected = "a.tgz/1.jpg: member: expected a file, since gzip and standard input are read \
                    once, found a hard link to 0.jpg";
    assert_eq!(found[1], ("a.tgz/1.jpg".to_owned(), expected.to_owned()));
    assert!(found[0].1.is_empty() && found[2].1.is_empty(), "{found:?}");
}

#[test]
fn stdin_is_read_once() {
    let folder = Folder::new();
    for args in [&["-", "tar:-"][..], &["tar:-", "--filelist", "-"]] {
        let output = folder.run(&[&["embed", "images"], args].concat()).expect(2);
        let expected = "error: standard input cannot be both a list and tar:-\nhint: ";
        assert!(output.stderr().starts_with(expected), "{}", output.stderr());
    }
    let blip = repository().join("tests/fixtures/caption/blip");
    let args = ["prompt", "tar:-", "--two-pass", "--caption-model", blip.to_str().unwrap()];
    let output = folder.run(&args).expect(2);
    let expected = "error: --two-pass reads images twice, and standard input can be read once\n";
    assert!(output.stderr().contains(expected), "{}", output.stderr());
}

#[test]
fn range_of_archives_is_expanded() {
    let folder = Folder::new();
    let photo = member("0.jpg", EntryType::Regular, &photo(&folder));
    for name in ["s/shard-009.tar", "s/shard-010.tar"] {
        folder.write(name, [&photo[..], &[0; 1024]].concat());
    }
    let model = repository().join("tests/fixtures/clip/quick");
    let embed =
        |name: &str| folder.run(&["embed", "images", name, "--model", model.to_str().unwrap()]);
    let found = images(&embed("s/shard-{009..010}.tar").expect(0));
    let names: Vec<&str> = found.iter().map(|(image, _)| image.as_str()).collect();
    assert_eq!(names, ["s/shard-009.tar/0.jpg", "s/shard-010.tar/0.jpg"]);
    let output = embed("s/shard-{009..011}.tar").expect(1);
    assert!(output.stderr().contains("s/shard-011.tar"), "{}", output.stderr());
    let output = embed("s/{0..9999999}.tar").expect(2);
    let expected = "error: s/{0..9999999}.tar: names: expected at most 1048576, found 10000000\n";
    assert!(output.stderr().starts_with(expected), "{}", output.stderr());
}
