//! Compares values and captions with transformers, on the checkpoints in tests/fixtures/caption,
//! which make.py, make_git.py and make_florence2.py write (torch 2.15, transformers 5.23 and 5.24).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use serde::Deserialize;

use super::blip::Blip;
use super::blip2::Blip2;
use super::decoder_state::DecoderState;
use super::generate::{Decoder, GenerationConfig, Input, Prompt, Row, Step, generate};
use super::git::Git;
use super::*;
use crate::error::RowsError;
use crate::nn::Workspace;

mod files;
pub(super) mod florence2;
mod keys;
mod precision;
mod published;
mod refusals;

/// The expected values that make.py writes for a checkpoint.
pub(super) struct Golden {
    arrays: std::collections::HashMap<String, candle_core::Tensor>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    eos: u32,
    prompt: Option<String>,
    prompt_ids: Vec<u32>,
    lengths: Lengths,
    searches: BTreeMap<String, Search>,
    #[serde(default)]
    tasks: BTreeMap<String, Task>,
}

/// The captions of a task of Florence-2, and the tokens of its question.
#[derive(Deserialize)]
struct Task {
    ids: Vec<Vec<u32>>,
    texts: Vec<String>,
    question: Vec<u32>,
}

#[derive(Deserialize)]
struct Lengths {
    max_new_tokens: usize,
    min_new_tokens: usize,
}

#[derive(Deserialize)]
struct Search {
    options: Options,
    ids: Vec<Vec<u32>>,
    scores: Option<Vec<f32>>,
    texts: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Options {
    num_beams: usize,
    length_penalty: Option<f32>,
    early_stopping: Option<serde_json::Value>,
    repetition_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
}

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/caption").join(name)
}

impl Golden {
    pub(super) fn of(name: &str) -> Self {
        let folder = fixture(name);
        let arrays =
            candle_core::safetensors::load(folder.join("golden.safetensors"), &Device::Cpu)
                .unwrap();
        Golden { arrays, expected: read_json(&folder.join("golden.json")).unwrap() }
    }

    pub(super) fn values(&self, name: &str) -> Vec<f32> {
        self.arrays[name].to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn options(&self, options: &Options) -> GenerationConfig {
        GenerationConfig {
            num_beams: options.num_beams,
            max_new_tokens: self.expected.lengths.max_new_tokens,
            min_new_tokens: self.expected.lengths.min_new_tokens,
            length_penalty: options.length_penalty.unwrap_or(1.0),
            early_stopping: match &options.early_stopping {
                None => EarlyStopping::Likely,
                Some(serde_json::Value::Bool(true)) => EarlyStopping::Full,
                Some(value) => {
                    assert_eq!(value, "never");
                    EarlyStopping::Never
                }
            },
            repetition_penalty: options.repetition_penalty.unwrap_or(1.0),
            no_repeat_ngram_size: options.no_repeat_ngram_size.unwrap_or(0),
            ..GenerationConfig::default()
        }
    }
}

pub(super) fn weights(name: &str) -> Weights {
    Weights::open_folder(&fixture(name)).unwrap()
}

pub(super) fn blip2<B: Backend>(name: &str, backend: B) -> Blip2<B> {
    Blip2::open(&fixture(name), weights(name), backend).unwrap()
}

pub(super) fn blip<B: Backend>(backend: B) -> Blip<B> {
    Blip::open(&fixture("blip"), weights("blip"), backend).unwrap()
}

#[track_caller]
pub(super) fn near(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference <= tolerance, "{what}: differs by {difference}");
}

/// Starts a batch of the first `images` images with the tokens of the prompt.
type Begin<'a, B> = &'a dyn Fn(usize, &[u32]) -> (DecoderState<B>, Vec<Prompt>);

/// Compares the logits of each greedy step, with the tokens of transformers as input.
fn steps<B: Backend>(
    golden: &Golden,
    decoder: &impl Decoder<State = DecoderState<B>>,
    begin: Begin<'_, B>,
    bos: u32,
) {
    let logits = golden.values("logits");
    let (images, count, vocab) = golden.arrays["logits"].dims3().unwrap();
    let (mut state, prompts) = begin(images, &[bos]);
    let first = prompts.iter().map(|prompt| prompt.cached.end).max().unwrap();
    let mut step = Step { rows: Vec::new(), first, scored: Vec::new() };
    for (image, Prompt { inputs, cached, .. }) in prompts.into_iter().enumerate() {
        let ids = &golden.expected.searches["greedy"].ids[image];
        let start = first + step.rows.len() as u32;
        let generated = ids.iter().map(|&token| Input::Token(token));
        for (row, input) in (start..).zip(inputs.into_iter().chain(generated)) {
            let cache_rows = cached.clone().chain(start..row).collect();
            step.rows.push(Row { image, input, cache_rows });
        }
        let end = step.rows.len() as u32;
        step.scored.extend(end - ids.len() as u32 - 1..end - 1);
    }
    decoder.read(&mut state, &step).unwrap();
    let found = decoder.logits(&mut state).unwrap();
    let mut found = found.as_slice();
    for (image, logits) in logits.chunks_exact(count * vocab).enumerate() {
        let ids = &golden.expected.searches["greedy"].ids[image];
        let expected = &logits[..ids.len() * vocab];
        let (own, rest) = found.split_at(expected.len());
        found = rest;
        // T5's logits reach 20, where transformers' f32 differs from its f64 by 7.1e-5. Two f32
        // results may differ by twice that.
        let largest = expected.iter().fold(0.0f32, |largest, score| largest.max(score.abs()));
        near("logits", own, expected, f32::max(1e-4, 1e-5 * largest));
    }
}

/// Compares every search of make.py, for batches of any number of images.
fn searches<B: Backend>(
    golden: &Golden,
    decoder: &impl Decoder<State = DecoderState<B>>,
    begin: Begin<'_, B>,
    bos: u32,
) {
    assert_eq!(decoder.limits().eos, [golden.expected.eos]);
    for (name, search) in &golden.expected.searches {
        let text = match name.as_str() {
            "prompt3" => golden.expected.prompt_ids.clone(),
            _ => vec![bos],
        };
        let options = golden.options(&search.options);
        for images in 1..=search.ids.len() {
            let mut last = None;
            let on_progress = &mut |progress| last = Some(progress);
            let (state, prompts) = begin(images, &text);
            let found = generate(decoder, state, &prompts, &options, on_progress).unwrap();
            let ids: Vec<_> = found.iter().map(|found| found.tokens.clone()).collect();
            assert_eq!(ids, search.ids[..images], "{name}");
            assert_eq!(last.map(|last: Progress| last.images), Some(found.len()));
            if let Some(scores) = &search.scores {
                let found: Vec<f32> = found.iter().filter_map(|found| found.score).collect();
                // A negative length penalty multiplies a score by a power of its length.
                let largest = scores.iter().fold(1.0f32, |largest, score| largest.max(score.abs()));
                near(name, &found, &scores[..images], 1e-5 * largest);
            }
        }
    }
}

/// Returns the pixels of the first `images` images.
fn first<'a>(golden: &Golden, pixels: &'a [f32], images: usize) -> &'a [f32] {
    let all = golden.arrays["pixels"].dim(0).unwrap();
    &pixels[..pixels.len() / all * images]
}

pub(super) fn blip2_equals_transformers<B: Backend>(name: &str, bos: u32, backend: B) {
    let golden = Golden::of(name);
    let (model, pixels) = (blip2(name, backend.clone()), golden.values("pixels"));
    let images = golden.arrays["pixels"].dim(0).unwrap();
    let mut work = Workspace::default();
    let vision = model.vision.forward(&backend, &mut work, &pixels).unwrap();
    model.qformer.forward(&backend, &mut work, images, &vision).unwrap();
    let qformer = work.rows;
    let values = |rows: B::Rows| backend.download(rows).unwrap();
    near("vision", &values(vision), &golden.values("vision"), 1e-4);
    near("qformer", &values(qformer), &golden.values("qformer"), 1e-4);
    let begin = |images: usize, text: &[u32]| {
        let embeddings = model.encode_images(first(&golden, &pixels, images)).unwrap();
        model.begin(images, embeddings, text).unwrap()
    };
    steps(&golden, &model.language, &begin, bos);
    searches(&golden, &model.language, &begin, bos);
}

pub(super) fn blip_equals_transformers<B: Backend>(backend: B) {
    let golden = Golden::of("blip");
    let (model, pixels) = (blip(backend.clone()), golden.values("pixels"));
    let states = model.encode_images(&pixels).unwrap();
    near("vision", &backend.download(states).unwrap(), &golden.values("vision"), 1e-4);
    let begin = |images: usize, text: &[u32]| {
        let states = model.encode_images(first(&golden, &pixels, images)).unwrap();
        model.begin(images, &states, text).unwrap()
    };
    steps(&golden, &model.decoder, &begin, 90);
    searches(&golden, &model.decoder, &begin, 90);
}

pub(super) fn git<B: Backend>(backend: B) -> Git<B> {
    Git::open(&fixture("git"), weights("git"), backend).unwrap()
}

pub(super) fn git_equals_transformers<B: Backend>(backend: B) {
    let golden = Golden::of("git");
    let (model, pixels) = (git(backend.clone()), golden.values("pixels"));
    let states = model.vision.forward(&backend, &mut Workspace::default(), &pixels).unwrap();
    near("vision", &backend.download(states).unwrap(), &golden.values("vision"), 1e-4);
    let rows = model.encode_images(&pixels).unwrap();
    near("projected", &backend.download(rows).unwrap(), &golden.values("projected"), 1e-4);
    let begin = |images: usize, text: &[u32]| {
        let rows = model.encode_images(first(&golden, &pixels, images)).unwrap();
        model.begin(images, &rows, text).unwrap()
    };
    steps(&golden, &model.decoder, &begin, 2);
    searches(&golden, &model.decoder, &begin, 2);
}

fn cpu() -> Cpu {
    Cpu::lean(Precision::F32)
}

#[test]
fn blip2_opt_equals_transformers() {
    blip2_equals_transformers("blip2-opt", 2, cpu());
}

#[test]
fn blip2_flan_t5_equals_transformers() {
    blip2_equals_transformers("blip2-t5", 1, cpu());
}

#[test]
fn blip_equals_transformers_on_the_cpu() {
    blip_equals_transformers(cpu());
}

#[test]
fn git_equals_transformers_on_the_cpu() {
    git_equals_transformers(cpu());
}

/// Word pieces, lower case and punctuation are those of BERT's tokenizer.
#[test]
fn git_texts_equal_transformers() {
    let golden = Golden::of("git");
    let model = open(&fixture("git"), Precision::F32).unwrap();
    for (name, search) in &golden.expected.searches {
        let mut options = golden.options(&search.options);
        if name == "prompt3" {
            options.prompt = golden.expected.prompt.clone().unwrap();
        }
        let captions = model.caption_pixels(&golden.values("pixels"), &options, &mut |_| {});
        let captions = captions.unwrap();
        assert!(captions.iter().map(|caption| &caption.tokens).eq(&search.ids), "{name}");
        let texts: Vec<_> = captions.into_iter().map(|caption| caption.text).collect();
        assert_eq!(Some(texts), search.texts, "{name}");
    }
}

#[test]
fn prompt_is_not_part_of_the_caption() {
    for (name, image) in [("blip2-opt", 2), ("blip", 3)] {
        let golden = Golden::of(name);
        let model = open(&fixture(name), Precision::F32).unwrap();
        let search = &golden.expected.searches["prompt3"];
        let mut options = golden.options(&search.options);
        // The fixture's tokenizer appends no [SEP], so BLIP removes the last word instead.
        options.prompt = if name == "blip" { "w17 w30 w5" } else { "w17 w30" }.to_owned();
        let captions =
            model.caption_pixels(&golden.values("pixels"), &options, &mut |_| {}).unwrap();
        let tokens: Vec<_> = captions.iter().map(|caption| caption.tokens.clone()).collect();
        assert_eq!(tokens, search.ids, "{name}");
        let (end, words) = captions[image].tokens.split_last().unwrap();
        assert_eq!(*end, golden.expected.eos);
        let special = [2, 90, golden.expected.eos];
        let words = words.iter().filter(|token| !special.contains(token));
        let words: Vec<String> = words.map(|token| format!("w{token}")).collect();
        assert_eq!(captions[image].text, words.join(" "));
    }
}

#[test]
fn old_config_without_query_keys_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("blip2-opt")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: serde_json::Value = read_json(&path).unwrap();
    config.as_object_mut().unwrap().remove("image_token_index");
    std::fs::write(&path, config.to_string()).unwrap();
    let golden = Golden::of("blip2-opt");
    let model = open(folder.path(), Precision::F32).unwrap();
    let search = &golden.expected.searches["beam3"];
    let options = golden.options(&search.options);
    let captions = model.caption_pixels(&golden.values("pixels"), &options, &mut |_| {}).unwrap();
    assert!(captions.into_iter().map(|caption| caption.tokens).eq(search.ids.iter().cloned()));

    // The default of num_query_tokens is 32, which these weights do not have.
    config.as_object_mut().unwrap().remove("num_query_tokens");
    std::fs::write(&path, config.to_string()).unwrap();
    let error = open(folder.path(), Precision::F32).err().unwrap().to_string();
    assert!(error.ends_with("query_tokens: expected shape [1, 32, 24], found [1, 4, 24]"));
}

#[test]
fn incomplete_image_is_refused() {
    let model = open(&fixture("blip"), Precision::F32).unwrap();
    let caption =
        |pixels: &[f32]| model.caption_pixels(pixels, &GenerationConfig::default(), &mut |_| {});
    assert_eq!(caption(&[]).unwrap(), []);
    assert!(matches!(caption(&[0.0; 5]), Err(Error::Rows(RowsError::Dim { found: 5, .. }))));
}

#[test]
fn options_are_checked_for_an_empty_batch() {
    for name in ["blip", "blip2-opt", "blip2-t5", "git"] {
        let model = open(&fixture(name), Precision::F32).unwrap();
        assert_eq!(model.caption(&[], &GenerationConfig::default()).unwrap(), []);
        let options = GenerationConfig { min_new_tokens: 21, ..GenerationConfig::default() };
        let error = model.caption(&[], &options).unwrap_err().to_string();
        assert_eq!(error, "min_new_tokens is 21, expected at most max_new_tokens, 20");
    }
}
