//! Token sequences and pixels of other models.

use interrogate::encoder::{TextEncoder, Tokens};

use super::*;

#[test]
fn sequences_of_another_tokenizer_are_refused() {
    let encoder = open("quick").text_encoder().unwrap();
    let embed = |ids: &[u32]| {
        let mut tokens = Tokens::new();
        tokens.push(&[600, 601]);
        tokens.push(ids);
        encoder.embed(&tokens).unwrap_err().to_string()
    };
    let expected = "token sequence 1: expected at most 77 tokens that end with 601, found ";
    assert_eq!(embed(&[]), format!("{expected}0 tokens without it"));
    assert_eq!(embed(&[600, 5]), format!("{expected}2 tokens without it"));
    let mut long = [5; 78];
    long[77] = 601;
    assert_eq!(embed(&long), format!("{expected}78 tokens"));
    let expected = "token sequence 1: expected tokens below 602, found 602";
    assert_eq!(embed(&[600, 602, 601]), expected);
}

#[test]
fn partial_image_is_refused() {
    let encoder = open("quick").image_encoder().unwrap();
    let error = encoder.features(&[0.0; 100]).unwrap_err().to_string();
    assert_eq!(error, "an image's pixels has 100 values a row, expected 3072");
}
