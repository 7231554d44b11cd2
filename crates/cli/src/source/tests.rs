use super::*;
use std::io::{Seek, Write};

use interrogate::limits;

/// A .tar of these files, as WebDataset writes it.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn shard() -> Vec<u8> {
    tar(&[("0.jpg", b"zero"), ("0.txt", b"text"), ("deep/1.PNG", &[1; 700]), ("2.webp", b"two")])
}

/// The numbers and names of the wanted images, and where their bytes are: `file`, a count,
/// or the end of an error message.
fn walk_all(
    folder: &Path,
    source: &Source,
    wanted: &dyn Fn(&Name) -> bool,
) -> Vec<(usize, String, String)> {
    let mut images = Vec::new();
    let _ = source.walk(wanted, &mut |image| {
        let below = image.name.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let body = match image.body {
            Body::File(_) => "file".to_owned(),
            Body::Url(url) => url,
            Body::Bytes(bytes) => bytes.len().to_string(),
            Body::Lost(error) => error.to_string().rsplit(": ").next().unwrap().to_owned(),
        };
        images.push((image.number, below, body));
        ControlFlow::Continue(())
    });
    images
}

fn row(number: usize, name: &str, body: &str) -> (usize, String, String) {
    (number, name.to_owned(), body.to_owned())
}

#[test]
fn images_of_an_archive_take_the_place_of_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("b.tar"), shard()).unwrap();
    let source =
        Source::collect(&args::Images::at(vec![path("c.jpg"), path("b.tar"), path("a.jpg")]))
            .unwrap();
    assert_eq!(source.len(), None);
    let expected = [
        row(0, "a.jpg", "file"),
        row(1, "b.tar/0.jpg", "4"),
        row(2, "b.tar/deep/1.PNG", "700"),
        row(3, "b.tar/2.webp", "3"),
        row(4, "c.jpg", "file"),
    ];
    assert_eq!(walk_all(folder.path(), &source, &|_| true), expected);
    let some = walk_all(folder.path(), &source, &|name| !name.text.contains("1.PNG"));
    assert_eq!(some, [&expected[..2], &expected[3..]].concat());
}

#[test]
fn truncated_archive_gives_the_images_before_the_cut_and_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (shard(), folder.path().join("a.tar"));
    let source = Source::collect(&args::Images::at(vec![path.clone()])).unwrap();
    // Headers and contents are whole blocks; the last two are zeros.
    let ends = [(1024, "0.jpg"), (2048 + 512 + 1024, "deep/1.PNG"), (2048 + 2048 + 512, "2.webp")];
    for end in (0..whole.len() - 512).step_by(97).chain([512, 1024, 4608]) {
        std::fs::File::create(&path).unwrap().write_all(&whole[..end]).unwrap();
        let images = walk_all(folder.path(), &source, &|_| true);
        let (cut, before) = images.split_last().unwrap();
        assert_eq!((cut.0, cut.1.as_str()), (before.len(), "a.tar"), "{end}");
        // Content may end before its block does.
        let least = ends.iter().filter(|(at, _)| *at <= end).count();
        assert!([least, least + 1].contains(&before.len()), "{end}: {images:?}");
        for ((_, name, _), (_, expected)) in before.iter().zip(ends) {
            assert_eq!(name, &format!("a.tar/{expected}"), "{end}");
        }
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(walk_all(folder.path(), &source, &|_| true).len(), 3);
}

#[test]
fn list_keeps_its_order_without_duplicates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let list = ["z.jpg", "b.jpg", "z.jpg", "a.jpg"].map(|name| path(name).display().to_string());
    std::fs::write(path("list"), list.join("\n")).unwrap();
    let args =
        args::Images { filelist: Some(path("list")), ..args::Images::at(vec![path("b.jpg")]) };
    let source = Source::collect(&args).unwrap();
    let expected = [row(0, "b.jpg", "file"), row(1, "z.jpg", "file"), row(2, "a.jpg", "file")];
    assert_eq!(walk_all(folder.path(), &source, &|_| true), expected);
    assert_eq!(source.len(), Some(3));
}

/// Long names of GNU and pax, a link and a sparse file, with valid checksums.
fn every_kind() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_cksum();
    let long = format!("{}/0.jpg", "d".repeat(120));
    tar.append_data(&mut header, long, &b"abc"[..]).unwrap();
    tar.append_pax_extensions([("path", &b"1.jpg"[..]), ("size", b"3")]).unwrap();
    tar.append_data(&mut header, "short", &b"abc"[..]).unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Link);
    tar.append_link(&mut header, "2.jpg", "1.jpg").unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.as_gnu_mut().unwrap().set_is_extended(true);
    header.set_path("3.jpg").unwrap();
    header.set_cksum();
    tar.append(&header, &[0; 512][..]).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn corrupted_archive_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (every_kind(), folder.path().join("a.tar"));
    let source = Source::collect(&args::Images::at(vec![path.clone()])).unwrap();
    // Written in place: truncating the file first is slow on some systems.
    let mut file = std::fs::File::create(&path).unwrap();
    let mut walk = |bytes: &[u8]| {
        file.seek(std::io::SeekFrom::Start(0)).unwrap();
        file.write_all(bytes).unwrap();
        walk_all(folder.path(), &source, &|_| true).len()
    };
    assert_eq!(walk(&whole), 4);
    for at in (0..whole.len()).step_by(3) {
        for value in [0, 0xff, b'9'] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            assert!(walk(&bytes) <= 6, "{at}");
            // The same with a valid checksum.
            let block = &mut bytes[at / 512 * 512..][..512];
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
            assert!(walk(&bytes) <= 6, "{at}");
        }
    }
}

/// gzip of `bytes`.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_archive_is_read_whatever_its_ending() {
    let folder = tempfile::tempdir().unwrap();
    let tar = shard();
    let halves = [gzip(&tar[..1500]), gzip(&tar[1500..])].concat();
    let contents = [gzip(&tar), halves, tar];
    for name in ["a.tar.gz", "a.TGZ", "a.tar"] {
        let path = folder.path().join(name);
        for bytes in &contents {
            std::fs::write(&path, bytes).unwrap();
            let source = Source::collect(&args::Images::at(vec![path.clone()])).unwrap();
            assert!(source.has_archives() && !source.is_read_once());
            let inner = |inner: &str| format!("{name}/{inner}");
            let expected = [
                row(0, &inner("0.jpg"), "4"),
                row(1, &inner("deep/1.PNG"), "700"),
                row(2, &inner("2.webp"), "3"),
            ];
            assert_eq!(walk_all(folder.path(), &source, &|_| true), expected);
        }
    }
}

#[test]
fn damaged_gzip_archive_gives_an_error_and_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (gzip(&shard()), folder.path().join("a.tar.gz"));
    let source = Source::collect(&args::Images::at(vec![path.clone()])).unwrap();
    let walk = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut errors = Vec::new();
        let _ = source.walk(&|_| true, &mut |image| {
            if let Body::Lost(error) = image.body {
                errors.push(error.to_string().rsplit("a.tar.gz: ").next().unwrap().to_owned());
            }
            ControlFlow::Continue(())
        });
        errors
    };
    assert_eq!(walk(&whole), [""; 0]);
    for end in 2..whole.len() {
        assert_eq!(walk(&whole[..end]).len(), 1, "{end}");
    }
    let cut = &walk(&whole[..whole.len() / 2])[0];
    assert!(cut.starts_with("archive cut short: expected "), "{cut}");
    for at in 2..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        assert!(walk(&bytes).len() <= 3, "{at}");
    }
    // The checksum is compared when all members have been read.
    let mut bytes = whole.clone();
    bytes[whole.len() - 8] ^= 1;
    let error = &walk(&bytes)[0];
    assert!(error.starts_with("archive: expected gzip data, found corrupt gzip"), "{error}");
    let error = &walk(&[&whole[..], &b"junk".repeat(5)].concat())[0];
    assert!(error.starts_with("archive: expected gzip data, found invalid gzip header"));
}

/// A member that claims 2^40 bytes, and one that has 64 MiB of zeros, behind 64 kB of gzip.
#[test]
fn gzip_bomb_takes_the_memory_of_one_image_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tgz");
    let walk = |bytes: &[u8]| {
        std::fs::write(&path, gzip(bytes)).unwrap();
        let source = Source::collect(&args::Images::at(vec![path.clone()])).unwrap();
        walk_all(folder.path(), &source, &|_| true)
    };
    let header = |name: &str, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let zeros = vec![0; 64 << 20];
    // Not an image: skipped, and the next one is found.
    let tail = tar(&[("1.jpg", b"one")]);
    let found = walk(&[&header("0.bin", 64 << 20), &zeros[..], &tail].concat());
    assert_eq!(found, [row(0, "a.tgz/1.jpg", "3")]);
    // An image larger than allowed is not decompressed to memory.
    let found = walk(&header("0.jpg", 1 << 40));
    assert!(found[0].2.starts_with("expected at most") || found[0].1 == "a.tgz/0.jpg", "{found:?}");
    // One within the limit that is not there: memory for what is there.
    let found = walk(&[&header("0.jpg", 1 << 30), &zeros[..1000]].concat());
    assert_eq!(found.len(), 1);
    assert!(found[0].2.contains("1073741824 bytes of "), "{found:?}");
    // Contents around the first allocation are whole.
    for size in [(16 << 20) - 1, 16 << 20, (16 << 20) + 1] {
        let found = walk(&tar(&[("0.jpg", &zeros[..size]), ("1.jpg", b"one")]));
        assert_eq!(found, [row(0, "a.tgz/0.jpg", &size.to_string()), row(1, "a.tgz/1.jpg", "3")]);
    }
}

/// The names and the values that pass through, of each image of a source.
fn passed(source: Source) -> Vec<(String, Vec<Value>)> {
    let (source, _, _) = source.with_fields().unwrap();
    let mut images = Vec::new();
    let _ = source.walk(&|_| true, &mut |Image { name, .. }| {
        let text = name.text.rsplit('/').next().unwrap().to_owned();
        images.push((text, name.fields));
        ControlFlow::Continue(())
    });
    images
}

fn sample(key: &str, json: Option<&str>, txt: Option<&str>) -> Vec<Value> {
    let text = |text: Option<&str>| text.map_or(Value::Missing, |it| Value::Text(it.to_owned()));
    vec![text(Some(key)), text(json), text(txt)]
}

#[test]
fn images_carry_the_key_and_the_texts_of_their_sample() {
    let folder = tempfile::tempdir().unwrap();
    let long = vec![b'x'; limits::PASSED_TEXT as usize + 1];
    let members: [(&str, &[u8]); 12] = [
        ("0.jpg", b"a"),
        ("0.json", b"{}"),
        ("0.txt", b"t\xff"),
        ("1.txt", b"first"),
        ("1.cls", b"2"),
        ("1.png", b"b"),
        ("1.seg.png", b"c"),
        ("d/1.json", b"{\"d\":1}"),
        ("d/1.webp", b"d"),
        ("2.jpg", b"e"),
        ("2.txt", &long),
        ("3.json", b"without an image"),
    ];
    let expected = [
        ("0.jpg", sample("0", Some("{}"), Some("t\u{fffd}"))),
        ("1.png", sample("1", None, Some("first"))),
        ("1.seg.png", sample("1", None, Some("first"))),
        ("1.webp", sample("d/1", Some("{\"d\":1}"), None)),
        ("2.jpg", sample("2", None, None)),
    ];
    let expected = expected.map(|(name, fields)| (name.to_owned(), fields));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar(&members)).unwrap();
    for (name, bytes) in [("a.tar", tar(&members)), ("a.tar.gz", gzip.finish().unwrap())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let source = Source::collect(&args::Images::at(vec![path])).unwrap();
        assert_eq!(passed(source), expected, "{name}");
    }
}

#[test]
fn images_before_damage_and_of_an_endless_sample_are_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let names: Vec<String> = (0..150).map(|number| format!("0.{number}.jpg")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"image"[..])).collect();
    let mut bytes = tar(&members);
    bytes.truncate(150 * 1024 - 700); // in the header of the last
    std::fs::write(&path, bytes).unwrap();
    let images = passed(Source::collect(&args::Images::at(vec![path])).unwrap());
    assert_eq!(images.len(), 150);
    assert!(images[..149].iter().all(|(_, fields)| *fields == sample("0", None, None)));
    assert_eq!(images[149], ("a.tar".to_owned(), vec![]));
}

#[test]
fn files_carry_their_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("7.b.jpg"), "").unwrap();
    let source = Source::collect(&args::Images::at(vec![folder.path().to_owned()])).unwrap();
    let expected = vec![Value::Text("7".to_owned())];
    assert_eq!(passed(source), [("7.b.jpg".to_owned(), expected)]);
}
