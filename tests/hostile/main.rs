//! Hostile image files: memory is bounded, errors have the path, and nothing panics or blocks.
//!
//! The allocator counts for the whole process, so that tests run one at a time.

#![allow(clippy::unwrap_used, reason = "a failed test panics")]

#[path = "../allocator.rs"]
mod allocator;
mod image_files;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use allocator::peak;
use image_files::{bmp, gif, jpeg, png, tiff, webp};
use interrogate::Error;
use interrogate::error::PictureError;
use interrogate::limits::PICTURE_PIXELS;
use interrogate::picture::{Picture, Preprocess, Resampling, Resize};

/// Most bytes of memory for a refused file.
const SMALL: usize = 1 << 20;

fn decode(bytes: &[u8]) -> interrogate::Result<Picture> {
    Picture::decode(bytes, Path::new("x"))
}

#[test]
fn decompression_bomb_is_refused_by_its_header() {
    let _guard = allocator::exclusive();
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
        let (error, memory) = peak(|| decode(&bytes).unwrap_err());
        let expected = format!("x: expected at most {PICTURE_PIXELS} pixels, found {pixels}");
        assert_eq!(error.to_string(), expected, "{name}");
        assert!(error.hint().unwrap().contains("scale the image down"));
        assert!(memory < SMALL, "{name}: {memory} bytes");
    }
    // The largest size that its header can state.
    let (error, memory) = peak(|| decode(&webp(16_383, 16_383)).unwrap_err());
    let expected =
        format!("x: expected at most {PICTURE_PIXELS} pixels, found {}", 16_383 * 16_383);
    assert_eq!((error.to_string(), memory < SMALL), (expected, true), "webp: {memory} bytes");
}

/// Few pixels of many bytes each are limited as well.
#[test]
fn picture_with_too_many_bytes_is_refused() {
    let _guard = allocator::exclusive();
    let (error, memory) = peak(|| decode(&png(13_000, 13_000, 16, 6)).unwrap_err());
    let expected = format!("x: expected at most {} bytes, found 1352000000", 1 << 30);
    assert_eq!(error.to_string(), expected);
    assert!(memory < SMALL, "{memory} bytes");
}

#[test]
fn callback_runs_before_pixels_are_allocated() {
    let _guard = allocator::exclusive();
    // The largest size allowed, with no data after the header.
    let bytes = png(13_377, 13_377, 8, 2);
    let before = allocator::now();
    let mut announced = 0;
    let error = Picture::decode_reserving(&bytes, Path::new("x"), |bytes| {
        announced = bytes;
        assert!(allocator::now() - before < SMALL);
    });
    assert!(error.is_err());
    // The decoded pixels and a copy; metadata; the tables of torchvision's and Pillow's resize.
    let pixels = 13_377 * 13_377 * 3;
    assert_eq!(announced, 2 * pixels + (1 << 20) + 64 * 13_377 + (512 << 10));
}

/// Only the first frame of a GIF is read: the others cost nothing.
#[test]
fn gif_decodes_only_its_first_frame() {
    let _guard = allocator::exclusive();
    let frames = vec![(0, 0, 2, 2); 100_000];
    let bytes = gif(2, 2, &frames);
    assert!(bytes.len() > 1_600_000);
    let start = Instant::now();
    let (picture, memory) = peak(|| decode(&bytes).unwrap());
    assert_eq!((picture.width(), picture.height()), (2, 2));
    assert!(memory < SMALL, "{memory} bytes");
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// A frame beyond the screen enlarges the picture, as in Pillow, within the limits of any
/// picture.
#[test]
fn gif_frame_beyond_the_screen_enlarges_the_picture() {
    let _guard = allocator::exclusive();
    for (frame, size) in [
        ((0, 0, 60_000, 60_000), None),
        ((60_000, 60_000, 5_000, 5_000), None),
        ((1, 1, 2, 2), Some((3, 3))),
        ((0, 0, 0, 0), Some((2, 2))),
    ] {
        let (decoded, memory) = peak(|| decode(&gif(2, 2, &[frame])));
        match (decoded, size) {
            (Ok(picture), size) => assert_eq!(Some((picture.width(), picture.height())), size),
            (Err(error), None) => assert!(error.to_string().contains("pixels"), "{error}"),
            // A frame without pixels may be refused as well.
            (Err(error), _) => assert_eq!(frame.2, 0, "{error}"),
        }
        assert!(memory < SMALL, "{frame:?}: {memory} bytes");
    }
}

/// Profiles, texts and EXIF that would unpack to a thousand times their size, or that claim
/// to exceed the file, are not unpacked.
#[test]
fn metadata_is_bounded_by_its_size() {
    let _guard = allocator::exclusive();
    let png = fixture("rgb.png");
    let packed = image_files::zeros(256 << 20);
    for (name, head) in
        [(b"iCCP", &b"x\0\0"[..]), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\x01\0\0\0"), (b"eXIf", b"")]
    {
        let chunk = image_files::chunk(name, &[head, &packed].concat());
        let bytes = [&png[..33], &chunk, &png[33..]].concat();
        let (decoded, memory) = peak(|| decode(&bytes));
        assert!(decoded.unwrap() == decode(&png).unwrap(), "{name:?}");
        assert!(memory < bytes.len() + 3 * SMALL, "{name:?}: {memory} bytes");
    }
    let jpeg = fixture("rgb.jpg");
    for (marker, head) in
        [(0xe1u8, &b"Exif\0\0"[..]), (0xe2, b"ICC_PROFILE\0\x01\xff"), (0xfe, b"")]
    {
        let segment = [&[0xff, marker, 0xff, 0xff], head, &vec![7; 65_533 - head.len()]].concat();
        let bytes = [&jpeg[..2], &segment.repeat(255), &jpeg[2..]].concat();
        let (decoded, memory) = peak(|| decode(&bytes));
        assert!(decoded.is_ok(), "{marker:#x}");
        assert!(memory < bytes.len() + 8 * SMALL, "{marker:#x}: {memory} bytes");
    }
    for name in [b"ICCP", b"EXIF", b"XMP "] {
        let webp = fixture("lossless.webp");
        let bytes = [&webp, &name[..], &[0xff, 0xff, 0xff, 0x7f]].concat();
        let (_, memory) = peak(|| decode(&bytes));
        assert!(memory < bytes.len() + SMALL, "{name:?}: {memory} bytes");
    }
}

/// The widest and the tallest picture: the filter's weights do not grow with its sides.
#[test]
fn resizing_the_longest_side_takes_bounded_memory() {
    let _guard = allocator::exclusive();
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
            let (small, memory) = peak(|| steps.cropped(&picture).unwrap());
            assert!(small.iter().all(|&value| value == 9), "{resampling:?}");
            assert!(memory < 4 * SMALL, "{resampling:?} {width}: {memory} bytes");
        }
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pictures");
    fs::read(folder.join(name)).unwrap()
}

/// An image followed by another format is read; one preceded by another is refused.
#[test]
fn polyglot_is_read_by_its_first_bytes() {
    let _guard = allocator::exclusive();
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let page = b"<html><script>alert(1)</script></html>";
    let png = fixture("rgb.png");
    for name in ["rgb.jpg", "rgb.png", "rgb.bmp", "palette.gif", "lossless.webp", "rgb.tif"] {
        let bytes = fixture(name);
        let alone = decode(&bytes).unwrap();
        for after in [&zip[..], page, &png, b"#!/bin/sh\nrm -rf /\n"] {
            let both = [&bytes, after].concat();
            assert!(decode(&both).unwrap() == alone, "{name}");
        }
        for before in [&b"%PDF-1.7\n"[..], b"#!/bin/sh\n", page, b"MZ", b"\0"] {
            let error = decode(&[before, &bytes].concat()).unwrap_err();
            assert!(
                matches!(error, Error::Picture(PictureError::Format { .. })),
                "{name}: {error}"
            );
        }
    }
    // A GIF that is also a script: its width is the start of a comment.
    let gif = fixture("palette.gif");
    let mut script = gif.clone();
    script[6..8].copy_from_slice(b"/*"); // as wide as these two bytes say
    let _ = decode(&script);
}

/// Every format truncated at every offset: an error with the path or a picture, and no more
/// memory than the whole file takes.
#[test]
fn truncated_picture_error_has_the_path_and_memory_is_bounded() {
    let _guard = allocator::exclusive();
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
            let (decoded, memory) = peak(|| Picture::decode(&bytes[..end], Path::new(name)));
            if let Err(error) = decoded {
                assert!(error.to_string().contains(name), "{error}");
            }
            assert!(
                memory <= whole + SMALL,
                "{name} truncated at {end}: {memory} bytes, whole {whole}"
            );
        }
    }
}

#[test]
fn file_extension_is_ignored() {
    let _guard = allocator::exclusive();
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
        assert!(
            matches!(open("x.jpg", bytes), Err(Error::Picture(PictureError::Format { .. }))),
            "{bytes:?}"
        );
    }
}

/// A pipe without a writer would block, and a device has no end.
#[test]
#[cfg(unix)]
fn special_files_are_refused_without_blocking() {
    let _guard = allocator::exclusive();
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
