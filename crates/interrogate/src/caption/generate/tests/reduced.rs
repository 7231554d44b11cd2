//! Reduced logits give the sequences and scores of all logits, bit for bit.

use proptest::prelude::*;

use super::*;

/// Options of every kind that a search with reduced logits meets.
fn any_options() -> impl Strategy<Value = GenerationConfig> {
    let stopping = prop::sample::select(vec![
        EarlyStopping::Likely,
        EarlyStopping::Full,
        EarlyStopping::Never,
    ]);
    let penalty = prop::sample::select(vec![1.0f32, 1.0, 1.3, 4.0, 0.5]);
    let length = prop::sample::select(vec![1.0f32, 0.0, -1.0, 2.0]);
    (1usize..6, 1usize..9, 0usize..4, 0usize..4, stopping, penalty, length).prop_map(
        |(num_beams, most, least, ngram, early_stopping, repetition_penalty, length_penalty)| {
            GenerationConfig {
                num_beams,
                max_new_tokens: most,
                min_new_tokens: least.min(most),
                no_repeat_ngram_size: ngram,
                early_stopping,
                repetition_penalty,
                length_penalty,
                ..GenerationConfig::default()
            }
        },
    )
}

/// The logits of a table of `vocab` tokens. `kind` 0 has few values, so that many tokens tie; 1
/// has values that differ by less than the rounding of a score; the others any values and a few
/// tokens at minus infinity.
fn table(vocab: usize, kind: u8, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut value = || match kind {
        0 => (next() * 3.0).floor() - 1.0,
        1 => f32::from_bits(1.0f32.to_bits() + (next() * 6.0) as u32),
        _ => match next() {
            low if low < 0.02 => f32::NEG_INFINITY,
            low => low * 20.0 - 12.0,
        },
    };
    (0..vocab * vocab).map(|_| value()).collect()
}

fn compared(scores: &[f32], options: &GenerationConfig, eos: &[u32]) -> (usize, usize) {
    let searched = |reduces| {
        let mut table = Table::new(scores.to_vec(), 0, 64);
        table.reduces = reduces;
        table.limits.eos = eos.to_vec();
        let (mut steps, prompts) = (0, [prompt(&[0]), prompt(&[1, 2, 1]), prompt(&[5, 900])]);
        // The last prompt's last token is not in the vocabulary, so it is read as another.
        let mut prompts = prompts.to_vec();
        prompts[2].inputs[1] = Input::Token(3);
        let found = generate(&table, State::new(), &prompts, options, &mut |_| steps += 1).unwrap();
        let bits = |sequence: &Sequence| sequence.score.map(f32::to_bits);
        let bits: Vec<Option<u32>> = found.iter().map(bits).collect();
        (found, bits, steps, table.full_reads.into_inner())
    };
    let (all, reduced) = (searched(false), searched(true));
    assert_eq!((&reduced.0, &reduced.1), (&all.0, &all.1), "{options:?}");
    (reduced.2, reduced.3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn reduced_logits_give_the_same_sequences(
        options in any_options(),
        vocab in prop::sample::select(vec![17usize, 40, 97]),
        kind in 0u8..4,
        seed in any::<u64>(),
        two_ends in any::<bool>(),
    ) {
        let eos = if two_ends { vec![4, 9] } else { vec![4] };
        compared(&table(vocab, kind, seed), &options, &eos);
    }
}

#[test]
fn all_logits_are_read_only_if_needed() {
    let scores = table(97, 2, 5).iter().map(|score| score.max(-30.0)).collect::<Vec<_>>();
    for num_beams in [1, 5] {
        for (repetition_penalty, no_repeat_ngram_size) in [(1.0, 0), (1.5, 0), (1.0, 1), (0.8, 2)] {
            let options = GenerationConfig {
                num_beams,
                repetition_penalty,
                no_repeat_ngram_size,
                ..GenerationConfig::default()
            };
            let (steps, full) = compared(&scores, &options, &[4]);
            assert!(steps >= 5 && full == 0, "{full} of {steps} steps: {options:?}");
        }
    }
    // Equal logits: the scores of known and unknown tokens are equal, so all are read.
    let options = GenerationConfig { num_beams: 5, ..GenerationConfig::default() };
    let (steps, full) = compared(&vec![0.5; 97 * 97], &options, &[4]);
    assert_eq!(full, steps);
    // Sampling needs all of them.
    let sampling = Sampling { temperature: 1.0, top_p: 0.9, seed: 1, first_image: 0 };
    let options = GenerationConfig { sampling: Some(sampling), ..GenerationConfig::default() };
    let (steps, full) = compared(&scores, &options, &[4]);
    assert_eq!(full, steps);
}

#[test]
fn nan_scores_are_reported_from_reduced_logits() {
    let mut table = fork();
    table.scores[3 * 5] = f32::NAN; // what follows token 3
    table.reduces = true;
    for beams in [1, 2] {
        let prompts = [prompt(&[2]), prompt(&[3])];
        let error =
            generate(&table, State::new(), &prompts, &options(beams), &mut |_| {}).unwrap_err();
        let message = "the language model's scores for image 1 are not numbers";
        assert_eq!(error.to_string(), message);
    }
}
