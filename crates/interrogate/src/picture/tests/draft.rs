use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

/// The files of tests/fixtures/drafts.
const FILES: [&str; 14] = [
    "420.jpg",
    "422.jpg",
    "444.jpg",
    "low-quality.jpg",
    "optimized.jpg",
    "restarts.jpg",
    "progressive-420.jpg",
    "progressive-422.jpg",
    "gray.jpg",
    "progressive-gray.jpg",
    "rgb.jpg",
    "cmyk.jpg",
    "ycck.jpg",
    "orient-6.jpg",
];

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(&format!("../drafts/{name}"))).unwrap()
}

fn draft(bytes: &[u8], side: u32) -> Result<Picture> {
    let jpeg_draft = NonZeroU32::new(side);
    let options = DecodeOptions { jpeg_draft, ..DecodeOptions::default() };
    Picture::decode_with(bytes, Path::new("x"), options, |_| ())
}

#[test]
fn drafts_are_those_of_pillow() {
    for name in FILES {
        let bytes = read(name);
        let full = Picture::decode(&bytes, Path::new(name)).unwrap();
        let shorter = full.width().min(full.height());
        for divisor in [2, 4, 8] {
            let expected = open(&format!("../drafts/{name}.{divisor}.png")).unwrap();
            let found = draft(&bytes, shorter / divisor).unwrap();
            let sizes = [&found, &expected].map(|picture| (picture.width(), picture.height()));
            assert_eq!(sizes[0], sizes[1], "{name} {divisor}");
            assert!(
                found == expected,
                "{name} {divisor}: {}",
                largest(found.rgb(), expected.rgb())
            );
        }
        assert_eq!(draft(&bytes, shorter / 2 + 1).unwrap(), full, "{name}");
    }
}

#[test]
fn other_formats_and_kinds_are_decoded_in_full() {
    for name in ["rgb.png", "rgb.bmp", "lossy.webp", "palette.gif", "rgb.tif"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let full = Picture::decode(&bytes, Path::new(name)).unwrap();
        assert_eq!(draft(&bytes, 1).unwrap(), full, "{name}");
    }
}

/// The error is that of the full decoder, or its picture.
#[test]
fn a_damaged_draft_is_decoded_in_full() {
    for name in ["420.jpg", "progressive-420.jpg", "cmyk.jpg"] {
        let bytes = read(name);
        for end in (0..bytes.len()).step_by(7) {
            let error = draft(&bytes[..end], 9).unwrap_err().to_string();
            let full = Picture::decode(&bytes[..end], Path::new("x")).unwrap_err().to_string();
            assert_eq!(error, full, "{name} {end}");
        }
        // Scan data of zeros: some code is longer than the data, or a value is missing.
        let scan = bytes.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
        let mut short = bytes[..scan + 30].to_vec();
        short.extend([0xff, 0xd9]);
        let full = Picture::decode(&short, Path::new("x")).map_err(|error| error.to_string());
        let found = draft(&short, 9).map_err(|error| error.to_string());
        assert_eq!(found, full, "{name}");
    }
}

#[test]
fn a_truncated_draft_is_decoded_in_full_if_allowed() {
    let bytes = read("420.jpg");
    let options = |jpeg_draft| DecodeOptions {
        allow_truncated: true,
        jpeg_draft,
        ..DecodeOptions::default()
    };
    let half = &bytes[..bytes.len() / 2];
    let decode = |options| Picture::decode_with(half, Path::new("x"), options, |_| ()).unwrap();
    assert_eq!(decode(options(NonZeroU32::new(9))), decode(options(None)));
}

#[test]
fn memory_is_reserved_for_the_full_image() {
    for name in ["420.jpg", "progressive-420.jpg"] {
        let reserved = |jpeg_draft| {
            let (mut calls, mut bytes) = (0, 0);
            let options = DecodeOptions { jpeg_draft, ..DecodeOptions::default() };
            let reserve = |more| (calls, bytes) = (calls + 1, more);
            Picture::decode_with(&read(name), Path::new(name), options, reserve).unwrap();
            assert_eq!(calls, 1);
            bytes
        };
        assert!(reserved(NonZeroU32::new(9)) >= reserved(None), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_byte_never_panics(
        file in prop::sample::select(&FILES[..]),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        side in 1u32..40,
    ) {
        let mut bytes = read(file);
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = draft(&bytes, side);
    }
}
