use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pictures").join(name)
}

fn open(name: &str) -> Result<Picture> {
    Picture::open(&fixture(name))
}

/// Width, height and values of a binary PPM as Pillow writes it.
fn ppm(name: &str) -> (u32, u32, Vec<u8>) {
    let bytes = std::fs::read(fixture(name)).unwrap();
    let mut lines = bytes.splitn(4, |&b| b == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap()).unwrap();
    assert_eq!(line(), "P6");
    let (width, height) = line().split_once(' ').unwrap();
    assert_eq!(line(), "255");
    (width.parse().unwrap(), height.parse().unwrap(), lines.next().unwrap().to_vec())
}

/// The largest difference between a file's values and the golden ones.
fn off(file: &str, golden: &str) -> u8 {
    let picture = open(file).unwrap();
    let (width, height, rgb) = ppm(golden);
    assert_eq!((picture.width(), picture.height()), (width, height), "{file}");
    largest(picture.rgb(), &rgb)
}

fn largest(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_lossless_kind_is_read_as_pillow_reads_it() {
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
        assert_eq!(off(file, &format!("{file}.ppm")), 0, "{file}");
    }
}

#[test]
fn lossy_kinds_differ_from_pillow_by_a_few_levels() {
    // Measured: 0 for WebP, 1 for JPEG, 5 where chroma is subsampled, which the
    // two decoders smooth differently and this small picture is full of.
    for (file, most) in [
        ("lossy.webp", 0),
        ("lossy-alpha.webp", 0),
        ("rgb.jpg", 2),
        ("grey.jpg", 1),
        ("cmyk.jpg", 2),
        ("subsampled.jpg", 6),
        ("progressive.jpg", 6),
    ] {
        let off = off(file, &format!("{file}.ppm"));
        assert!(off <= most, "{file}: {off}");
    }
}

#[test]
fn pictures_stand_upright_whatever_their_exif_orientation() {
    for orientation in 1..=8 {
        assert_eq!(off(&format!("orient-{orientation}.png"), "orient.ppm"), 0);
        let jpeg = format!("orient-{orientation}.jpg");
        assert!(off(&jpeg, &format!("{jpeg}.ppm")) <= 2, "{jpeg}");
    }
    assert_eq!(off("orient-6.webp", "orient.ppm"), 0);
    assert_eq!(off("orient-6.tif", "orient.ppm"), 0);
}

#[test]
fn the_content_tells_the_format_and_not_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["photo.JPG", "photo", "photo.txt"] {
        let path = folder.path().join(name);
        std::fs::copy(fixture("rgb.png"), &path).unwrap();
        assert_eq!(Picture::open(&path).unwrap(), open("rgb.png").unwrap());
    }
}

#[test]
fn what_is_no_picture_is_named_with_its_path() {
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

/// The cases of tests/fixtures/cases, whose README says what is right, beside what
/// Pillow reads (golden.py); tolerances are 0 for lossless kinds.
#[test]
fn every_case_is_what_pillow_reads_or_fails_with_a_reason() {
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
        let off = off(&case(name), &format!("../cases/golden/{name}.ppm"));
        assert!(off <= most, "{name}: {off}");
    }
    // As browsers have it, and not as Pillow.
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
fn pnm_is_read() {
    let (width, height, rgb) = ppm("orient.ppm");
    let picture = open("orient.ppm").unwrap();
    assert_eq!((picture.width(), picture.height(), picture.rgb()), (width, height, &rgb[..]));
    let grey = Picture::decode(b"P5\n2 1\n255\n\x07\xfe", Path::new("x")).unwrap();
    assert_eq!(grey.rgb(), [7, 7, 7, 254, 254, 254]);
    let bits = Picture::decode(b"P4\n2 1\n\x40", Path::new("x")).unwrap();
    assert_eq!(bits.rgb(), [255, 255, 255, 0, 0, 0]);
}

#[test]
fn a_cut_file_is_read_where_that_is_allowed() {
    let allowed = DecodeOptions { allow_truncated: true };
    let read = |bytes: &[u8], options| Picture::decode_with(bytes, Path::new("x"), options, |_| ());
    let whole = open("../cases/good.jpg").unwrap();
    let cut = std::fs::read(fixture("../cases/no-eoi.jpg")).unwrap();
    let error = read(&cut, DecodeOptions::default()).unwrap_err();
    assert!(matches!(error, Error::PictureTruncated { .. }), "{error}");
    assert_eq!(read(&cut, allowed).unwrap(), whole);
    for name in ["good.jpg", "good.png"] {
        let (bytes, whole) = (
            std::fs::read(fixture(&format!("../cases/{name}"))).unwrap(),
            open(&format!("../cases/{name}")).unwrap(),
        );
        let half = &bytes[..bytes.len() / 2];
        assert!(read(half, DecodeOptions::default()).is_err(), "{name}");
        let half = read(half, allowed).unwrap();
        // The first row is there, the last is not.
        assert_eq!(half.rgb()[..480], whole.rgb()[..480], "{name}");
        assert_ne!(half.rgb()[119 * 480..], whole.rgb()[119 * 480..], "{name}");
    }
}

#[test]
fn a_picture_cut_off_anywhere_is_an_error() {
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
        // What stands at the very end of a PNG or a WebP carries no pixels.
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
    // A bitmap of 20,000 x 20,000 pixels, of which no pixel exists.
    let mut bomb = std::fs::read(fixture("rgb.bmp")).unwrap();
    bomb[18..22].copy_from_slice(&20_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&20_000u32.to_le_bytes());
    let error = Picture::decode(&bomb, Path::new("bomb.bmp")).unwrap_err();
    let text = "bomb.bmp: expected at most 178956970 pixels, found 400000000";
    assert_eq!(error.to_string(), text);
    assert!(error.hint().unwrap().contains("scale"));
}

#[test]
fn values_that_are_not_a_pictures_are_refused() {
    for (width, height, values) in [(2, 2, 11), (2, 2, 13), (0, 2, 0), (u32::MAX, u32::MAX, 3)] {
        let error = Picture::from_rgb(width, height, vec![0; values]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a picture of {width} x {height} has ")), "{error}");
        assert!(error.ends_with(&format!(" values, found {values}")), "{error}");
    }
}

/// The picture that make.py computes.
fn computed(width: u32, height: u32, hard: bool) -> Picture {
    let value = |y: u32, x: u32, c: u32| match hard {
        true => ((x / 3 + y / 2 + c) & 1) * 255,
        false => (x * 7 + y * 13 + c * 50 + x * y % 31) & 255,
    };
    let places =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c))));
    Picture::from_rgb(width, height, places.map(|(y, x, c)| value(y, x, c) as u8).collect())
        .unwrap()
}

/// Each case of preprocess.json: its steps, its picture, and itself.
fn cases() -> Vec<(Preprocess, Picture, Value)> {
    let cases: Vec<Value> =
        serde_json::from_slice(&std::fs::read(fixture("preprocess.json")).unwrap()).unwrap();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let steps = |case: &Value| Preprocess {
        resize: match &case["size"] {
            Value::Null => Resize::Keep,
            size if size["height"].is_null() => Resize::ShorterSide(number(&size["shortest_edge"])),
            size => {
                Resize::Exact { height: number(&size["height"]), width: number(&size["width"]) }
            }
        },
        filter: Filter::from_pillow(number(&case["resample"])).unwrap(),
        crop: (number(&case["crop"][0]), number(&case["crop"][1])),
        ..Preprocess::default()
    };
    let picture = |case: &Value| {
        computed(number(&case["width"]), number(&case["height"]), case["hard"].as_bool().unwrap())
    };
    cases.into_iter().map(|case| (steps(&case), picture(&case), case)).collect()
}

#[test]
fn resize_and_crop_are_pillows_to_the_bit() {
    for (steps, picture, case) in cases() {
        let hex = case["rgb"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let golden: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        assert_eq!(steps.cropped(&picture).unwrap(), golden, "{steps:?}");
        // torchvision's weights have fewer bits.
        let steps = Preprocess { resampling: Resampling::Torchvision, ..steps };
        assert!(largest(&steps.cropped(&picture).unwrap(), &golden) <= 1, "{steps:?}");
    }
}

#[test]
fn every_filter_resizes_as_pillow_does_to_the_bit() {
    let bytes = std::fs::read(fixture("resize.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(cases.len(), 420);
    for case in cases {
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let picture = match case["name"].as_str() {
            Some(name) => open(&format!("../starter/{name}")).unwrap(),
            None => {
                let hard = case["hard"].as_bool().unwrap();
                computed(number(&case["width"]), number(&case["height"]), hard)
            }
        };
        let (width, height) = (number(&case["to"][0]), number(&case["to"][1]));
        let steps = Preprocess {
            resize: Resize::Exact { height, width },
            filter: Filter::from_pillow(number(&case["resample"])).unwrap(),
            crop: (height, width),
            ..Preprocess::default()
        };
        let digest = Sha256::digest(steps.cropped(&picture).unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case["sha256"].as_str().unwrap(), "{case}");
    }
}

#[test]
fn pixels_are_those_of_transformers() {
    let mut compared = 0;
    for (steps, picture, case) in cases() {
        let Some(golden) = case["pixels"].as_array() else { continue };
        let pixels = steps.pixels(&picture).unwrap();
        assert_eq!(pixels.len(), golden.len());
        for (pixel, golden) in pixels.iter().zip(golden) {
            // One grey level is 1 / 255 / 0.26.
            let golden = golden.as_f64().unwrap() as f32;
            assert!((pixel - golden).abs() < 0.0153, "{pixel} {golden}");
            compared += usize::from((pixel - golden).abs() < 1e-6);
        }
    }
    assert!(compared > 1390, "{compared}"); // of 768 + 630
}

#[test]
fn sides_of_zero_are_refused() {
    let picture = computed(4, 3, false);
    let good = Preprocess::default();
    for steps in [
        Preprocess { crop: (0, 5), ..good.clone() },
        Preprocess { crop: (u32::MAX, u32::MAX), ..good.clone() },
        Preprocess { resize: Resize::ShorterSide(0), ..good.clone() },
        Preprocess { resize: Resize::Exact { height: 2, width: 0 }, ..good.clone() },
    ] {
        let error = steps.pixels(&picture).unwrap_err().to_string();
        assert!(error.starts_with("cannot resize a picture of 4 x 3 to "), "{error}");
    }
}

#[test]
fn a_strip_costs_no_more_than_its_crop() {
    // Resized whole it would have 224 x 134 million pixels.
    let strip = Picture::from_rgb(1, 600_000, vec![9; 1_800_000]).unwrap();
    let cropped = Preprocess::default().cropped(&strip).unwrap();
    assert_eq!(cropped, vec![9; 224 * 224 * 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_picture_becomes_pixels_of_the_crops_size(
        (width, height) in (1u32..40, 1u32..40),
        (rows, columns) in (1u32..20, 1u32..20),
        side in 1u32..30,
        kind in 0..3,
    ) {
        let resize = match kind {
            0 => Resize::Keep,
            1 => Resize::ShorterSide(side),
            _ => Resize::Exact { height: side, width: 31 - side },
        };
        let steps = Preprocess { resize, crop: (rows, columns), ..Preprocess::default() };
        let pixels = steps.pixels(&computed(width, height, true)).unwrap();
        prop_assert_eq!(pixels.len(), (3 * rows * columns) as usize);
        prop_assert!(pixels.iter().all(|v| v.is_finite()));
    }

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
