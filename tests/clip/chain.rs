//! A continuation of a text has the bits of the encoded whole.

use std::ops::ControlFlow;

use interrogate::encoder::{Continuations, Features};
use interrogate::prompt::{Chain, ChainScorer, Scorer, Step};
use interrogate::rank::Order;

use super::openai::layouts;
use super::*;

/// Prompts whose last token may merge with the continuation.
const PROMPTS: [&str; 9] = [
    "",
    "a",
    "a photo of a cat",
    "a photo of a cat sitting on a table",
    "a photo of a dog, it's",
    "what is this?!",
    "  spaced   out ",
    "naïve café 3",
    "it ends <|endoftext|> here",
];

const SUFFIXES: [&str; 9] = [
    ", highly detailed",
    ", highly detailed digital painting",
    ", 8 k",
    ",,, ?",
    "'s",
    "s and more",
    "",
    ", <|endoftext|>, more",
    ", highly detailed",
];

#[test]
fn continuation_equals_encoding_the_whole_text() {
    for name in ["quick", "gelu"] {
        let encoder = open(name).text_encoder().unwrap();
        // One chain for all prompts: each call starts from the state of the last.
        let mut chain = encoder.continuations().unwrap();
        for prompt in PROMPTS.iter().chain(PROMPTS.iter().rev()) {
            check(&encoder, chain.as_mut(), prompt, &SUFFIXES);
        }
    }
}

/// Pieces that get other tokens when they are cleaned together than alone: mojibake and
/// character references cut in two, escapes, combining marks, words that ftfy repairs
/// together, and text after a `<`, which ftfy skips.
const DAMAGED: [&str; 18] = [
    "a cat &am",
    "p; a dog",
    "&#82",
    "17;s",
    "caf\u{c3}",
    "\u{a9} terrace",
    " \u{e2}\u{20ac}",
    "\u{2122}s",
    "e",
    "\u{301}tude",
    "x \u{1b}[3",
    "1mred",
    "<b &lt; &eacute;",
    ", &amp;amp; \u{201c}8k\u{201d}",
    "\u{c3} la mode",
    "\u{b}joined",
    "\u{ff26}\u{3000}\u{fb01}",
    "\nnext &lt; line \u{3a3}",
];

#[test]
fn continuation_of_mojibake_is_exact() {
    let (_folder, path) = layouts().swap_remove(2);
    let encoder = Checkpoint::open(&path).unwrap().text_encoder().unwrap();
    let mut chain = encoder.continuations().unwrap();
    let suffixes: Vec<&str> = DAMAGED.iter().chain(&SUFFIXES).copied().collect();
    for prompt in DAMAGED.iter().chain(&PROMPTS) {
        check(&encoder, chain.as_mut(), prompt, &suffixes);
    }
    // Prompts of two pieces, as in a growing chain.
    for two in DAMAGED.windows(2) {
        check(&encoder, chain.as_mut(), &two.concat(), &suffixes);
        check(&encoder, chain.as_mut(), &two.join(", "), &suffixes);
    }
}

#[test]
fn continuation_beyond_the_context_is_truncated() {
    let encoder = open("quick").text_encoder().unwrap();
    let mut chain = encoder.continuations().unwrap();
    let word = "cat ".repeat(encoder.context_length() * 2);
    for letters in [0, 20, 40, 60, 120, 200, word.len() - 1] {
        check(&encoder, chain.as_mut(), &word[..letters], &SUFFIXES);
    }
}

fn check(
    encoder: &impl TextEncoder,
    chain: &mut dyn Continuations,
    prompt: &str,
    suffixes: &[&str],
) {
    let whole: Vec<String> = suffixes.iter().map(|suffix| [prompt, suffix].concat()).collect();
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    let expected = encoder.encode(&whole).unwrap();
    let found = chain.embed(prompt, suffixes).unwrap();
    for ((text, expected), found) in whole.iter().zip(expected.rows()).zip(found.rows()) {
        assert_eq!(found, expected, "{text:?}");
    }
    assert!(chain.embed(prompt, &[]).unwrap().is_empty());
}

#[test]
fn chain_step_equals_exhaustive_search() {
    let encoder = open("gelu").text_encoder().unwrap();
    let image = Features::new((0..encoder.dim()).map(|i| (i as f32).sin()).collect()).unwrap();
    let phrases = ["cat", "a dog", "oil painting", "8 k", "by the sea", "photo", "dramatic light"];
    let mut scorer = ChainScorer::new(&encoder, &image);
    let start = scorer.score("", &["a photo"]).unwrap()[0];
    let chain = Chain { min_count: 2, max_count: 4, order: Order::Best };
    let mut steps = Vec::new();
    let found = chain.grow(("a photo", start), &phrases, &mut scorer, &mut |step: Step<'_>| {
        steps.push(step.prompt.to_owned());
        ControlFlow::Continue(())
    });
    // The callback runs before the next phrase is chosen; the start comes first.
    assert_eq!(steps.remove(0), "a photo");
    // The same without a chain: every candidate is encoded whole.
    let score = |text: &str| {
        let row = encoder.encode(&[text]).unwrap();
        let products = row.as_slice().iter().zip(image.as_slice());
        products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32
    };
    let mut current = "a photo".to_owned();
    let mut best = (current.clone(), score(&current));
    for step in &steps {
        let tried = phrases.iter().filter(|phrase| !current.contains(&format!(", {phrase}")));
        let texts = tried.map(|phrase| format!("{current}, {phrase}"));
        let next = texts.reduce(|a, b| if score(&b) > score(&a) { b } else { a }).unwrap();
        assert_eq!(step, &next);
        current = next;
        if score(&current) > best.1 {
            best = (current.clone(), score(&current));
        }
    }
    assert!(steps.len() >= 2);
    let found = found.unwrap();
    assert_eq!((found.text, found.score), best);
}

#[test]
fn features_of_another_model_are_refused() {
    let encoder = open("quick").text_encoder().unwrap();
    let image = Features::new(vec![1.0; 3]).unwrap();
    let error = ChainScorer::new(&encoder, &image).score("a", &["b"]).unwrap_err();
    assert_eq!(error.to_string(), "the features has 3 values a row, expected 16");
}
