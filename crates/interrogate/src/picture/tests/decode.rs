use proptest::prelude::*;

use super::*;
use crate::error::PictureError;

/// The largest difference between a file's decoded values and the golden ones.
fn difference(file: &str, golden: &str) -> u8 {
    let picture = open(file).unwrap();
    let (width, height, rgb) = ppm(golden);
    assert_eq!((picture.width(), picture.height()), (width, height), "{file}");
    largest(picture.rgb(), &rgb)
}

#[test]
fn lossless_formats_decode_as_in_pillow() {
    for file in [
        "bilevel.png",
        "cmyk.tif",
        "deflate.tif",
        "grey-alpha.png",
        "grey-alpha16.png",
        "grey.bmp",
        "grey.png",
        "grey.tif",
        "grey16.png",
        "grey4.png",
        "lossless-alpha.webp",
        "lossless.webp",
        "lzw.tif",
        "palette-alpha.png",
        "palette.bmp",
        "palette.gif",
        "palette.png",
        "rgb-key.png",
        "rgb.bmp",
        "rgb.png",
        "rgb.qoi",
        "rgb.tif",
        "rgb16.png",
        "rgba.bmp",
        "rgba.png",
        "rgba.qoi",
        "rgba.tif",
        "rgba16.png",
        "transparent.gif",
        "two-frames.gif",
    ] {
        assert_eq!(difference(file, &format!("{file}.ppm")), 0, "{file}");
    }
}

#[test]
fn lossy_formats_differ_from_pillow_by_a_few_levels() {
    // Measured: 0 for WebP, 1 for JPEG, 5 with subsampled chroma, which the two decoders
    // interpolate differently; this small picture consists of edges.
    for (file, most) in [
        ("lossy.webp", 0),
        ("lossy-alpha.webp", 0),
        ("rgb.jpg", 2),
        ("grey.jpg", 1),
        ("cmyk.jpg", 2),
        ("subsampled.jpg", 6),
        ("progressive.jpg", 6),
    ] {
        let difference = difference(file, &format!("{file}.ppm"));
        assert!(difference <= most, "{file}: {difference}");
    }
}

#[test]
fn every_exif_orientation_is_applied() {
    for orientation in 1..=8 {
        assert_eq!(difference(&format!("orient-{orientation}.png"), "orient.ppm"), 0);
        let jpeg = format!("orient-{orientation}.jpg");
        assert!(difference(&jpeg, &format!("{jpeg}.ppm")) <= 2, "{jpeg}");
    }
    assert_eq!(difference("orient-6.webp", "orient.ppm"), 0);
    assert_eq!(difference("orient-6.tif", "orient.ppm"), 0);
}

#[test]
fn content_and_not_extension_decides_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["photo.JPG", "photo", "photo.txt"] {
        let path = folder.path().join(name);
        std::fs::copy(fixture("rgb.png"), &path).unwrap();
        assert_eq!(Picture::open(&path).unwrap(), open("rgb.png").unwrap());
    }
}

#[test]
fn files_that_are_not_images_are_refused_with_their_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        bytes.inspect(|bytes| std::fs::write(&path, bytes).unwrap());
        let error = Picture::open(&path).unwrap_err();
        (error.to_string().replace(path.to_str().unwrap(), "PATH"), error.hint())
    };
    assert_eq!(error("gone.jpg", None).0, "cannot open PATH");
    assert_eq!(error("empty.jpg", Some(b"")).0, "PATH: size: expected an image, found 0 bytes");
    std::fs::create_dir(folder.path().join("folder.jpg")).unwrap();
    assert_eq!(error("folder.jpg", None).0, "PATH: kind: expected a file, found a folder");
    let (text, hint) = error("text.jpg", Some(b"not an image at all"));
    assert_eq!(text, "PATH is not an image of a known format");
    assert!(hint.unwrap().contains("WebP"));
}

/// The cases of tests/fixtures/cases against what Pillow decodes (golden.py); the README
/// there says which result is right. The tolerance of lossless formats is 0.
#[test]
fn every_case_decodes_as_in_pillow_or_is_refused() {
    let case = |name: &str| format!("../cases/{name}");
    for (name, most) in [
        ("badcrc-idat.png", 0),
        ("big.tif", 0),
        ("exif-prefix-6.webp", 0),
        ("exif-two-segments.jpg", 2),
        ("frame-larger.gif", 0),
        ("good.jpg", 2),
        ("good.png", 0),
        ("jfif-and-adobe0.jpg", 2),
        ("la.tif", 0),
        ("no-iend.png", 0),
        ("offset.gif", 0),
        ("palette.tif", 0),
        ("rgba-associated.tif", 0),
        ("upright-of-6.png", 0),
        ("ycbcr.tif", 1),
        ("ycbcr-jpeg.tif", 4),
        ("zero-screen.gif", 0),
        ("zstd.tif", 0),
    ] {
        let difference = difference(&case(name), &format!("../cases/golden/{name}.ppm"));
        assert!(difference <= most, "{name}: {difference}");
    }
    // As in browsers; Pillow would rotate it.
    let xmp = open(&case("xmp-only-6.jpg")).unwrap();
    assert_eq!((xmp.width(), xmp.height()), (160, 120));
    for (name, reason) in [("float32.tif", "32-bit IEEEFP samples"), ("fax3.tif", "Fax3")] {
        let error = open(&case(name)).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(reason), "{name}: {source}");
        assert!(error.to_string().ends_with(name) && error.hint().unwrap().contains("PNG"));
    }
}

#[test]
fn pnm_decodes() {
    let (width, height, rgb) = ppm("orient.ppm");
    let picture = open("orient.ppm").unwrap();
    assert_eq!((picture.width(), picture.height(), picture.rgb()), (width, height, &rgb[..]));
    let grey = Picture::decode(b"P5\n2 1\n255\n\x07\xfe", Path::new("x")).unwrap();
    assert_eq!(grey.rgb(), [7, 7, 7, 254, 254, 254]);
    let bits = Picture::decode(b"P4\n2 1\n\x40", Path::new("x")).unwrap();
    assert_eq!(bits.rgb(), [255, 255, 255, 0, 0, 0]);
}

#[test]
fn a_truncated_file_decodes_if_allowed() {
    let allowed = DecodeOptions { allow_truncated: true, ..DecodeOptions::default() };
    let read = |bytes: &[u8], options| Picture::decode_with(bytes, Path::new("x"), options, |_| ());
    let whole = open("../cases/good.jpg").unwrap();
    let cut = std::fs::read(fixture("../cases/no-eoi.jpg")).unwrap();
    let error = read(&cut, DecodeOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Picture(PictureError::Truncated { .. })), "{error}");
    assert_eq!(read(&cut, allowed).unwrap(), whole);
    for name in ["good.jpg", "good.png"] {
        let (bytes, whole) = (
            std::fs::read(fixture(&format!("../cases/{name}"))).unwrap(),
            open(&format!("../cases/{name}")).unwrap(),
        );
        let half = &bytes[..bytes.len() / 2];
        assert!(read(half, DecodeOptions::default()).is_err(), "{name}");
        let half = read(half, allowed).unwrap();
        // The first row is decoded, the last is missing.
        assert_eq!(half.rgb()[..480], whole.rgb()[..480], "{name}");
        assert_ne!(half.rgb()[119 * 480..], whole.rgb()[119 * 480..], "{name}");
    }
}

#[test]
fn truncation_at_any_offset_is_an_error() {
    for file in [
        "rgb.jpg",
        "progressive.jpg",
        "rgb.png",
        "lossless.webp",
        "lossy.webp",
        "rgb.bmp",
        "rgb.qoi",
    ] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        // The last bytes of a PNG or a WebP hold no pixels.
        let needed =
            bytes.len() - if file.ends_with("jpg") || file.ends_with("bmp") { 0 } else { 20 };
        for end in 0..needed {
            assert!(Picture::decode(&bytes[..end], Path::new(file)).is_err(), "{file} {end}");
        }
    }
    for file in ["palette.gif", "two-frames.gif", "lzw.tif", "rgb.tif", "deflate.tif"] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        let pixels = if file == "two-frames.gif" { bytes.len() / 4 } else { bytes.len() / 2 };
        assert!(Picture::decode(&bytes[..pixels], Path::new(file)).is_err(), "{file}");
    }
    let jpeg = std::fs::read(fixture("rgb.jpg")).unwrap();
    let error = Picture::decode(&jpeg[..jpeg.len() - 1], Path::new("x.jpg")).unwrap_err();
    let text = format!("x.jpg: the image breaks off after {} bytes", jpeg.len() - 1);
    assert_eq!(error.to_string(), text);
    assert!(error.hint().unwrap().contains("incomplete"));
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    // A bitmap of 20,000 x 20,000 pixels, without the pixels.
    let mut bomb = std::fs::read(fixture("rgb.bmp")).unwrap();
    bomb[18..22].copy_from_slice(&20_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&20_000u32.to_le_bytes());
    let error = Picture::decode(&bomb, Path::new("bomb.bmp")).unwrap_err();
    let text = "bomb.bmp: expected at most 178956970 pixels, found 400000000";
    assert_eq!(error.to_string(), text);
    assert!(error.hint().unwrap().contains("scale"));
}

#[test]
fn from_rgb_refuses_a_wrong_number_of_values() {
    for (width, height, values) in [(2, 2, 11), (2, 2, 13), (0, 2, 0), (u32::MAX, u32::MAX, 3)] {
        let error = Picture::from_rgb(width, height, vec![0; values]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a picture of {width} x {height} has ")), "{error}");
        assert!(error.ends_with(&format!(" values, found {values}")), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_never_panics(
        file in prop::sample::select(vec!["rgb.jpg", "rgb.png", "lossy.webp", "palette.gif", "rgb.bmp", "lzw.tif", "rgb.qoi"]),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut bytes = std::fs::read(fixture(file)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = Picture::decode(&bytes, Path::new(file));
    }
}
