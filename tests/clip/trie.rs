//! Labels encoded as one trie have the bits of labels encoded one by one.

use interrogate::{Compute, Precision};

use super::*;

/// Every 40th label of each dictionary that ships with the project.
fn labels() -> Vec<String> {
    let dicts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts");
    let names = ["artists", "flavors", "mediums", "movements", "negative", "sites"];
    let lines = names.iter().flat_map(|name| {
        let text = fs::read_to_string(dicts.join(format!("{name}.txt"))).unwrap();
        text.lines().step_by(40).map(str::to_owned).collect::<Vec<_>>()
    });
    lines.collect()
}

#[test]
fn trie_rows_equal_single_rows() {
    let labels = labels();
    assert!(labels.len() > 2600);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    for name in ["quick", "gelu"] {
        let encoder = open(name).text_encoder().unwrap();
        let together = encoder.encode(&labels).unwrap();
        for (label, row) in labels.iter().zip(together.rows()) {
            assert_eq!(encoder.encode(&[label]).unwrap().as_slice(), row, "{name}: {label:?}");
        }
    }
}

#[test]
fn batch_size_changes_no_bit() {
    let labels = labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).take(300).collect();
    for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
        let encode = |batch_tokens| {
            let compute =
                Compute { precision: Some(precision), batch_tokens, ..Compute::default() };
            open("quick").text_encoder_with(&compute).unwrap().encode(&labels).unwrap()
        };
        let (all, few) = (encode(1 << 20), encode(50));
        assert_eq!(all, few, "{precision:?}");
        assert_eq!(all, encode(0));
    }
}

/// The fixtures' rows of 32 to 64 values round worse than those of any real model, whose cosines
/// docs/MODELS.md states.
#[test]
fn q8_is_near_f32() {
    let labels = labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).step_by(7).collect();
    for name in ["quick", "gelu"] {
        let compute = Compute { precision: Some(Precision::Q8), ..Compute::default() };
        let codes = open(name).text_encoder_with(&compute).unwrap().encode(&labels).unwrap();
        let whole = open(name).text_encoder().unwrap().encode(&labels).unwrap();
        let mut least = 1.0f32;
        for (a, b) in codes.rows().zip(whole.rows()) {
            least = least.min(a.iter().zip(b).map(|(a, b)| a * b).sum());
        }
        assert!((0.99..0.999999).contains(&least), "{name}: {least}");
    }
}

#[test]
fn bf16_is_near_f32() {
    let labels = labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    for name in ["quick", "gelu"] {
        let compute = Compute { precision: Some(Precision::Bf16), ..Compute::default() };
        let halves = open(name).text_encoder_with(&compute).unwrap().encode(&labels).unwrap();
        let whole = open(name).text_encoder().unwrap().encode(&labels).unwrap();
        let mut different = false;
        for (a, b) in halves.rows().zip(whole.rows()) {
            let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!(cosine >= 0.9995, "{name}: {cosine}");
            different |= a != b;
        }
        assert!(different, "bf16 was not used");
    }
}
