//! Image files that are made to do harm: what they take of memory is counted, what is
//! said of them is named, and none of them panics or is waited for.
//!
//! The allocator counts for the whole process, so the tests take turns.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../allocator.rs"]
mod allocator;
mod forms;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use allocator::peak;
use forms::{bmp, gif, jpeg, png, tiff, webp};
use interrogate::Error;
use interrogate::limits::PICTURE_PIXELS;
use interrogate::picture::{Picture, Preprocess, Resampling, Resize};

/// What a file that is refused may take beside its own size.
const LITTLE: usize = 1 << 20;

fn decode(bytes: &[u8]) -> interrogate::Result<Picture> {
    Picture::decode(bytes, Path::new("x"))
}

#[test]
fn decompression_bomb_is_refused_by_its_header() {
    let _alone = allocator::alone();
    let side = 65_535;
    let pixels = u64::from(side) * u64::from(side);
    for (name, bytes) in [
        ("png", png(side, side, 8, 2)),
        ("png of 16 bits", png(side, side, 16, 6)),
        ("gif", gif(65_535, 65_535, &[(0, 0, 65_535, 65_535)])),
        ("bmp", bmp(side, side)),
        ("jpeg", jpeg(65_535, 65_535)),
        ("tiff", tiff(side, side)),
    ] {
        let (error, took) = peak(|| decode(&bytes).unwrap_err());
        let expected = format!("x: expected at most {PICTURE_PIXELS} pixels, found {pixels}");
        assert_eq!(error.to_string(), expected, "{name}");
        assert!(error.hint().unwrap().contains("scale the image down"));
        assert!(took < LITTLE, "{name}: {took} bytes");
    }
    // The widest that its header can say.
    let (error, took) = peak(|| decode(&webp(16_383, 16_383)).unwrap_err());
    let expected =
        format!("x: expected at most {PICTURE_PIXELS} pixels, found {}", 16_383 * 16_383);
    assert_eq!((error.to_string(), took < LITTLE), (expected, true), "webp: {took} bytes");
}

/// Few pixels of many bytes each: they count too.
#[test]
fn picture_with_too_many_bytes_is_refused() {
    let _alone = allocator::alone();
    let (error, took) = peak(|| decode(&png(13_000, 13_000, 16, 6)).unwrap_err());
    let expected = format!("x: expected at most {} bytes, found 1352000000", 1 << 30);
    assert_eq!(error.to_string(), expected);
    assert!(took < LITTLE, "{took} bytes");
}

#[test]
fn callback_runs_before_pixels_are_allocated() {
    let _alone = allocator::alone();
    // As large as may be, and nothing behind the header.
    let bytes = png(13_377, 13_377, 8, 2);
    let before = allocator::now();
    let mut asked = 0;
    let error = Picture::decode_asking(&bytes, Path::new("x"), |bytes| {
        asked = bytes;
        assert!(allocator::now() - before < LITTLE);
    });
    assert!(error.is_err());
    // As decoded and a copy; metadata; torchvision's table and Pillow's.
    let pixels = 13_377 * 13_377 * 3;
    assert_eq!(asked, 2 * pixels + (1 << 20) + 64 * 13_377 + (512 << 10));
}

/// Of a GIF the first frame is read: what follows, were it without end, costs nothing.
#[test]
fn gif_decodes_only_its_first_frame() {
    let _alone = allocator::alone();
    let frames = vec![(0, 0, 2, 2); 100_000];
    let bytes = gif(2, 2, &frames);
    assert!(bytes.len() > 1_600_000);
    let start = Instant::now();
    let (picture, took) = peak(|| decode(&bytes).unwrap());
    assert_eq!((picture.width(), picture.height()), (2, 2));
    assert!(took < LITTLE, "{took} bytes");
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// Frames that reach beyond the screen: the picture grows, as Pillow's does, within the
/// limits of any picture.
#[test]
fn gif_frame_beyond_the_screen_enlarges_the_picture() {
    let _alone = allocator::alone();
    for (frame, size) in [
        ((0, 0, 60_000, 60_000), None),
        ((60_000, 60_000, 5_000, 5_000), None),
        ((1, 1, 2, 2), Some((3, 3))),
        ((0, 0, 0, 0), Some((2, 2))),
    ] {
        let (decoded, took) = peak(|| decode(&gif(2, 2, &[frame])));
        match (decoded, size) {
            (Ok(picture), size) => assert_eq!(Some((picture.width(), picture.height())), size),
            (Err(error), None) => assert!(error.to_string().contains("pixels"), "{error}"),
            // A frame of no pixels may be refused, too.
            (Err(error), _) => assert_eq!(frame.2, 0, "{error}"),
        }
        assert!(took < LITTLE, "{frame:?}: {took} bytes");
    }
}

/// A profile, a text and EXIF that unpack to a thousand times their size, or say that
/// they are larger than the file: nothing is unpacked.
#[test]
fn metadata_is_bounded_by_its_size() {
    let _alone = allocator::alone();
    let png = fixture("rgb.png");
    let packed = forms::zeros(256 << 20);
    for (name, head) in
        [(b"iCCP", &b"x\0\0"[..]), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\x01\0\0\0"), (b"eXIf", b"")]
    {
        let chunk = forms::chunk(name, &[head, &packed].concat());
        let bytes = [&png[..33], &chunk, &png[33..]].concat();
        let (decoded, took) = peak(|| decode(&bytes));
        assert!(decoded.unwrap() == decode(&png).unwrap(), "{name:?}");
        assert!(took < bytes.len() + 3 * LITTLE, "{name:?}: {took} bytes");
    }
    let jpeg = fixture("rgb.jpg");
    for (marker, head) in
        [(0xe1u8, &b"Exif\0\0"[..]), (0xe2, b"ICC_PROFILE\0\x01\xff"), (0xfe, b"")]
    {
        let segment = [&[0xff, marker, 0xff, 0xff], head, &vec![7; 65_533 - head.len()]].concat();
        let bytes = [&jpeg[..2], &segment.repeat(255), &jpeg[2..]].concat();
        let (decoded, took) = peak(|| decode(&bytes));
        assert!(decoded.is_ok(), "{marker:#x}");
        assert!(took < bytes.len() + 8 * LITTLE, "{marker:#x}: {took} bytes");
    }
    for name in [b"ICCP", b"EXIF", b"XMP "] {
        let webp = fixture("lossless.webp");
        let bytes = [&webp, &name[..], &[0xff, 0xff, 0xff, 0x7f]].concat();
        let (_, took) = peak(|| decode(&bytes));
        assert!(took < bytes.len() + LITTLE, "{name:?}: {took} bytes");
    }
}

/// As wide, and as tall, as a picture may be: a filter's weights do not grow with it.
#[test]
fn resizing_the_longest_side_takes_bounded_memory() {
    let _alone = allocator::alone();
    let long = 1 << 22;
    for (width, height) in [(long, 1), (1, long)] {
        let picture = Picture::from_rgb(width, height, vec![9; 3 * long as usize]).unwrap();
        for resampling in [Resampling::Pillow, Resampling::Torchvision] {
            let steps = Preprocess {
                resize: Resize::Exact { height: 24, width: 24 },
                crop: (24, 24),
                resampling,
                ..Preprocess::default()
            };
            let (small, took) = peak(|| steps.cropped(&picture).unwrap());
            assert!(small.iter().all(|&value| value == 9), "{resampling:?}");
            assert!(took < 4 * LITTLE, "{resampling:?} {width}: {took} bytes");
        }
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pictures");
    fs::read(folder.join(name)).unwrap()
}

/// An image with another format behind it, or in front of it, is that image, or none.
#[test]
fn polyglot_is_read_by_its_first_bytes() {
    let _alone = allocator::alone();
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let page = b"<html><script>alert(1)</script></html>";
    let png = fixture("rgb.png");
    for name in ["rgb.jpg", "rgb.png", "rgb.bmp", "palette.gif", "lossless.webp", "rgb.tif"] {
        let bytes = fixture(name);
        let alone = decode(&bytes).unwrap();
        for behind in [&zip[..], page, &png, b"#!/bin/sh\nrm -rf /\n"] {
            let both = [&bytes, behind].concat();
            assert!(decode(&both).unwrap() == alone, "{name}");
        }
        for before in [&b"%PDF-1.7\n"[..], b"#!/bin/sh\n", page, b"MZ", b"\0"] {
            let error = decode(&[before, &bytes].concat()).unwrap_err();
            assert!(matches!(error, Error::PictureFormat { .. }), "{name}: {error}");
        }
    }
    // One that begins as two: a JPEG in the comment of a GIF, and a GIF that is script.
    let gif = fixture("palette.gif");
    let mut script = gif.clone();
    script[6..8].copy_from_slice(b"/*"); // as wide as these two bytes say
    let _ = decode(&script);
}

/// Every format, cut at every offset: an error with the path, or a picture, and no
/// more memory than the whole takes.
#[test]
fn truncated_picture_is_named_and_takes_bounded_memory() {
    let _alone = allocator::alone();
    for name in [
        "rgb.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "orient-6.jpg",
        "rgb.png",
        "rgba16.png",
        "palette.png",
        "rgb.bmp",
        "palette.bmp",
        "palette.gif",
        "two-frames.gif",
        "lossless.webp",
        "lossy-alpha.webp",
        "orient-6.webp",
        "rgb.tif",
        "lzw.tif",
        "deflate.tif",
        "cmyk.tif",
    ] {
        let bytes = fixture(name);
        let (_, whole) = peak(|| decode(&bytes));
        for end in 0..bytes.len() {
            let (decoded, took) = peak(|| Picture::decode(&bytes[..end], Path::new(name)));
            if let Err(error) = decoded {
                assert!(error.to_string().contains(name), "{error}");
            }
            assert!(took <= whole + LITTLE, "{name} cut at {end}: {took} bytes, whole {whole}");
        }
    }
}

#[test]
fn file_extension_is_ignored() {
    let _alone = allocator::alone();
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Picture::open(&path)
    };
    for (ending, name) in [("png", "rgb.jpg"), ("jpg", "palette.gif"), ("gif", "rgb.tif")] {
        assert!(open(&format!("x.{ending}"), &fixture(name)).is_ok(), "{name} as .{ending}");
    }
    for bytes in [&b"\x7fELF"[..], b"SQLite format 3\0", b"<svg xmlns='x'/>", b"RIFF\0\0\0\0WAVE"] {
        assert!(matches!(open("x.jpg", bytes), Err(Error::PictureFormat { .. })), "{bytes:?}");
    }
}

/// A pipe that nobody writes to would be waited for; a device has no end.
#[test]
#[cfg(unix)]
fn special_files_are_refused_without_blocking() {
    let _alone = allocator::alone();
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(path("pipe.jpg")).status().unwrap().success());
    let _socket = UnixListener::bind(path("socket.jpg")).unwrap();
    symlink("/dev/zero", path("device.jpg")).unwrap();
    symlink("pipe.jpg", path("link.jpg")).unwrap();
    symlink("self.jpg", path("self.jpg")).unwrap();
    fs::create_dir(path("folder.jpg")).unwrap();
    for (name, found) in [
        ("pipe.jpg", "a pipe"),
        ("link.jpg", "a pipe"),
        ("socket.jpg", "a socket"),
        ("device.jpg", "a device"),
        ("folder.jpg", "a folder"),
    ] {
        let error = Picture::open(&path(name)).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("{name}: kind: expected a file, found {found}")),
            "{error}"
        );
    }
    let error = Picture::open(&path("self.jpg")).unwrap_err();
    assert!(error.to_string().starts_with("cannot open "), "{error}");
    let long = path(&format!("{}.jpg", "x/".repeat(2_500)));
    assert!(matches!(Picture::open(&long).unwrap_err(), Error::Io { .. }));
}
