//! The search over a model that is a table: no weights, every score known.

use std::sync::Mutex;

use super::*;

/// Scores the next token by the last one alone, from a table (vocab, vocab).
struct Table {
    scores: Vec<f32>,
    limits: Limits,
}

impl Table {
    fn new(scores: Vec<f32>, end: u32, positions: usize) -> Self {
        let vocab = scores.len().isqrt();
        Table { scores, limits: Limits { vocab, positions, end: vec![end] } }
    }
}

impl Decoder for Table {
    type State = ();

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, _: &mut (), step: &Step) -> Result<Vec<f32>> {
        let vocab = self.limits.vocab;
        let row = |&scored: &u32| match step.rows[scored as usize].input {
            Input::Token(token) => &self.scores[token as usize * vocab..][..vocab],
            Input::Image(_) => &self.scores[..vocab],
        };
        Ok(step.scored.iter().flat_map(row).copied().collect())
    }
}

const NEVER: f32 = -30.0;

/// Token 0 begins; 4 ends. From 0 the likelier 1 leads to a bad end, and 2 to a
/// good one: the case that beams are for.
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
    }
}

fn options(num_beams: usize) -> Generation {
    Generation { num_beams, max_new_tokens: 6, min_new_tokens: 0, ..Generation::default() }
}

fn run(table: &Table, options: &Generation) -> Generated {
    generate(table, (), &[prompt(&[0])], options, &mut |_| {}).unwrap().remove(0)
}

#[test]
fn beams_find_what_greed_walks_past() {
    assert_eq!(run(&fork(), &options(1)).tokens, [1, 3, 3, 3, 3, 3]);
    let best = run(&fork(), &options(2));
    assert_eq!(best.tokens, [2, 4]);
    let expected = (0.4f32.ln() + 0.95f32.ln()) / 2.0;
    assert!((best.score.unwrap() - expected).abs() < 1e-6);
}

#[test]
fn the_length_penalty_moves_the_choice() {
    let long = Generation { length_penalty: 8.0, ..options(2) };
    assert_eq!(run(&fork(), &long).tokens.len(), 6);
}

#[test]
fn no_caption_ends_before_its_shortest_length() {
    for beams in [1, 2] {
        let found = run(&fork(), &Generation { min_new_tokens: 4, ..options(beams) }).tokens;
        assert!(found.iter().take(4).all(|&token| token != 4), "{found:?}");
    }
}

#[test]
fn ties_go_to_the_lower_token() {
    let even = Table::new(vec![0.0; 36], 5, 9);
    assert_eq!(run(&even, &Generation { max_new_tokens: 3, ..options(1) }).tokens, [0, 0, 0]);
    assert_eq!(run(&even, &Generation { max_new_tokens: 3, ..options(2) }).tokens, [0, 0, 0]);
}

#[test]
fn every_token_that_ends_is_heeded() {
    let mut table = fork();
    table.limits.end = vec![4, 3];
    assert_eq!(run(&table, &options(1)).tokens, [1, 3]);
}

#[test]
fn images_leave_the_batch_as_they_finish() {
    let prompts = || vec![prompt(&[0]), prompt(&[0, 0, 2]), prompt(&[3])];
    for beams in [1, 2] {
        let mut seen = Vec::new();
        let watch = &mut |progress| seen.push(progress);
        let together = generate(&fork(), (), &prompts(), &options(beams), watch).unwrap();
        let alone = |prompt| generate(&fork(), (), &[prompt], &options(beams), &mut |_| {});
        let alone: Vec<_> = prompts().into_iter().map(|p| alone(p).unwrap().remove(0)).collect();
        assert_eq!(together, alone);
        assert_eq!(seen.last().unwrap().images, 3);
        assert!(seen.windows(2).all(|pair| pair[0].tokens < pair[1].tokens));
        assert!(seen.windows(2).any(|pair| pair[0].images < pair[1].images));
    }
    assert_eq!(generate(&fork(), (), &[], &options(1), &mut |_| {}).unwrap(), []);
}

#[test]
fn scores_that_are_no_numbers_are_told_with_their_image() {
    let mut table = fork();
    table.scores[3 * 5] = f32::NAN; // what follows token 3
    for beams in [1, 2] {
        let prompts = [prompt(&[2]), prompt(&[3])];
        let error = generate(&table, (), &prompts, &options(beams), &mut |_| {}).unwrap_err();
        let message = "the language model's scores for image 1 are not numbers";
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn draws_are_the_same_for_a_seed() {
    let sampling = |seed| Some(Sampling { temperature: 1.0, top_p: 1.0, seed, first: 0 });
    let drawn = |seed| {
        let options = Generation { sampling: sampling(seed), ..options(1) };
        let prompts = vec![prompt(&[0]); 8];
        generate(&fork(), (), &prompts, &options, &mut |_| {}).unwrap()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert!(drawn(1).windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn batches_that_count_on_draw_what_one_batch_draws() {
    let drawn = |first, images| {
        let sampling = Some(Sampling { temperature: 1.0, top_p: 1.0, seed: 3, first });
        let options = Generation { sampling, ..options(1) };
        generate(&fork(), (), &vec![prompt(&[0]); images], &options, &mut |_| {}).unwrap()
    };
    assert_eq!([drawn(0, 3), drawn(3, 5)].concat(), drawn(0, 8));
}

/// A table that keeps the steps that it is asked for.
struct Recording {
    table: Table,
    steps: Mutex<Vec<Step>>,
}

impl Decoder for Recording {
    type State = ();

    fn limits(&self) -> &Limits {
        self.table.limits()
    }

    fn read(&self, state: &mut (), step: &Step) -> Result<Vec<f32>> {
        self.steps.lock().unwrap().push(step.clone());
        self.table.read(state, step)
    }
}

fn recorded(table: Table, prompts: &[Prompt], options: &Generation) -> Vec<Step> {
    let recording = Recording { table, steps: Mutex::default() };
    generate(&recording, (), prompts, options, &mut |_| {}).unwrap();
    recording.steps.into_inner().unwrap()
}

#[test]
fn a_finished_image_costs_no_row_more() {
    // From 2 the caption ends at once; from 0 and 3 it never does.
    let prompts = [prompt(&[0]), prompt(&[0, 0, 2]), prompt(&[3])];
    let steps = recorded(fork(), &prompts, &options(1));
    let images = |step: &Step| step.rows.iter().map(|row| row.image).collect::<Vec<_>>();
    assert_eq!(images(&steps[0]), [0, 1, 1, 1, 2], "the prompts, without padding");
    assert_eq!(steps[0].scored, [0, 3, 4]);
    assert_eq!(steps.len(), 6, "six tokens take the prompts' reading and five more");
    assert!(steps[1..].iter().all(|step| images(step) == [0, 2]), "{steps:?}");
    // The rows of the second image's prompt are 1 to 3; it attends to no other.
    assert_eq!(steps[0].rows[3].chain, [1, 2]);
    assert_eq!((steps[1].first, steps[2].first), (5, 7));
    assert_eq!(steps[2].rows[1].chain, [4, 6]);
}

#[test]
fn beams_read_what_they_share_from_the_same_rows() {
    // From 0 to 1 alone, then to 2 and 3 alike: both beams have one parent.
    let split = [
        [NEVER, 0.0, NEVER, NEVER, NEVER],
        [NEVER, NEVER, 0.0, 0.0, NEVER],
        [NEVER, NEVER, 0.0, NEVER, NEVER],
        [NEVER, NEVER, NEVER, 0.0, NEVER],
        [0.0; 5],
    ];
    let table = Table::new(split.concat(), 4, 64);
    let steps = recorded(table, &[prompt(&[0, 0])], &options(2));
    let chains = |step: usize| steps[step].rows.iter().map(|row| row.chain.as_slice());
    // Rows 0 and 1 are the prompt's; row 2 is the token 1, row 3 a beam that
    // falls behind.
    assert!(chains(1).eq([&[0, 1][..]; 2]));
    assert!(chains(2).eq([&[0, 1, 2][..]; 2]), "{:?}", steps[2]);
    assert!(chains(3).eq([&[0, 1, 2, 4][..], &[0, 1, 2, 5]]), "{:?}", steps[3]);
    assert!(steps[1..].iter().all(|step| step.rows.len() == 2), "a row a beam, and no copies");
}
