use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

/// A picture of the same formula as in make.py.
fn computed(width: u32, height: u32, hard: bool) -> Picture {
    let value = |y: u32, x: u32, c: u32| {
        if hard {
            ((x / 3 + y / 2 + c) & 1) * 255
        } else {
            (x * 7 + y * 13 + c * 50 + x * y % 31) & 255
        }
    };
    let places =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c))));
    Picture::from_rgb(width, height, places.map(|(y, x, c)| value(y, x, c) as u8).collect())
        .unwrap()
}

/// Each case of preprocess.json: its steps, its picture and its JSON.
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
fn resize_and_crop_equal_pillow_bit_for_bit() {
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
fn every_filter_equals_pillow_bit_for_bit() {
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
fn pixels_equal_those_of_transformers() {
    let mut compared = 0;
    for (steps, picture, case) in cases() {
        let Some(golden) = case["pixels"].as_array() else { continue };
        let pixels = steps.pixels(&picture).unwrap();
        assert_eq!(pixels.len(), golden.len());
        for (pixel, golden) in pixels.iter().zip(golden) {
            // One gray level is 1 / 255 / 0.26.
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
    // Resizing the whole strip would compute 224 x 134 million pixels.
    let strip = Picture::from_rgb(1, 600_000, vec![9; 1_800_000]).unwrap();
    let cropped = Preprocess::default().cropped(&strip).unwrap();
    assert_eq!(cropped, vec![9; 224 * 224 * 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pixels_have_the_size_of_the_crop(
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
}
