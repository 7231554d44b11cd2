//! Searches over a table of scores in place of a language model.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

mod reduced;

/// A decoder that looks up the next token's scores by the last token, in a table (vocab, vocab).
struct Table {
    scores: Vec<f32>,
    limits: Limits,
    /// Whether it reduces logits, as a device does.
    reduces: bool,
    /// How often all logits were read.
    full_reads: AtomicUsize,
}

/// The logits of the last step.
type State = Vec<f32>;

impl Table {
    fn new(scores: Vec<f32>, eos: u32, positions: usize) -> Self {
        let vocab = scores.len().isqrt();
        let limits = Limits { vocab, positions, eos: vec![eos], forced: Forced::default() };
        Table { scores, limits, reduces: false, full_reads: AtomicUsize::new(0) }
    }
}

impl Decoder for Table {
    type State = State;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut State, step: &Step) -> Result<()> {
        let vocab = self.limits.vocab;
        let row = |&scored: &u32| match step.rows[scored as usize].input {
            Input::Token(token) => &self.scores[token as usize * vocab..][..vocab],
            Input::Image(_) => &self.scores[..vocab],
        };
        *state = step.scored.iter().flat_map(row).copied().collect();
        Ok(())
    }

    fn reduce_logits(
        &self,
        state: &State,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        Ok(self.reduces.then(|| ReducedLogits::of(state, self.limits.vocab, request)))
    }

    fn logits(&self, state: &mut State) -> Result<Vec<f32>> {
        self.full_reads.fetch_add(1, Ordering::Relaxed);
        Ok(std::mem::take(state))
    }
}

/// The score of an impossible token.
const NEVER: f32 = -30.0;

/// Sequences start with 0 and end with 4. After 0, token 1 is more likely, but 2 leads to the
/// more likely sequence.
fn fork() -> Table {
    let ln = |row: [f32; 5]| row.map(|p| if p > 0.0 { p.ln() } else { NEVER });
    let rows = [
        ln([0.0, 0.6, 0.4, 0.0, 0.0]),
        ln([0.0, 0.0, 0.0, 0.7, 0.3]),
        ln([0.0, 0.0, 0.0, 0.05, 0.95]),
        ln([0.0, 0.0, 0.0, 0.5, 0.5]),
        ln([0.2; 5]),
    ];
    Table::new(rows.concat(), 4, 64)
}

fn prompt(tokens: &[u32]) -> Prompt {
    Prompt {
        inputs: tokens.iter().map(|&token| Input::Token(token)).collect(),
        ids: tokens.to_vec(),
        cached: 0..0,
    }
}

fn options(num_beams: usize) -> GenerationConfig {
    GenerationConfig {
        num_beams,
        max_new_tokens: 6,
        min_new_tokens: 0,
        ..GenerationConfig::default()
    }
}

fn run(table: &Table, options: &GenerationConfig) -> Sequence {
    generate(table, State::new(), &[prompt(&[0])], options, &mut |_| {}).unwrap().remove(0)
}

#[test]
fn beam_search_finds_a_better_sequence_than_greedy_search() {
    assert_eq!(run(&fork(), &options(1)).tokens, [1, 3, 3, 3, 3, 3]);
    let best = run(&fork(), &options(2));
    assert_eq!(best.tokens, [2, 4]);
    let expected = (0.4f32.ln() + 0.95f32.ln()) / 2.0;
    assert!((best.score.unwrap() - expected).abs() < 1e-6);
}

#[test]
fn forced_tokens_begin_and_end_a_sequence() {
    let forced = Forced { first: Some(3), last: Some(4) };
    for reduces in [false, true] {
        let mut table = Table { reduces, ..fork() };
        table.limits.forced = forced;
        let greedy = run(&table, &options(1));
        assert_eq!(greedy.tokens, [3, 3, 3, 3, 3, 4], "reduced: {reduces}");
        // A forced token costs nothing: the score is that of the tokens between them.
        let best = run(&table, &options(2));
        assert_eq!(best.tokens, [3, 4], "reduced: {reduces}");
        assert!((best.score.unwrap() - 0.5f32.ln() / 2.0).abs() < 1e-6);
        let short = GenerationConfig { max_new_tokens: 1, ..options(2) };
        assert_eq!(run(&table, &short).tokens, [4]);
    }
}

#[test]
fn length_penalty_favors_long_sequences() {
    let long = GenerationConfig { length_penalty: 8.0, ..options(2) };
    assert_eq!(run(&fork(), &long).tokens.len(), 6);
}

#[test]
fn minimum_length_is_kept() {
    for beams in [1, 2] {
        let found = run(&fork(), &GenerationConfig { min_new_tokens: 4, ..options(beams) }).tokens;
        assert!(found.iter().take(4).all(|&token| token != 4), "{found:?}");
    }
}

#[test]
fn ties_go_to_the_lower_token() {
    let even = Table::new(vec![0.0; 36], 5, 9);
    assert_eq!(run(&even, &GenerationConfig { max_new_tokens: 3, ..options(1) }).tokens, [0, 0, 0]);
    assert_eq!(run(&even, &GenerationConfig { max_new_tokens: 3, ..options(2) }).tokens, [0, 0, 0]);
}

#[test]
fn any_eos_token_ends_a_sequence() {
    let mut table = fork();
    table.limits.eos = vec![4, 3];
    assert_eq!(run(&table, &options(1)).tokens, [1, 3]);
}

#[test]
fn batch_results_equal_single_results() {
    let prompts = || vec![prompt(&[0]), prompt(&[0, 0, 2]), prompt(&[3])];
    for beams in [1, 2] {
        let mut steps = Vec::new();
        let on_progress = &mut |progress| steps.push(progress);
        let together =
            generate(&fork(), State::new(), &prompts(), &options(beams), on_progress).unwrap();
        let alone =
            |prompt| generate(&fork(), State::new(), &[prompt], &options(beams), &mut |_| {});
        let alone: Vec<_> = prompts().into_iter().map(|p| alone(p).unwrap().remove(0)).collect();
        assert_eq!(together, alone);
        assert_eq!(steps.last().unwrap().images, 3);
        assert!(steps.windows(2).all(|pair| pair[0].tokens < pair[1].tokens));
        assert!(steps.windows(2).any(|pair| pair[0].images < pair[1].images));
    }
    assert_eq!(generate(&fork(), State::new(), &[], &options(1), &mut |_| {}).unwrap(), []);
}

#[test]
fn nan_scores_are_reported_with_their_image() {
    let mut table = fork();
    table.scores[3 * 5] = f32::NAN; // what follows token 3
    for beams in [1, 2] {
        let prompts = [prompt(&[2]), prompt(&[3])];
        let error =
            generate(&table, State::new(), &prompts, &options(beams), &mut |_| {}).unwrap_err();
        let message = "the language model's scores for image 1 are not numbers";
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn same_seed_gives_the_same_captions() {
    let sampling = |seed| Some(Sampling { temperature: 1.0, top_p: 1.0, seed, first_image: 0 });
    let sampled = |seed| {
        let options = GenerationConfig { sampling: sampling(seed), ..options(1) };
        let prompts = vec![prompt(&[0]); 8];
        generate(&fork(), State::new(), &prompts, &options, &mut |_| {}).unwrap()
    };
    assert_eq!(sampled(1), sampled(1));
    assert_ne!(sampled(1), sampled(2));
    assert!(sampled(1).windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn first_image_makes_sampling_independent_of_batch_size() {
    let sampled = |first_image, images| {
        let sampling = Some(Sampling { temperature: 1.0, top_p: 1.0, seed: 3, first_image });
        let options = GenerationConfig { sampling, ..options(1) };
        generate(&fork(), State::new(), &vec![prompt(&[0]); images], &options, &mut |_| {}).unwrap()
    };
    assert_eq!([sampled(0, 3), sampled(3, 5)].concat(), sampled(0, 8));
}

/// A table that records its steps.
struct Recording {
    table: Table,
    steps: Mutex<Vec<Step>>,
}

impl Decoder for Recording {
    type State = State;

    fn limits(&self) -> &Limits {
        self.table.limits()
    }

    fn read(&self, state: &mut State, step: &Step) -> Result<()> {
        self.steps.lock().unwrap().push(step.clone());
        self.table.read(state, step)
    }

    fn reduce_logits(&self, _: &State, _: &LogitsRequest) -> Result<Option<ReducedLogits>> {
        Ok(None)
    }

    fn logits(&self, state: &mut State) -> Result<Vec<f32>> {
        self.table.logits(state)
    }
}

fn recorded(table: Table, prompts: &[Prompt], options: &GenerationConfig) -> Vec<Step> {
    let recording = Recording { table, steps: Mutex::default() };
    generate(&recording, State::new(), prompts, options, &mut |_| {}).unwrap();
    recording.steps.into_inner().unwrap()
}

#[test]
fn finished_image_leaves_the_batch() {
    // From 2 the sequence ends at once; from 0 and 3 only at the maximum length.
    let prompts = [prompt(&[0]), prompt(&[0, 0, 2]), prompt(&[3])];
    let steps = recorded(fork(), &prompts, &options(1));
    let images = |step: &Step| step.rows.iter().map(|row| row.image).collect::<Vec<_>>();
    assert_eq!(images(&steps[0]), [0, 1, 1, 1, 2], "the prompts, without padding");
    assert_eq!(steps[0].scored, [0, 3, 4]);
    assert_eq!(steps.len(), 6, "the prompts and five more steps give six tokens");
    assert!(steps[1..].iter().all(|step| images(step) == [0, 2]), "{steps:?}");
    // The rows of the second image's prompt are 1 to 3; it attends to no other.
    assert_eq!(steps[0].rows[3].cache_rows, [1, 2]);
    assert_eq!((steps[1].first, steps[2].first), (5, 7));
    assert_eq!(steps[2].rows[1].cache_rows, [4, 6]);
}

#[test]
fn beams_share_cache_rows() {
    // Only 1 follows 0, then 2 and 3 are equally likely: both beams have one parent.
    let split = [
        [NEVER, 0.0, NEVER, NEVER, NEVER],
        [NEVER, NEVER, 0.0, 0.0, NEVER],
        [NEVER, NEVER, 0.0, NEVER, NEVER],
        [NEVER, NEVER, NEVER, 0.0, NEVER],
        [0.0; 5],
    ];
    let table = Table::new(split.concat(), 4, 64);
    let steps = recorded(table, &[prompt(&[0, 0])], &options(2));
    let cache_rows = |step: usize| steps[step].rows.iter().map(|row| row.cache_rows.as_slice());
    // Rows 0 and 1 are the prompt's, row 2 is token 1, row 3 is a beam that is dropped.
    assert!(cache_rows(1).eq([&[0, 1][..]; 2]));
    assert!(cache_rows(2).eq([&[0, 1, 2][..]; 2]), "{:?}", steps[2]);
    assert!(cache_rows(3).eq([&[0, 1, 2, 4][..], &[0, 1, 2, 5]]), "{:?}", steps[3]);
    assert!(steps[1..].iter().all(|step| step.rows.len() == 2), "one row per beam, no copies");
}
