//! Image files of every format: cut at each offset and changed in each byte.
//!
//! A picture takes memory by its width and height, whatever the file's size.
//! [`PICTURE_PIXELS`] and [`PICTURE_BYTES`] bound it, so that the limit here is theirs.

use std::fs;
use std::path::Path;

use interrogate::limits::{PICTURE_BYTES, PICTURE_PIXELS};
use interrogate::picture::{Picture, Preprocess};

use crate::mutation::{Reader, crc, never};
use crate::repository;

type Decoded = (u32, u32, Vec<f32>);

fn read(path: &Path) -> Result<Decoded, String> {
    let picture = Picture::open(path).map_err(|error| error.to_string())?;
    let (width, height) = (picture.width(), picture.height());
    assert_eq!(picture.rgb().len(), 3 * width as usize * height as usize);
    let steps = Preprocess {
        resize: interrogate::picture::Resize::ShorterSide(8),
        crop: (8, 8),
        ..Preprocess::default()
    };
    let pixels = steps.pixels(&picture).map_err(|error| error.to_string())?;
    Ok((width, height, pixels))
}

/// Mutates these fixtures.
fn mutate(names: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let from = repository().join("tests/fixtures/pictures").join(name);
        let path = folder.path().join(name);
        fs::copy(from, &path).unwrap();
        let memory = 3 * PICTURE_BYTES as usize;
        Reader { memory, ..Reader::new(path, &read) }.mutate(usize::MAX, never);
    }
}

#[test]
fn damaged_png_is_handled() {
    mutate(&["rgb.png", "bilevel.png", "palette-alpha.png", "grey-alpha.png", "orient-6.png"]);
}

#[test]
fn damaged_jpeg_is_handled() {
    mutate(&["grey.jpg", "cmyk.jpg", "progressive.jpg", "orient-6.jpg"]);
}

#[test]
fn damaged_webp_is_handled() {
    mutate(&["lossy.webp", "lossless-alpha.webp", "lossy-alpha.webp", "orient-6.webp"]);
}

#[test]
fn damaged_gif_is_handled() {
    mutate(&["palette.gif", "transparent.gif", "two-frames.gif"]);
}

#[test]
fn damaged_bmp_is_handled() {
    mutate(&["palette.bmp", "rgb.bmp"]);
}

#[test]
fn damaged_tiff_is_handled() {
    mutate(&["grey.tif", "deflate.tif", "lzw.tif"]);
}

#[test]
fn damaged_qoi_is_handled() {
    mutate(&["rgba.qoi"]);
}

/// A header beyond the limits is refused before memory is allocated.
#[test]
fn header_beyond_the_limits_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path().join("x"), &read);
    let mut png = fs::read(repository().join("tests/fixtures/pictures/rgb.png")).unwrap();
    png[16..20].copy_from_slice(&65_535u32.to_be_bytes());
    png[20..24].copy_from_slice(&65_535u32.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    let message = reader.refuses(&png);
    assert!(message.contains(&format!("{PICTURE_PIXELS} pixels")), "{message}");
}

/// The chunks of a PNG, each with its name and data.
fn chunks(png: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut chunks) = (&png[8..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let end = 4 + u32::from_be_bytes(*length) as usize;
        chunks.push(after[..end].to_vec());
        rest = &after[end + 4..];
    }
    chunks
}

/// A PNG of these chunks, with valid lengths and checksums.
fn joined<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in chunks {
        png.extend((chunk.len() as u32 - 4).to_be_bytes());
        png.extend(chunk);
        png.extend(crc(chunk).to_be_bytes());
    }
    png
}

/// Changes that the checksums do not detect: each byte of a chunk changed, each chunk
/// shortened by one, removed, and doubled. No decoder panics, caught or not.
#[test]
fn damaged_png_with_valid_checksums_is_handled() {
    let folder = tempfile::tempdir().unwrap();
    let memory = 3 * PICTURE_BYTES as usize;
    let reader = Reader { memory, ..Reader::new(folder.path().join("x"), &read) };
    let try_one = |png: Vec<u8>, how: String| {
        if let Err(message) = reader.try_read(&png) {
            assert!(!message.contains("panicked"), "{how}: {message}");
        }
    };
    for name in
        ["bilevel.png", "grey4.png", "palette-alpha.png", "grey-alpha16.png", "orient-6.png"]
    {
        let whole = fs::read(repository().join("tests/fixtures/pictures").join(name)).unwrap();
        let chunks = chunks(&whole);
        assert_eq!(joined(&chunks), whole);
        for (number, chunk) in chunks.iter().enumerate() {
            let with = |new: Vec<u8>| {
                let mut chunks = chunks.clone();
                chunks[number] = new;
                joined(&chunks)
            };
            for at in 0..chunk.len() {
                for new in [chunk[at] ^ 1 << (at % 8), !chunk[at], 0, 0xff] {
                    let mut changed = chunk.clone();
                    changed[at] = new;
                    try_one(
                        with(changed),
                        format!("{name}, chunk {number}, byte {at}, {new:#04x}"),
                    );
                }
            }
            if chunk.len() > 4 {
                let shorter = chunk[..chunk.len() - 1].to_vec();
                try_one(with(shorter), format!("{name}, chunk {number} shorter"));
            }
            let others = chunks.iter().enumerate().filter(|(other, _)| *other != number);
            try_one(
                joined(others.map(|(_, chunk)| chunk)),
                format!("{name}, chunk {number} removed"),
            );
            let twice = chunks.iter().flat_map(|other| {
                std::iter::repeat_n(other, if std::ptr::eq(other, chunk) { 2 } else { 1 })
            });
            try_one(joined(twice), format!("{name}, chunk {number} twice"));
        }
    }
}
